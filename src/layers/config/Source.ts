/**
 * Where settings come from: options in code, and in their place the environment.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Setting } from "./Setting.js"

/**
 * A setting's option, with what the code says, and the variables that stand for it, the first that is set.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly option: string
  readonly given: unknown
  readonly variables: readonly [string, ...ReadonlyArray<string>]
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Source {
  /** None where nobody gave it. */
  readonly find: (place: Place) => Effect.Effect<Option.Option<Setting<unknown>>, ConfigError.ConfigError>
  /** The same where somebody must give it. */
  readonly require: (place: Place) => Effect.Effect<Setting<unknown>, ConfigError.ConfigError>
}

const make = (find: Source["find"], missing: (place: Place) => ConfigError.ConfigError): Source => ({
  find,
  require: (place) =>
    Effect.flatMap(
      find(place),
      Option.match({
        onNone: () => Effect.fail(missing(place)),
        onSome: Effect.succeed
      })
    )
})

const nameOfOption = ({ option }: Place): string => `options.${option}`

const findInCode: Source["find"] = (place) =>
  Effect.succeed(
    place.given === undefined ? Option.none() : Option.some({ origin: nameOfOption(place), value: place.given })
  )

/**
 * Options alone.
 *
 * @since 0.1.0
 * @category constructors
 */
export const code: Source = make(findInCode, (place) =>
  ConfigError.MissingData(nameOfOption(place).split("."), "is not set")
)

/**
 * Options, and for those that are not given the environment. Its variables are trimmed, and read as secrets, because
 * `Config` prints what it refuses.
 *
 * @since 0.1.0
 * @category constructors
 */
export const environment: Source = make(
  (place) => (place.given === undefined ? Config.option(firstOf(place.variables)) : findInCode(place)),
  ({ variables: [first, ...others] }) =>
    ConfigError.MissingData([first], ["is not set", ...others].join(", and neither is "))
)

const firstOf = ([variable, ...others]: Place["variables"]): Config.Config<Setting<unknown>> =>
  others.reduce(
    (first, other) => Config.orElseIf(first, { if: ConfigError.isMissingDataOnly, orElse: () => read(other) }),
    read(variable)
  )

const read = (variable: string): Config.Config<Setting<unknown>> =>
  Config.map(Config.redacted(variable), (value) => ({
    origin: variable,
    value: Redacted.make(Redacted.value(value).trim())
  }))
