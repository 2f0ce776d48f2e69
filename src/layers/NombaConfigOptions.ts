/**
 * `NombaConfig` from options in code, or from `Config`.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { InvalidRequest, type Unavailable } from "../schemas/AuthError.js"
import * as StoreKey from "../schemas/StoreKey.js"
import { NombaConfig, type NombaConfigService } from "../services/NombaConfig.js"
import * as BaseUrl from "./config/BaseUrl.js"
import * as Setting from "./config/Setting.js"

/**
 * The settings of a client, as plain data. A text must be exact: white space around it, control characters, an empty text and
 * a known placeholder (`your_client_id`) are a `ConfigError` that names the setting.
 *
 * @since 0.1.0
 * @category models
 */
export interface Settings {
  /** From the Nomba dashboard. */
  readonly clientId: string
  /** From the Nomba dashboard, which calls it "Private Key". */
  readonly clientSecret: Redacted.Redacted
  /** The UUID of the parent account. The live API requires it on every call. */
  readonly accountId?: string | undefined
  /** Which of Nomba's hosts to use. Default: `sandbox`. */
  readonly environment?: BaseUrl.Environment | undefined
  /** Replaces `environment`: https, or http to a loopback address. A trailing slash and `/v1` are ignored. */
  readonly baseUrl?: string | undefined
  /** How long before its expiry a token is renewed. Default: 5 minutes, capped at 20 % of the lifetime; 0 turns it off. */
  readonly renewAhead?: Duration.DurationInput | undefined
  /** Timeout of one token request. Default: 10 s, maximum 12 s. */
  readonly requestTimeout?: Duration.DurationInput | undefined
  /**
   * Whether to revoke the session when the last layer of this client closes. Default: `false`. With a token store that other
   * processes share it is a `ConfigError`.
   */
  readonly revokeOnClose?: boolean | undefined
}

/**
 * The settings of a public client. It has no secret: its end users log in.
 *
 * @since 0.1.0
 * @category models
 */
export interface PublicSettings extends Omit<Settings, "clientSecret"> {
  /** Whose session it is: your own id of the end user or the installation. Each subject has its own session. */
  readonly subject: string
}

interface Transform {
  /**
   * Changes the `HttpClient` under the token requests and under `NombaClient`. It sees the headers with their secrets. Neither
   * it nor the client below may follow redirects or retry a token request (`HttpClient.retryTransient`): a client of
   * `@effect/platform` that does is stopped, and another one may leak the credentials or spend a refresh token twice.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
}

/**
 * A secret that is read at each issue, so that you can rotate it without a restart.
 *
 * @since 0.1.0
 * @category models
 */
export type SecretSource = Effect.Effect<Redacted.Redacted, Unavailable>

/**
 * The options of `Nomba.layer`: every setting in code.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Omit<Settings, "clientSecret">, Transform {
  /** From the Nomba dashboard, which calls it "Private Key". An effect is run at each issue. */
  readonly clientSecret: Redacted.Redacted | SecretSource
}

/**
 * The options of `Nomba.layerConfig`: what a `Config` cannot contain.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigOptions extends Transform {
  /** Replaces the setting `clientSecret`, which is then not read. */
  readonly clientSecret?: SecretSource | undefined
}

/**
 * The options of `Nomba.layerPublic`: every setting of a public client in code.
 *
 * @since 0.1.0
 * @category models
 */
export interface PublicOptions extends PublicSettings, Transform {}

/**
 * The options of `Nomba.layerPublicConfig`: what a `Config` cannot contain.
 *
 * @since 0.1.0
 * @category models
 */
export interface PublicConfigOptions extends Transform, Pick<PublicSettings, "subject"> {}

const text = (name: string): Config.Config<string> => Config.map(Setting.variable(name), Redacted.value)

const optional = <A>(config: Config.Config<A>): Config.Config<A | undefined> => Config.withDefault(config, undefined)

/**
 * The settings of a public client from `NOMBA_CLIENT_ID`, `NOMBA_ACCOUNT_ID`, and `NOMBA_BASE_URL` or `NOMBA_ENVIRONMENT`.
 * Spread it to replace some of them. Values are trimmed.
 *
 * @since 0.1.0
 * @category config
 */
export const defaultPublicConfig: {
  readonly clientId: Config.Config<string>
  readonly accountId: Config.Config<string | undefined>
  readonly environment: Config.Config<BaseUrl.Environment | undefined>
  readonly baseUrl: Config.Config<string | undefined>
} = {
  clientId: text("NOMBA_CLIENT_ID"),
  accountId: optional(text("NOMBA_ACCOUNT_ID")),
  // Whether it is one of the two is checked with all other settings.
  environment: optional(text("NOMBA_ENVIRONMENT") as Config.Config<BaseUrl.Environment>),
  baseUrl: optional(text("NOMBA_BASE_URL"))
}

