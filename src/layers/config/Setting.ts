/**
 * One setting: its value, where it came from, and the checks that all settings share.
 *
 * An error names the option or the variable and never quotes the value, because values end up in the wrong place: a secret
 * in the account id, for instance.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import { isHeaderSafe, problemOf } from "../../schemas/SafeText.js"

export interface Setting<A> {
  readonly value: A
  /** `options.clientId`, `NOMBA_CLIENT_ID` or `not set`. */
  readonly origin: string
  readonly isVariable?: boolean
  readonly isRequired?: boolean
}

export type Checked<A> = Effect.Effect<Setting<A>, ConfigError.ConfigError>

// Errors

/** Each message is complete without the path, because programs print `error.message` alone. */
export const invalid = (origin: string, problem: string): Effect.Effect<never, ConfigError.ConfigError> =>
  Effect.fail(ConfigError.InvalidData(pathOf(origin), `${origin} ${problem}`))

const missing = (origins: Variables, hint = ""): ConfigError.ConfigError =>
  ConfigError.MissingData(
    pathOf(origins[0]),
    `${origins.join(" is not set, and neither is ")}${origins.length === 1 ? " is not set" : ""}${hint}`
  )

const pathOf = (origin: string): Array<string> => origin.split(".")

/** All errors of `Effect.all` in the mode `validate`, as one. */
export const report = (
  problems: Record.ReadonlyRecord<string, Option.Option<ConfigError.ConfigError>>
): ConfigError.ConfigError =>
  Record.values(Record.getSomes(problems)).reduce((first, second) => ConfigError.And(first, second))

// Checks

/** A text that is used byte for byte. */
export const text = ({ value, ...from }: Setting<unknown>): Checked<string> => {
  const revealed = Redacted.isRedacted(value) ? Option.getOrUndefined(reveal(value)) : value
  if (typeof revealed !== "string") return invalid(from.origin, "must be a string")
  const problem = problemOf(revealed)
  if (problem === undefined) return Effect.succeed({ ...from, value: revealed })
  const fix = problem === "is empty" && from.isRequired ? ": give it a value" : (fixes[problem] ?? "")
  return invalid(from.origin, `${problem}${fix}`)
}

/** A text that fits in a header. */
export const header = (setting: Setting<unknown>): Checked<string> =>
  Effect.filterOrElse(
    text(setting),
    ({ value }) => isHeaderSafe(value),
    ({ origin }) => invalid(origin, NOT_IN_A_HEADER)
  )

/** A text that is `Redacted` already. */
export const secret = ({ value, ...from }: Setting<unknown>): Checked<Redacted.Redacted<string>> =>
  Redacted.isRedacted(value)
    ? Effect.map(text({ ...from, value }), ({ value }) => ({ ...from, value: Redacted.make(value) }))
    : invalid(from.origin, NOT_REDACTED)

/** A duration between two others, both included. */
export const duration = (
  { origin, value }: Setting<unknown>,
  limits: { readonly minimum: Duration.DurationInput; readonly maximum: Duration.DurationInput }
): Effect.Effect<Duration.Duration, ConfigError.ConfigError> => {
  // Duration.decode makes zero of these.
  const isNegative = typeof value === "number" && !(value >= 0)
  const decoded = Option.filter(Duration.decodeUnknown(value), Duration.between(limits))
  return isNegative || Option.isNone(decoded)
    ? invalid(
        origin,
        `must be a duration from ${Duration.format(limits.minimum)} to ${Duration.format(limits.maximum)}, such as "5 seconds"`
      )
    : Effect.succeed(decoded.value)
}

/** The redacted value; none if it was wiped. */
export const reveal: (value: Redacted.Redacted<unknown>) => Option.Option<unknown> = Option.liftThrowable(
  (value: Redacted.Redacted<unknown>): unknown => Redacted.value(value)
)

export const NOT_REDACTED = "is not redacted, and so would be printed: wrap it in Redacted.make"

export const NOT_IN_A_HEADER = "has characters that a header cannot carry"

const fixes: Readonly<Record<string, string>> = {
  "is empty": ": give it a value, or leave it out",
  "has white space around it": ": remove it",
  "has control or invisible characters": ": type it again",
  "has quotation marks around it": ": remove them"
}

// Sources

/** The option, what the code gives for it, and the variables that stand for it: the first that is set counts. */
export interface SettingKey {
  readonly option: string
  readonly given: unknown
  readonly variables?: Variables
}

type Variables = readonly [string, ...ReadonlyArray<string>]

