/**
 * What each setting must be beyond an exact text.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { isHeaderSafe } from "../../schemas/Secrets.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import * as BaseUrl from "./BaseUrl.js"
import * as Setting from "./Setting.js"
import type { Source } from "./Source.js"

/**
 * The account id travels in a header. Nobody has to give it.
 *
 * @since 0.1.0
 */
export const accountId = (found: Option.Option<Setting.Setting<unknown>>): Setting.Checked<Option.Option<string>> =>
  Option.match(found, {
    onNone: () => Effect.succeed({ origin: "not set", value: Option.none() }),
    onSome: (setting) =>
      Effect.flatMap(Setting.text(setting), ({ origin, value }) =>
        isHeaderSafe(value)
          ? Effect.succeed({ origin, value: Option.some(value) })
          : Setting.invalid(origin, "has characters that a header cannot carry")
      )
  })

/**
 * Where Nomba is: a base URL, else an environment, else the sandbox. What the code says of either takes the place of all
 * that the process's environment says of both.
 *
 * @since 0.1.0
 */
export const baseUrl = (
  source: Source,
  options: { readonly baseUrl?: string | undefined; readonly environment?: string | undefined }
): Setting.Checked<string> => {
  const environment = source.find({
    option: "environment",
    given: options.environment,
    variables: ["NOMBA_ENVIRONMENT"]
  })
  const url =
    options.environment === undefined || options.baseUrl !== undefined
      ? source.find({ option: "baseUrl", given: options.baseUrl, variables: ["NOMBA_BASE_URL"] })
      : Effect.succeedNone
  return Effect.flatMap(
    url,
    Option.match({
      onSome: (setting) => Effect.flatMap(Setting.text(setting), fromUrl),
      onNone: () =>
        Effect.flatMap(
          environment,
          Option.match({
            onSome: (setting) => Effect.flatMap(Setting.text(setting), fromEnvironment),
            onNone: () => Effect.succeed({ origin: "by default", value: BaseUrl.hosts.sandbox })
          })
        )
    })
  )
}

const fromUrl = ({ origin, value }: Setting.Setting<string>): Setting.Checked<string> =>
  Either.match(BaseUrl.normalise(value), {
    onLeft: (problem) => Setting.invalid(origin, problem),
    onRight: (value) => Effect.succeed({ origin: `from ${origin}`, value })
  })

const fromEnvironment = ({ origin, value }: Setting.Setting<string>): Setting.Checked<string> =>
  BaseUrl.isEnvironment(value)
    ? Effect.succeed({ origin: `from ${origin}`, value: BaseUrl.hosts[value] })
    : Setting.invalid(origin, "is neither sandbox nor production")

/**
 * A function that changes the client.
 *
 * @since 0.1.0
 */
export const transformClient = (
  given: NombaConfigService["transformClient"] = identity
): Effect.Effect<NombaConfigService["transformClient"], ConfigError.ConfigError> =>
  Predicate.isFunction(given) ? Effect.succeed(given) : Setting.invalid("options.transformClient", "is not a function")

/**
 * A duration between two others, both included.
 *
 * @since 0.1.0
 */
export const duration = (
  option: string,
  given: unknown,
  limits: { readonly minimum: Duration.DurationInput; readonly maximum: Duration.DurationInput }
): Effect.Effect<Duration.Duration, ConfigError.ConfigError> =>
  Option.match(
    Option.filter(
      Duration.decodeUnknown(given),
      (duration) => !isNegative(given) && Duration.between(duration, limits)
    ),
    {
      onNone: () =>
        Setting.invalid(
          `options.${option}`,
          `is not a duration from ${Duration.format(limits.minimum)} to ${Duration.format(limits.maximum)}`
        ),
      onSome: Effect.succeed
    }
  )

/** `Duration` makes zero of these. */
const isNegative = (given: unknown): boolean => typeof given === "number" && !(given >= 0)