/**
 * The settings of a client: those of `defaultPublicConfig`, and the secret from `NOMBA_CLIENT_SECRET` or `NOMBA_PRIVATE_KEY`.
 *
 * @since 0.1.0
 * @category config
 */
export const defaultConfig: typeof defaultPublicConfig & {
  readonly clientSecret: Config.Config<Redacted.Redacted>
} = {
  ...defaultPublicConfig,
  clientSecret: Setting.variable("NOMBA_CLIENT_SECRET", "NOMBA_PRIVATE_KEY")
}

/**
 * Checks settings that are given in code. Fails with a `ConfigError` that lists every problem.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<NombaConfigService, ConfigError.ConfigError> =>
  fromOptions(options, confidential)

/**
 * Checks the settings of a public client that are given in code.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makePublic = (options: PublicOptions): Effect.Effect<NombaConfigService, ConfigError.ConfigError> =>
  fromOptions(options, publicClient)

/**
 * Reads each setting from its `Config`, by default from the environment, and checks them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeConfig = (
  config: Config.Config.Wrap<Settings> = defaultConfig,
  options: ConfigOptions = {}
): Effect.Effect<NombaConfigService, ConfigError.ConfigError> => fromConfig(config, options, confidential)

/**
 * Reads the settings of a public client from their `Config`, by default from the environment, and checks them.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makePublicConfig = (
  config: Config.Config.Wrap<Omit<PublicSettings, "subject">> = defaultPublicConfig,
  options: PublicConfigOptions
): Effect.Effect<NombaConfigService, ConfigError.ConfigError> => fromConfig(config, options, publicClient)

/**
 * The given options, and `defaultConfig` for those that are not given.
 *
 * @internal
 */
export const makeWithDefaults = (
  options: Partial<Options>
): Effect.Effect<NombaConfigService, ConfigError.ConfigError> =>
  validate(Setting.codeOver(defaultConfig), options, options, confidential)

/**
 * The settings of a client as a layer, all in code.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<NombaConfig, ConfigError.ConfigError> =>
  Layer.effect(NombaConfig, make(options))

/**
 * The settings of a client as a layer, by default from the environment.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  config?: Config.Config.Wrap<Settings>,
  options?: ConfigOptions
): Layer.Layer<NombaConfig, ConfigError.ConfigError> => Layer.effect(NombaConfig, makeConfig(config, options))

/**
 * The settings of a public client as a layer, all in code.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPublic = (options: PublicOptions): Layer.Layer<NombaConfig, ConfigError.ConfigError> =>
  Layer.effect(NombaConfig, makePublic(options))

/**
 * The settings of a public client as a layer, by default from the environment.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPublicConfig = (
  config: Config.Config.Wrap<Omit<PublicSettings, "subject">> | undefined,
  options: PublicConfigOptions
): Layer.Layer<NombaConfig, ConfigError.ConfigError> => Layer.effect(NombaConfig, makePublicConfig(config, options))

type Untyped = { readonly [Option in string]?: unknown }

/** What differs between a client with a secret and a public one (RFC 6749 section 2.1). */
interface Kind {
  readonly grant: "client_credentials" | "authorization_code"
  readonly clientSecret: (
    source: Setting.Source,
    options: Untyped
  ) => Setting.Checked<NombaConfigService["clientSecret"]>
  readonly subject: (options: Untyped) => Effect.Effect<string, ConfigError.ConfigError>
}

const confidential: Kind = {
  grant: "client_credentials",
  clientSecret: (source, { clientSecret: given }) =>
    Effect.gen(function* () {
      if (Effect.isEffect(given)) {
        return { origin: "options.clientSecret", value: given as SecretSource }
      }
      const found = yield* source.require(
        { option: "clientSecret", given, variables: ["NOMBA_CLIENT_SECRET", "NOMBA_PRIVATE_KEY"] },
        ': copy it from the Nomba dashboard, which calls it "Private Key"'
      )
      const { origin, value } = yield* Setting.secret(found)
      return { origin, value: Effect.succeed(value) }
    }),
  subject: () => Effect.succeed("")
}

const publicClient: Kind = {
  grant: "authorization_code",
  clientSecret: () => Effect.succeed({ origin: "a public client has none", value: noSecret }),
  subject: ({ subject }) =>
    Effect.map(Setting.text({ origin: "options.subject", value: subject, isRequired: true }), ({ value }) => value)
}

