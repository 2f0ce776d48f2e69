/** Every way in which a program may print what it holds, and whether a secret is in it. */
import { inspect } from "node:util"
import { Cause, type Console, Effect, Exit, Inspectable, type Layer, Logger, LogLevel } from "effect"
import { type RecordedSpan, recordSpans } from "./tracer.js"

/** One printed text, and how it came about. */
export type Printed = readonly [how: string, text: string]

/** Runs an effect, prints how it ended and all that it logged, at whatever level, and traced, in every way. */
export const printed = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<ReadonlyArray<Printed>> =>
  Effect.gen(function* () {
    const logged: Array<Printed> = []
    const [exit, spans] = yield* effect.pipe(
      Effect.tapErrorCause((cause) => Effect.logError("it failed", cause)),
      Effect.tap((value) => Effect.logInfo("it succeeded", value)),
      Effect.exit,
      Effect.tap((exit) => Effect.annotateLogs(Effect.logInfo(exit), { exit })),
      Effect.withSpan("the caller's"),
      recordSpans,
      Effect.provide(capturing(logged)),
      Effect.withConsole(consoleOf((text) => logged.push(["the pretty logger", text]))),
      Logger.withMinimumLogLevel(LogLevel.All)
    )
    const held = Exit.match(exit, { onSuccess: (value) => value as unknown, onFailure: Cause.squash })
    return [
      ...printings("the exit", exit),
      ...printings("what it holds", held),
      ...Exit.match(exit, { onSuccess: () => [], onFailure: causes }),
      ...spans.flatMap(spanPrintings),
      ...logged
    ]
  })

const attempt = (print: () => unknown): string => {
  try {
    return String(print())
  } catch {
    return ""
  }
}

/** The properties that a value has whether they can be enumerated or not, getters included. */
const properties = (value: unknown): ReadonlyArray<unknown> =>
  typeof value === "object" && value !== null
    ? [value, Object.getPrototypeOf(value)].flatMap((holder) =>
        Reflect.ownKeys(holder ?? {}).map((key) => attempt(() => inspect(Reflect.get(value, key))))
      )
    : []

const printings = (what: string, value: unknown): ReadonlyArray<Printed> => [
  [`inspect ${what}`, attempt(() => inspect(value))],
  [`inspect ${what} deeply`, attempt(() => inspect(value, { showHidden: true, depth: 20, getters: true }))],
  [`JSON of ${what}`, attempt(() => JSON.stringify(value))],
  [`String of ${what}`, attempt(() => value)],
  [`message of ${what}`, attempt(() => (value instanceof Error ? value.message : ""))],
  [`stack of ${what}`, attempt(() => (value instanceof Error ? value.stack : ""))],
  [`properties of ${what}`, properties(value).join("\n")],
  [`Inspectable of ${what}`, attempt(() => Inspectable.toStringUnknown(value))]
]

const causes = (cause: Cause.Cause<unknown>): ReadonlyArray<Printed> => [
  ...printings("the cause", cause),
  ["the pretty cause", Cause.pretty(cause)],
  ["the pretty cause with causes", Cause.pretty(cause, { renderErrorCause: true })]
]

export const spanPrintings = (span: RecordedSpan): ReadonlyArray<Printed> => [
  ["a span's name", span.name],
  ["a span's attributes", inspect(span.attributes, { depth: 20, showHidden: true })],
  ["a span's events", inspect(span.events, { depth: 20, showHidden: true })],
  ["a span's status", inspect(span.status, { depth: 20, showHidden: true })]
]

const builtInLoggers: ReadonlyArray<readonly [string, Logger.Logger<unknown, unknown>]> = [
  ["the string logger", Logger.stringLogger],
  ["the logfmt logger", Logger.logfmtLogger],
  ["the JSON logger", Logger.jsonLogger],
  ["the structured logger", Logger.structuredLogger],
  ["the pretty logger", Logger.prettyLogger({ colors: false, mode: "tty" })]
]

const capturing = (logged: Array<Printed>): Layer.Layer<never> =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make((options) => {
      for (const [how, logger] of builtInLoggers) {
        const output = logger.log(options)
        logged.push([how, typeof output === "string" ? output : inspect(output, { depth: 20 })])
      }
    })
  )

const consoleOf = (write: (text: string) => void): Console.Console => {
  const print = (...values: ReadonlyArray<unknown>): void =>
    write(values.map((value) => inspect(value, { depth: 20 })).join(" "))
  const unsafe = new Proxy(globalThis.console, { get: () => print })
  return new Proxy({} as Console.Console, {
    get: (_, key) =>
      key === "unsafe" ? unsafe : (...values: ReadonlyArray<unknown>) => Effect.sync(() => print(...values))
  })
}

/** The printed texts in which one of the secrets can be read, however it is spelled. */
export const leaks = (printed: ReadonlyArray<Printed>, secrets: ReadonlyArray<string>): ReadonlyArray<Printed> => {
  const cores = secrets.flatMap(forms)
  return printed.filter(([, text]) => {
    const read = core(text)
    return cores.some((secret) => read.includes(secret))
  })
}

/** A secret as it is, reversed, in hex and in base64 at each alignment, without the digits that its neighbours change. */
const forms = (secret: string): ReadonlyArray<string> => [
  core(secret),
  core([...secret].reverse().join("")),
  Buffer.from(secret).toString("hex"),
  ...["", "a", "ab"]
    .map((before) => core(Buffer.from(`${before}${secret}`).toString("base64").slice(4, -4)))
    .filter((digits) => digits.length >= 6)
]

/** The letters and digits of a text after its escapes are undone. */
const core = (text: string): string =>
  text
    .replace(/\\+u([\da-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/%(?:25)*([\da-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/&#(\d+);/g, (_, decimal) => String.fromCharCode(Number(decimal)))
    .replace(/\\+[nrt0]|\\+x[\da-f]{2}/gi, "")
    .replace(/[^a-z0-9]/gi, "")
    .toLowerCase()
