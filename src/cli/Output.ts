/** What a command prints: the result alone on stdout, everything that is said to a person on stderr. */
import { createInterface } from "node:readline"
import { stripVTControlCharacters } from "node:util"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { Expired } from "../schemas/AuthError.js"
import { flag } from "./CommandLine.js"
import { Ended, ofSignal, SUCCESS, UNEXPECTED, UsageError } from "./ExitCode.js"

/** Whether to colour what goes to this stream: only a terminal's that can, and not if `NO_COLOR` is set (no-color.org). */
export const isColoured = (stream: NodeJS.WriteStream): boolean =>
  stream.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb"

/**
 * Writes to stdout and waits until it is taken. If the reader has gone (`| head -1`), the command ends at once, without a
 * message and with 0.
 */
export const write = (chunk: string | Uint8Array): Effect.Effect<void, Ended> =>
  Effect.async<void, Ended>((resume) => {
    process.stdout.write(chunk, (error) => {
      if (!error) return resume(Effect.void)
      const code = "code" in error ? String(error.code) : error.name
      if (code === "EPIPE") return resume(new Ended({ code: SUCCESS }))
      sayNow(`stdout: cannot be written (${code})`)
      resume(new Ended({ code: UNEXPECTED }))
    })
  })

/** The result of a command, on a line of its own. */
export const result = (line: string): Effect.Effect<void, Ended> => write(`${line}\n`)

const sayNow = (text: string): void => void process.stderr.write(`nomba-auth: ${text}\n`)

/** Says something to the person who runs the command, on stderr. */
export const say = (text: string): Effect.Effect<void> => Effect.sync(() => sayNow(text))

/** For a command whose result a person and a program read. */
export const jsonFlag = {
  json: flag("json", "Print one line of JSON.")
}

/** For a command that calls `confirm`. */
export const yesFlag = {
  yes: flag("yes", "Do not ask before ending other programs' session.")
}

/** Asks the person at the terminal. Ctrl-C ends the command, and the end of the input (Ctrl-D) is no answer. */
const ask = (question: string): Effect.Effect<string, Ended> =>
  Effect.async<string, Ended>((resume) => {
    const terminal = createInterface({ input: process.stdin, output: process.stderr })
    terminal.once("SIGINT", () => {
      resume(new Ended({ code: ofSignal.SIGINT }))
      terminal.close()
    })
    terminal.once("close", () => {
      process.stderr.write("\n")
      resume(Effect.succeed(""))
    })
    terminal.question(question, (answer) => {
      resume(Effect.succeed(answer.trim()))
      terminal.removeAllListeners("close").close()
    })
    return Effect.sync(() => terminal.close())
  })

/**
 * Asks before what ends other programs' session; on a terminal the person answers, elsewhere `--yes` has to. Fails with a
 * `UsageError` if it is not confirmed.
 */
export const confirm = (
  consequence: string,
  { yes }: { readonly yes: boolean }
): Effect.Effect<void, UsageError | Ended> =>
  Effect.gen(function* () {
    yield* say(consequence)
    if (yes) return
    if (!process.stdin.isTTY || !process.stderr.isTTY) {
      return yield* new UsageError({ message: "without a terminal this needs --yes; nothing was done" })
    }
    const answer = yield* ask("Continue? [y/N] ")
    if (!/^y(?:es)?$/i.test(answer)) return yield* new UsageError({ message: "nothing was done" })
  })

/** `@effect/cli` prints what is wrong with a command line, which `sayWhy` says in the words of all other messages. */
const quietConsole = (console: Console.Console): Console.Console => ({ ...console, error: () => Effect.void })

let isLogged = process.argv.includes("--log-level")

/**
 * From now on what the library logs, from warnings up, is said on stderr. For a command that renews in the background: a
 * command without does not call this, because its own failure says the same.
 */
export const log: Effect.Effect<void> = Effect.sync(() => {
  isLogged = true
})

const labels: Readonly<Record<string, string>> = { WARN: "warning" }

const logger = Logger.make<unknown, void>(({ logLevel: { label }, message }) => {
  if (isLogged) sayNow(`${labels[label] ?? label.toLowerCase()}: ${[message].flat().map(String).join(" ")}`)
})

/** The console and the logger of all commands. */
export const layer: Layer.Layer<never> = Layer.mergeAll(
  Layer.unwrapEffect(Effect.map(Effect.console, (console) => Console.setConsole(quietConsole(console)))),
  Logger.replace(Logger.defaultLogger, logger),
  Logger.minimumLogLevel(LogLevel.Warning)
)

/** One line for each setting that is wrong: each names the variable and what to do. */
const configProblems = (error: ConfigError.ConfigError): ReadonlyArray<string> =>
  error._op === "And" || error._op === "Or"
    ? [...configProblems(error.left), ...configProblems(error.right)]
    : [error.message]

const messagesOf = (error: unknown): ReadonlyArray<string> => {
  if (ValidationError.isValidationError(error)) {
    return [stripVTControlCharacters(HelpDoc.toAnsiText(error.error)).trim()]
  }
  if (ConfigError.isConfigError(error)) return configProblems(error)
  if (error instanceof Expired && error.status === undefined && error.code === undefined && error.hint === undefined) {
    return [`${error.message} Run nomba-auth login with the same --subject.`]
  }
  return [error instanceof Error ? error.message : String(error)]
}

/** Says on stderr why a command failed. */
export const sayWhy = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const failure = Cause.failureOrCause(cause)
  if (failure._tag === "Right") {
    return Cause.isInterruptedOnly(cause) ? Effect.void : say(Cause.pretty(failure.right))
  }
  const error = failure.left
  if (error instanceof Ended) return Effect.void
  return Effect.forEach(messagesOf(error), say, { discard: true })
}