/** Where settings are read from: `code`, `environment` or `configs`. */
export interface Source {
  readonly find: (key: SettingKey) => Effect.Effect<Option.Option<Setting<unknown>>, ConfigError.ConfigError>
  /** Fails if it is not set. The hint says where to get it. */
  readonly require: (key: SettingKey, hint?: string) => Effect.Effect<Setting<unknown>, ConfigError.ConfigError>
}

interface Found {
  readonly setting: Option.Option<Setting<unknown>>
  /** What to name if it is not set. */
  readonly origins: Variables
}

const makeSource = (look: (key: SettingKey) => Effect.Effect<Found, ConfigError.ConfigError>): Source => ({
  find: (key) => Effect.map(look(key), ({ setting }) => setting),
  require: (key, hint) =>
    Effect.flatMap(look(key), ({ origins, setting }) =>
      Option.isSome(setting)
        ? Effect.succeed({ ...setting.value, isRequired: true })
        : Effect.fail(missing(origins, hint))
    )
})

const lookInOptions = ({ given, option }: SettingKey): Found => {
  const origin = `options.${option}`
  return { setting: given === undefined ? Option.none() : Option.some({ origin, value: given }), origins: [origin] }
}

/** Options in code alone. */
export const code: Source = makeSource((key) => Effect.sync(() => lookInOptions(key)))

/** Variables, except for the options that the code gives. */
export const environment: Source = makeSource((key) =>
  key.given === undefined && key.variables !== undefined
    ? load(variable(...key.variables), key.variables[0])
    : Effect.sync(() => lookInOptions(key))
)

/** Options in code, and a `Config` for some of those that the code does not give. */
export const codeOver = (defaults: { readonly [Option in string]?: unknown }): Source =>
  makeSource((key) =>
    key.given === undefined
      ? load(defaults[key.option], `options.${key.option}`)
      : Effect.sync(() => lookInOptions(key))
  )

/** A `Config` for each option. An error names the variables that the `Config` looked for. */
export const configs = (given: { readonly [Option in string]?: unknown }): Source =>
  makeSource(({ option }) => load(given[option], `config.${option}`))

/** The first variable that is set, trimmed. It is redacted because `Config` prints what it refuses. */
export const variable = (...[first, ...others]: Variables): Config.Config<Redacted.Redacted> =>
  others
    .reduce(
      (config, other) =>
        Config.orElseIf(config, { if: ConfigError.isMissingDataOnly, orElse: () => Config.redacted(other) }),
      Config.redacted(first)
    )
    .pipe(Config.map((value) => Redacted.make(Redacted.value(value).trim())))

/** Runs a `Config` and notes which variables it looked for, and which it found last. */
const load = (config: unknown, unnamed: string): Effect.Effect<Found, ConfigError.ConfigError> => {
  if (config === undefined) return Effect.succeed({ setting: Option.none(), origins: [unnamed] })
  if (!Config.isConfig(config)) return invalid(unnamed, "must be a Config, such as Config.string or Config.succeed")
  return Effect.configProviderWith((provider) => {
    const asked: Array<string> = []
    let found: string | undefined
    const { flattened } = provider
    const noting = ConfigProvider.fromFlat({
      ...flattened,
      load: (path, primitive, split) => {
        const name = path.join("_")
        asked.push(name)
        return Effect.tap(flattened.load(path, primitive, split), () => {
          found = name
        })
      }
    })
    return Effect.matchEffect(noting.load(config), {
      onSuccess: (value) =>
        Effect.succeed({
          setting:
            value === undefined
              ? Option.none()
              : Option.some({ value, origin: found ?? unnamed, isVariable: found !== undefined }),
          origins: [asked[0] ?? unnamed, ...asked.slice(1)] as const
        }),
      onFailure: (error): Effect.Effect<Found, ConfigError.ConfigError> => {
        const [first = unnamed, ...others] = asked
        if (ConfigError.isMissingDataOnly(error)) {
          return Effect.succeed({ setting: Option.none(), origins: [first, ...others] })
        }
        // Config quotes the value that it refuses.
        return isOfTheValue(error)
          ? invalid(found ?? first, "has a value that its Config cannot read")
          : Effect.fail(error)
      }
    })
  })
}

const isOfTheValue = (error: ConfigError.ConfigError): boolean =>
  error._op === "And" || error._op === "Or"
    ? isOfTheValue(error.left) || isOfTheValue(error.right)
    : error._op === "InvalidData"
