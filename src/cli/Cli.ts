/** The commands of `nomba-auth`. */

import type * as CliApp from "@effect/cli/CliApp"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import type * as Runtime from "@effect/platform/Runtime"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as CommandLine from "./CommandLine.js"
import * as ExitCode from "./ExitCode.js"
import * as Output from "./Output.js"
import { version } from "./version.js"

const description = CommandLine.describe("One valid Nomba access token for every program on this machine.", [
  "nomba-auth token",
  "nomba-auth sandbox"
])

type Services = CommandLine.Program | CliApp.CliApp.Environment

type AnyCommand = Command.Command<string, Services, unknown, object>

/** A command is invariant in what it parses, which does not matter any more when it is called. */
const erase = <Name extends string, R extends Services, E, A extends object>(
  command: Command.Command<Name, R, E, A>
): AnyCommand => command as unknown as AnyCommand

/** The commands in the order of `--help`. Each is loaded when it is called, so that its start costs what it needs. */
const commands: Readonly<Record<string, () => Promise<AnyCommand>>> = {
  token: async () => erase((await import("./token.js")).command),
  doctor: async () => erase((await import("./doctor.js")).command),
  sandbox: async () => erase((await import("./sandbox.js")).command)
}

/** The command that is called; all of them for `--help` and for a name that is unknown. */
const load = (name: string | undefined): Effect.Effect<ReadonlyArray<AnyCommand>> => {
  const called = Object.entries(commands).filter(([known]) => known === name)
  const loads = called.length > 0 ? called : Object.entries(commands)
  return Effect.promise(() => Promise.all(loads.map(([, load]) => load())))
}

const main = (argv: ReadonlyArray<string>): Effect.Effect<void, unknown, Services> =>
  Effect.flatMap(load(argv[2]), ([first, ...others]) => {
    const root = Command.make("nomba-auth").pipe(Command.withDescription(description))
    const whole = first === undefined ? erase(root) : erase(Command.withSubcommands(root, [first, ...others]))
    return Command.run(whole, { name: "nomba-auth", version })(argv)
  })

/** The first signal that asked the process to end. */
let signal: keyof typeof ExitCode.ofSignal | undefined

const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit)) return onExit(Number(process.exitCode ?? ExitCode.SUCCESS))
  onExit(Cause.isInterruptedOnly(exit.cause) ? ExitCode.ofInterruption(signal) : ExitCode.of(exit.cause))
}

/** Runs the command line. SIGINT and SIGTERM interrupt it, so that what is open is closed. */
export const run = (argv: ReadonlyArray<string>): void => {
  const end = argv.indexOf("--")
  const [args, program] = end < 0 ? [argv, []] : [argv.slice(0, end), argv.slice(end + 1)]
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => (signal ??= name))
  NodeRuntime.runMain(
    main(args).pipe(
      Effect.tapErrorCause((cause) => Output.sayWhy(cause, ValidationError.isValidationError)),
      Effect.provide(
        Layer.mergeAll(
          NodeFileSystem.layer,
          NodePath.layer,
          NodeTerminal.layer,
          CliConfig.layer({ isCaseSensitive: true, showBuiltIns: false }),
          Layer.succeed(CommandLine.Program, program),
          Output.layer
        )
      )
    ),
    { disableErrorReporting: true, disablePrettyLogger: true, teardown }
  )
}
