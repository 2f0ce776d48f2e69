/**
 * One setting: a value, where it came from, and what may be wrong with it. A problem names the place and never the value,
 * because values end up in wrong places: a secret in the account id, for instance.
 *
 * @since 0.1.0
 */
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"

/**
 * @since 0.1.0
 * @category models
 */
export interface Setting<A> {
  readonly value: A
  /** In words: `options.clientId`, `NOMBA_CLIENT_ID`, `not set`. */
  readonly origin: string
}

/**
 * @since 0.1.0
 * @category models
 */
export type Checked<A> = Effect.Effect<Setting<A>, ConfigError.ConfigError>

/**
 * @since 0.1.0
 * @category errors
 */
export const invalid = (origin: string, problem: string): Effect.Effect<never, ConfigError.ConfigError> =>
  Effect.fail(ConfigError.InvalidData(origin.split("."), problem))

/**
 * All problems at once, one after the other.
 *
 * @since 0.1.0
 */
export const report = (
  problems: Record.ReadonlyRecord<string, Option.Option<ConfigError.ConfigError>>
): ConfigError.ConfigError =>
  Record.values(Record.getSomes(problems)).reduce((first, second) => ConfigError.And(first, second))

/**
 * A text that must be exact, because nobody will trim it later.
 *
 * @since 0.1.0
 */
export const text = ({ origin, value }: Setting<unknown>): Checked<string> => {
  const revealed = Redacted.isRedacted(value) ? Option.getOrUndefined(reveal(value)) : value
  if (typeof revealed !== "string") return invalid(origin, "is not a string")
  const problem = problemOf(revealed)
  return problem === undefined ? Effect.succeed({ origin, value: revealed }) : invalid(origin, problem)
}

/**
 * A secret, which must be exact and redacted already.
 *
 * @since 0.1.0
 */
export const secret = ({ origin, value }: Setting<unknown>): Checked<Redacted.Redacted<string>> =>
  Redacted.isRedacted(value)
    ? Effect.map(text({ origin, value }), ({ value }) => ({ origin, value: Redacted.make(value) }))
    : invalid(origin, "is not redacted, and so would be printed: wrap it in Redacted.make")

/**
 * What is redacted; none where it was wiped.
 *
 * @since 0.1.0
 */
export const reveal: (value: Redacted.Redacted<unknown>) => Option.Option<unknown> = Option.liftThrowable(
  (value: Redacted.Redacted<unknown>): unknown => Redacted.value(value)
)

/**
 * What is wrong with a text that must be exact.
 *
 * @since 0.1.0
 */
export const problemOf = (value: string): string | undefined => {
  if (value.trim() === "") return "is empty"
  if (value.trim() !== value) return "has white space around it"
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(value)) return "has control or invisible characters"
  if (/^(["'`]).*\1$/.test(value)) return "has quotation marks around it"
  return placeholders.some((placeholder) => placeholder.test(value))
    ? "is a placeholder: put the real value there"
    : undefined
}

/** What examples, templates and failed substitutions leave behind. */
const placeholders = [
  /^(.)\1{2,}$/,
  /^[x0*._…-]+$/i,
  /^<.*>$/,
  /^\[.*\]$/,
  /^\{.*\}$/,
  /^\$\{?\w*\}?$/,
  /^\$\(.*\)$/,
  /^%\w+%$/,
  /^(?:undefined|null|none|nil|nan|true|false|todo|tbd|fixme|placeholder|example|sample|dummy|secret|password)$/i,
  /^(?:change|replace|insert|enter|paste|put|your)[ _-]/i,
  /[ _-]here$/i,
  /^(?:changeme|changeit|replaceme)$/i,
  /^(?:your|my|the)?[ _-]?(?:nomba|client|account|private|secret|api|parent)[ _-]?(?:account[ _-]?|client[ _-]?)?(?:id|secret|key)$/i
]
