/** The commands of `nomba-auth`. */

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
import { AllCommands, type AnyCommand, describe, Program, type Services } from "./CommandLine.js"
import * as ExitCode from "./ExitCode.js"
import * as Output from "./Output.js"
import { version } from "./version.js"

const description = describe("One valid Nomba access token for every program on this machine.", [
  "nomba-auth token",
  "nomba-auth serve",
  "nomba-auth sandbox"
])

/** A command is invariant in what it parses, which does not matter any more when it is called. */
const erase = <Name extends string, R extends Services, E, A extends object>(
  command: Command.Command<Name, R, E, A>
): AnyCommand => command as unknown as AnyCommand

/** The commands in the order of `--help`. Each is loaded when it is called, so that its start costs what it needs. */
const commands: Readonly<Record<string, () => Promise<AnyCommand>>> = {
  serve: async () => erase((await import("./serve.js")).command),
  token: async () => erase((await import("./token.js")).command),
  curl: async () => erase((await import("./curl.js")).command),
  status: async () => erase((await import("./status.js")).command),
  issue: async () => erase((await import("./issue.js")).command),
  refresh: async () => erase((await import("./refresh.js")).command),
  revoke: async () => erase((await import("./revoke.js")).command),
  logout: async () => erase((await import("./logout.js")).command),
  login: async () => erase((await import("./login.js")).command),
  doctor: async () => erase((await import("./doctor.js")).command),
  sandbox: async () => erase((await import("./sandbox.js")).command),
  completions: async () => erase((await import("./completions.js")).command)
}

const rootOf = (loads: ReadonlyArray<() => Promise<AnyCommand>>): Effect.Effect<AnyCommand> =>
  Effect.map(
    Effect.promise(() => Promise.all(loads.map((load) => load()))),
    ([first, ...others]) => {
      const root = Command.make("nomba-auth").pipe(Command.withDescription(description))
      return first === undefined ? erase(root) : erase(Command.withSubcommands(root, [first, ...others]))
    }
  )

const allCommands = rootOf(Object.values(commands))

/** The command that is called; all of them for `--help` and for a name that is unknown. */
const called = (name: string | undefined): Effect.Effect<AnyCommand> => {
  const load = name === undefined || !Object.hasOwn(commands, name) ? undefined : commands[name]
  return load === undefined ? allCommands : rootOf([load])
}

const main = (argv: ReadonlyArray<string>): Effect.Effect<void, unknown, Services> =>
  Effect.flatMap(called(argv[2]), (root) => Command.run(root, { name: "nomba-auth", version })(argv))

/** The first signal that asked the process to end. */
let signal: keyof typeof ExitCode.ofSignal | undefined

/** A program that was run has set the exit code, however this one ends. */
const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) return onExit(ExitCode.of(exit.cause))
  onExit(Number(process.exitCode ?? (Exit.isSuccess(exit) ? ExitCode.SUCCESS : ExitCode.ofInterruption(signal))))
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
          Layer.succeed(Program, program),
          Layer.succeed(AllCommands, allCommands),
          Output.layer
        )
      )
    ),
    { disableErrorReporting: true, disablePrettyLogger: true, teardown }
  )
}
