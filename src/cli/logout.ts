/** `nomba-auth logout`: the end of the session for all programs that share it. */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { TokenCache } from "../services/TokenCache.js"
import { describe } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import * as Output from "./Output.js"

const flags = { ...Environment.flags, ...Output.yesFlag }

export const command = Command.make("logout", flags, (given) =>
  Effect.gen(function* () {
    yield* Output.confirm("logout ends the session of every program that shares this token store.", given)
    yield* Effect.flatMap(TokenCache, (cache) => cache.logout).pipe(Effect.provide(Environment.layer(given)))
    yield* Output.say("logged out")
  })
).pipe(
  Command.withDescription(
    describe(
      "Revoke the stored session at Nomba and remove it. Ends it for every program that shares the token store; the next call that needs a token starts a new session.",
      ["nomba-auth logout", "nomba-auth logout --yes"]
    )
  )
)
