/** The commands of `nomba-auth`. */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Runtime from "@effect/platform/Runtime"
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

/** The command line, and the program that follows `--`. */
const cliWith = (program: ReadonlyArray<string>) =>
  Command.run(
    Command.make("nomba-auth").pipe(
      Command.withDescription("Tools for one valid Nomba access token in a whole app."),
      Command.withSubcommands([SandboxCommand.commandWith(program)])
    ),
    { name: "nomba-auth", version }
  )

/** The CLI library has already printed what is wrong with a command line. */
const report = (cause: Cause.Cause<Effect.Effect.Error<ReturnType<ReturnType<typeof cliWith>>>>): Effect.Effect<void> =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => (Cause.isInterruptedOnly(cause) ? Effect.void : Console.error(Cause.pretty(cause))),
    onSome: (error) =>
      ValidationError.isValidationError(error) ? Effect.void : Console.error(`nomba-auth: ${error.message}`)
  })

/** A failure is 1. A program that was run decides about the rest. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  Runtime.defaultTeardown(exit, (code) => onExit(code === 0 ? Number(process.exitCode ?? 0) : code))

/** Runs the command line. SIGINT and SIGTERM close what is open and exit with 0. */
export const run = (argv: ReadonlyArray<string>): void => {
  const end = argv.indexOf("--")
  const [args, program] = end < 0 ? [argv, []] : [argv.slice(0, end), argv.slice(end + 1)]
  NodeRuntime.runMain(
    cliWith(program)(args).pipe(
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
    { disableErrorReporting: true, disablePrettyLogger: true, teardown }
  )
}
