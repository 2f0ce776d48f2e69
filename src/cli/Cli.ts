/** The commands of `nomba-auth`. */

import { stripVTControlCharacters } from "node:util"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
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
import { AllCommands, type AnyCommand, Program, type Services } from "./CommandLine.js"
import * as ExitCode from "./ExitCode.js"
import * as Output from "./Output.js"
import { version } from "./version.js"

/** A command is invariant in what it parses, which does not matter any more when it is called. */
const erase = <Name extends string, R extends Services, E, A extends object>(
  command: Command.Command<Name, R, E, A>
): AnyCommand => command as unknown as AnyCommand

interface Entry {
  readonly summary: string
  readonly load: () => Promise<AnyCommand>
}

/** The commands in the order of `--help`. Each is loaded when it is called, so that its start costs what it needs. */
const commands: Readonly<Record<string, Entry>> = {
  serve: {
    summary: "Pass requests on to Nomba with a valid token, for programs in any language",
    load: async () => erase((await import("./serve.js")).command)
  },
  exec: {
    summary: "Run a program with access to such a proxy for as long as it runs",
    load: async () => erase((await import("./exec.js")).command)
  },
  token: {
    summary: "Print a valid access token",
    load: async () => erase((await import("./token.js")).command)
  },
  curl: {
    summary: "Send one request to Nomba and print the response's body",
    load: async () => erase((await import("./curl.js")).command)
  },
  status: {
    summary: "Show the session without its secrets",
    load: async () => erase((await import("./status.js")).command)
  },
  doctor: {
    summary: "Find out what is wrong, and what to change",
    load: async () => erase((await import("./doctor.js")).command)
  },
  issue: {
    summary: "Start a new session; ends every other one of this client id",
    load: async () => erase((await import("./issue.js")).command)
  },
  refresh: {
    summary: "Renew the stored session with its refresh token",
    load: async () => erase((await import("./refresh.js")).command)
  },
  logout: {
    summary: "End the stored session for every program that shares it",
    load: async () => erase((await import("./logout.js")).command)
  },
  revoke: {
    summary: "Revoke an access token that you have, such as a leaked one",
    load: async () => erase((await import("./revoke.js")).command)
  },
  login: {
    summary: "Log in with a browser, for a client without a secret",
    load: async () => erase((await import("./login.js")).command)
  },
  sandbox: {
    summary: "Start a local Nomba API for development and tests",
    load: async () => erase((await import("./sandbox.js")).command)
  },
  completions: {
    summary: "Print what bash, zsh or fish needs to complete commands",
    load: async () => erase((await import("./completions.js")).command)
  }
}

const help = `nomba-auth ${version}: one valid Nomba access token for every program on this machine.

Usage: nomba-auth COMMAND [OPTIONS]
       nomba-auth COMMAND --help

Commands:
${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`)
  .join("\n")}

Examples:
  nomba-auth serve
  nomba-auth exec -- php report.php
  nomba-auth curl /v1/accounts/balance
  nomba-auth doctor

Settings:
  NOMBA_CLIENT_ID, NOMBA_CLIENT_SECRET, NOMBA_ACCOUNT_ID
  NOMBA_ENVIRONMENT    sandbox (default) or production
  NOMBA_BASE_URL       instead of NOMBA_ENVIRONMENT
  NOMBA_TOKEN_STORE    file:PATH or redis://HOST:PORT; default: files in this user's state folder

