/** `nomba-auth status`: the session without its secrets. */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { describe } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import * as Output from "./Output.js"
import * as SessionReport from "./sessionReport.js"

const flags = { ...Environment.flags, ...Output.jsonFlag }

export const command = Command.make("status", flags, (given) =>
  SessionReport.print(given).pipe(Effect.provide(Environment.layerSettings(given)))
).pipe(
  Command.withDescription(
    describe(
      "Show the session without its secrets: expiry, age, account, environment, token store. Never calls Nomba.",
      ["nomba-auth status", "nomba-auth status --json"]
    )
  )
)
