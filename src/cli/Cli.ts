/** `nomba-auth`: the commands, and how they are run. */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as SandboxCommand from "./SandboxCommand.js"
import { version } from "./version.js"

const command = Command.make("nomba-auth").pipe(
  Command.withDescription("A valid Nomba access token, always, from one session."),
  Command.withSubcommands([SandboxCommand.command])
)

const cli = Command.run(command, { name: "nomba-auth", version })

/** What is wrong with the command line has been printed already. */
const report = (cause: Cause.Cause<Effect.Effect.Error<ReturnType<typeof cli>>>): Effect.Effect<void> =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => (Cause.isInterruptedOnly(cause) ? Effect.void : Console.error(Cause.pretty(cause))),
    onSome: (error) =>
      ValidationError.isValidationError(error) ? Effect.void : Console.error(`nomba-auth: ${error.message}`)
  })

/** Runs the command line. SIGINT and SIGTERM close what is open, and the process ends with 0; a failure ends it with 1. */
export const run = (args: ReadonlyArray<string>): void =>
  NodeRuntime.runMain(
    cli(args).pipe(
      Effect.tapErrorCause(report),
      Effect.provide(
        Layer.mergeAll(
          NodeFileSystem.layer,
          NodePath.layer,
          NodeTerminal.layer,
          CliConfig.layer({ showBuiltIns: false })
        )
      )
    ),
    { disableErrorReporting: true, disablePrettyLogger: true }
  )
