/** `nomba-auth revoke`: the end of an access token that is not in the token store, for instance of a leaked one. */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { NombaAuth } from "../services/NombaAuth.js"
import { describe } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import * as Output from "./Output.js"

const flags = {
  ...Environment.flags,
  ...Output.yesFlag,
  tokenFile: Options.text("token-file").pipe(
    Options.withPseudoName("PATH"),
    Options.withDescription(
      "Read the access token from this file, which only you may read. Default: -, the standard input."
    ),
    Options.withDefault("-")
  )
}

export const command = Command.make("revoke", flags, (given) =>
  Effect.gen(function* () {
    const token = yield* Environment.readSecret("--token-file", given.tokenFile)
    yield* Output.confirm(
      "revoke ends the session of this access token for every program that uses it. For the stored session, use logout.",
      given
    )
    yield* Effect.flatMap(NombaAuth, (auth) => auth.revoke(token)).pipe(Effect.provide(Environment.layer(given)))
    yield* Output.say("revoked")
  })
).pipe(
  Command.withDescription(
    describe("Revoke an access token that you have, such as a leaked one. To end the stored session, use logout.", [
      "nomba-auth revoke --yes < leaked-token.txt"
    ])
  )
)
