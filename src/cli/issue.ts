/** `nomba-auth issue`: a new session, which replaces the one that all programs use. */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { TokenCache } from "../services/TokenCache.js"
import { describe } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import { UsageError } from "./ExitCode.js"
import * as Output from "./Output.js"
import * as SessionReport from "./sessionReport.js"

const flags = { ...Environment.flags, ...Output.yesFlag, ...Output.jsonFlag }

export const command = Command.make("issue", flags, (given) =>
  Effect.gen(function* () {
    if (Option.isSome(given.subject)) {
      return yield* new UsageError({ message: "--subject: its session starts with nomba-auth login" })
    }
    yield* Output.confirm(
      "issue starts a new session. Nomba ends every other session of this client id: programs that do not share this token store get a 401.",
      given
    )
    yield* Effect.gen(function* () {
      const cache = yield* TokenCache
      const { origin, session } = yield* cache.session
      if (origin === "store") {
        yield* cache.invalidate(session.accessToken)
        yield* cache.session
      }
      yield* SessionReport.print(given)
    }).pipe(Effect.provide(Environment.layer(given)))
  })
).pipe(
  Command.withDescription(
    describe(
      "Start a new session with the client credentials and store it. Ends every other session of this client id. Prints what status prints.",
      ["nomba-auth issue", "nomba-auth issue --yes --json"]
    )
  )
)