Exit codes:
${ExitCode.table.map(([code, meaning]) => `  ${code}  ${meaning}`).join("\n")}`

const rootOf = (entries: ReadonlyArray<Entry>): Effect.Effect<AnyCommand> =>
  Effect.map(
    Effect.promise(() => Promise.all(entries.map(({ load }) => load()))),
    ([first, ...others]) => {
      const root = Command.make("nomba-auth")
      return first === undefined ? erase(root) : erase(Command.withSubcommands(root, [first, ...others]))
    }
  )

const allCommands = rootOf(Object.values(commands))

const isHelp = (arg: string | undefined): boolean => arg === "--help" || arg === "-h"

/** curl takes `-XPOST` and `-iX POST` as well as `-i -X POST`. */
const separated = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.flatMap((arg) => {
    const [, include, option, value] = /^-(i?)([XdH])(.*)$/s.exec(arg) ?? []
    if (option === undefined) return [arg]
    return [...(include ? ["-i"] : []), `-${option}`, ...(value ? [value] : [])]
  })

const entryOf = (name: string | undefined): Entry | undefined =>
  name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined

const helpFor = (name: string, entry: Entry, isColoured: boolean): Effect.Effect<string> =>
  Effect.gen(function* () {
    const { helpOf } = yield* Effect.promise(() => import("./help.js"))
    return helpOf(name, yield* Effect.promise(entry.load), isColoured)
  })

/** Says which argument is wrong, and where the right ones are listed. */
const usageErrorOf = (
  { error }: ValidationError.ValidationError,
  name: string,
  entry: Entry,
  args: ReadonlyArray<string>
): Effect.Effect<never, ExitCode.UsageError> =>
  Effect.gen(function* () {
    const { usageProblem } = yield* Effect.promise(() => import("./usageProblem.js"))
    const said = stripVTControlCharacters(HelpDoc.toAnsiText(error)).trim()
    const problem = usageProblem(said, args, yield* helpFor(name, entry, false))
    return yield* new ExitCode.UsageError({ message: `${problem} (nomba-auth ${name} --help)` })
  })

const main = (argv: ReadonlyArray<string>): Effect.Effect<void, unknown, Services> => {
  const [, , first = "--help", ...others] = argv
  const isAskedFor = first === "help" && entryOf(others[0]) !== undefined
  const [name = "", ...args] = isAskedFor ? [...others, "--help"] : [first, ...others]
  if (isHelp(name) || name === "help") return Output.result(help)
  const entry = entryOf(name)
  const given = name === "curl" ? separated(args) : args
  // `@effect/cli` has both, and they are of no use here.
  const notOffered = [name, ...given].find((arg) => /^--(?:completions|wizard)(?:=|$)/.test(arg))
  if (notOffered !== undefined) {
    const of = entry === undefined ? "" : ` ${name}`
    const [option] = notOffered.split("=")
    return new ExitCode.UsageError({ message: `${option}: there is no such option (nomba-auth${of} --help)` })
  }
  const runIn = (root: AnyCommand) =>
    Command.run(root, { name: "nomba-auth", version })([...argv.slice(0, 2), name, ...given])
  if (entry === undefined) {
    if (/^--(?:log-level|version)(?:=|$)/.test(name)) return Effect.flatMap(allCommands, runIn)
    const what = name.startsWith("-") ? "option" : "command"
    return new ExitCode.UsageError({ message: `${name}: there is no such ${what} (nomba-auth --help)` })
  }
  if (given.some(isHelp)) {
    return Effect.flatMap(helpFor(name, entry, Output.isColoured(process.stdout)), Output.result)
  }
  return Effect.flatMap(rootOf([entry]), runIn).pipe(
    Effect.catchIf(ValidationError.isValidationError, (error) => usageErrorOf(error, name, entry, given))
  )
}

/** The first signal that asked the process to end. */
let signal: keyof typeof ExitCode.ofSignal | undefined

/** A program that was run has set the exit code, however this one ends. */
const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) return onExit(ExitCode.of(exit.cause))
  const code = Number(process.exitCode ?? (Exit.isSuccess(exit) ? ExitCode.SUCCESS : ExitCode.ofInterruption(signal)))
  // `NodeRuntime` ends the process after the other signals, whatever is still open.
  if (signal === "SIGHUP") process.exit(code)
  onExit(code)
}

/** A token request is not broken off, because its session would be lost. */
const sayThatItWaits = (): void =>
  Effect.runSync(Output.say("finishing what is under way, at most half a minute; Ctrl-C again ends it now"))

/** Runs the command line. SIGINT, SIGTERM and SIGHUP interrupt it, so that what is open is closed. */
export const run = (argv: ReadonlyArray<string>): void => {
  const end = argv.some((arg) => arg === "exec" || arg === "sandbox") ? argv.indexOf("--") : -1
  const [args, program] = end < 0 ? [argv, []] : [argv.slice(0, end), argv.slice(end + 1)]
  const onSignal = (name: keyof typeof ExitCode.ofSignal): void => {
    signal ??= name
    // A program that runs decides itself what a signal means.
    if (program.length === 0) setTimeout(sayThatItWaits, 3_000).unref()
  }
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, onSignal)
  /** A terminal that closes may send it twice. Only the first signal counts: another interrupt would break the token request off. */
  const endingOnHangup = <A, E, R>(command: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiberRuntime((fiber) => {
      process.on("SIGHUP", () => {
        if (signal !== undefined) return
        onSignal("SIGHUP")
        fiber.unsafeInterruptAsFork(fiber.id())
      })
      return command
    })
  NodeRuntime.runMain(
    main(args).pipe(
      Effect.tapErrorCause((cause) => Output.sayWhy(cause)),
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
      ),
      endingOnHangup
    ),
    { disableErrorReporting: true, disablePrettyLogger: true, teardown }
  )
}