const noSecret = new InvalidRequest({
  operation: "issue",
  errors: ["clientSecret: a public client has none, and starts its sessions with PublicLogin"]
})

const fromOptions = (options: unknown, kind: Kind): Effect.Effect<NombaConfigService, ConfigError.ConfigError> =>
  Predicate.isRecord(options)
    ? validate(Setting.code, options, options, kind)
    : Setting.invalid("options", "must be an object")

const fromConfig = (
  config: unknown,
  options: unknown,
  kind: Kind
): Effect.Effect<NombaConfigService, ConfigError.ConfigError> =>
  Effect.gen(function* () {
    if (!Predicate.isRecord(options)) return yield* Setting.invalid("options", "must be an object")
    if (Config.isConfig(config)) {
      const settings = yield* config
      return yield* fromOptions({ ...(Predicate.isRecord(settings) ? settings : {}), ...options }, kind)
    }
    if (!Predicate.isRecord(config))
      return yield* Setting.invalid("config", "must be an object with a Config for each setting")
    return yield* validate(Setting.configs(config), {}, options, kind)
  })

const validate = (
  source: Setting.Source,
  given: Untyped,
  options: Untyped,
  kind: Kind
): Effect.Effect<NombaConfigService, ConfigError.ConfigError> =>
  Effect.gen(function* () {
    const {
      accountId,
      baseUrl,
      clientId,
      clientSecret,
      renewAhead,
      requestTimeout,
      revokeOnClose,
      subject,
      transformClient
    } = yield* Effect.all(
      {
        clientId: Effect.flatMap(
          source.require(
            { option: "clientId", given: given["clientId"], variables: ["NOMBA_CLIENT_ID"] },
            ": copy it from the Nomba dashboard"
          ),
          Setting.text
        ),
        clientSecret: kind.clientSecret(source, options),
        subject: kind.subject(options),
        accountId: optionally(source, "accountId", given, Setting.header),
        baseUrl: BaseUrl.choose(source, given),
        renewAhead: Effect.flatMap(withDefault(source, "renewAhead", given, "5 minutes"), (setting) =>
          Setting.duration(setting, { minimum: 0, maximum: "1 day" })
        ),
        requestTimeout: Effect.flatMap(withDefault(source, "requestTimeout", given, "10 seconds"), (setting) =>
          Setting.duration(setting, { minimum: 1, maximum: "12 seconds" })
        ),
        revokeOnClose: Effect.flatMap(withDefault(source, "revokeOnClose", given, false), ({ origin, value }) =>
          typeof value === "boolean" ? Effect.succeed(value) : Setting.invalid(origin, "must be true or false")
        ),
        transformClient: checkTransform(options["transformClient"])
      },
      { mode: "validate" }
    ).pipe(Effect.mapError(Setting.report))
    return NombaConfig.of({
      baseUrl: baseUrl.value,
      clientId: clientId.value,
      clientSecret: clientSecret.value,
      accountId: Option.map(accountId, ({ value }) => value),
      renewAhead,
      requestTimeout,
      revokeOnClose,
      storeKey: StoreKey.make({ baseUrl: baseUrl.value, clientId: clientId.value, grant: kind.grant, subject }),
      origins: {
        clientId: clientId.origin,
        clientSecret: clientSecret.origin,
        accountId: Option.match(accountId, { onNone: () => "not set", onSome: ({ origin }) => origin }),
        environment: `${baseUrl.value} ${baseUrl.origin}`
      },
      transformClient
    })
  })

const optionally = <A>(
  source: Setting.Source,
  option: string,
  given: Untyped,
  check: (setting: Setting.Setting<unknown>) => Effect.Effect<A, ConfigError.ConfigError>
): Effect.Effect<Option.Option<A>, ConfigError.ConfigError> =>
  Effect.flatMap(source.find({ option, given: given[option] }), (found) =>
    Effect.transposeOption(Option.map(found, check))
  )

const withDefault = (
  source: Setting.Source,
  option: string,
  given: Untyped,
  standard: unknown
): Effect.Effect<Setting.Setting<unknown>, ConfigError.ConfigError> =>
  Effect.map(
    source.find({ option, given: given[option] }),
    Option.getOrElse((): Setting.Setting<unknown> => ({ origin: `options.${option}`, value: standard }))
  )

const checkTransform = (
  given: unknown
): Effect.Effect<NombaConfigService["transformClient"], ConfigError.ConfigError> => {
  if (given === undefined) return Effect.succeed(identity)
  return Predicate.isFunction(given)
    ? Effect.succeed(given as NombaConfigService["transformClient"])
    : Setting.invalid("options.transformClient", "must be a function from HttpClient to HttpClient")
}
