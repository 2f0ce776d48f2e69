/**
 * The whole client: one session with Nomba that is kept valid, and an `HttpClient` that uses it.
 *
 * Each call of a layer function makes a new client, so bind the layer to a `const`. Clients with the same credentials share
 * their session through the token store that you provide.
 *
 * The `HttpClient` that you provide must neither retry nor follow redirects: see `transformClient`.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { NombaAuth } from "../services/NombaAuth.js"
import type { NombaClient } from "../services/NombaClient.js"
import type { NombaConfigService } from "../services/NombaConfig.js"
import type { PublicLogin } from "../services/PublicLogin.js"
import type { TokenCache } from "../services/TokenCache.js"
import { TokenStore } from "../services/TokenStore.js"
import { composeClient } from "./composeClient.js"
import * as Setting from "./config/Setting.js"
import * as StoreChoice from "./config/StoreChoice.js"
import * as NombaConfigOptions from "./NombaConfigOptions.js"
import * as TokenCacheRef from "./TokenCacheRef.js"

/**
 * The settings of a client, as plain data.
 *
 * @since 0.1.0
 * @category models
 */
export type Settings = NombaConfigOptions.Settings

/**
 * The settings of a public client, as plain data.
 *
 * @since 0.1.0
 * @category models
 */
export type PublicSettings = NombaConfigOptions.PublicSettings

/**
 * The options of `layer`: the settings, `transformClient`, and a secret that may be read at each issue.
 *
 * @since 0.1.0
 * @category models
 */
export type Options = NombaConfigOptions.Options

/**
 * The options of `layerConfig`: `transformClient`, and a secret that is read at each issue.
 *
 * @since 0.1.0
 * @category models
 */
export type ConfigOptions = NombaConfigOptions.ConfigOptions

/**
 * The options of `layerPublic`: the settings of a public client, and `transformClient`.
 *
 * @since 0.1.0
 * @category models
 */
export type PublicOptions = NombaConfigOptions.PublicOptions

/**
 * The options of `layerPublicConfig`: the subject and `transformClient`.
 *
 * @since 0.1.0
 * @category models
 */
export type PublicConfigOptions = NombaConfigOptions.PublicConfigOptions

/**
 * The services that the layers provide.
 *
 * @since 0.1.0
 * @category models
 */
export type Services = NombaAuth | TokenCache | NombaClient

/**
 * The services that the layers of a public client provide.
 *
 * @since 0.1.0
 * @category models
 */
export type PublicServices = Services | PublicLogin

/**
 * Reads `NOMBA_CLIENT_ID`, `NOMBA_CLIENT_SECRET` (or `NOMBA_PRIVATE_KEY`), `NOMBA_ACCOUNT_ID`, and `NOMBA_BASE_URL` (or
 * `NOMBA_ENVIRONMENT`, by default the sandbox). Spread it to replace some of them.
 *
 * @since 0.1.0
 * @category config
 */
export const defaultConfig: typeof NombaConfigOptions.defaultConfig = NombaConfigOptions.defaultConfig

/**
 * Reads the variables of `defaultConfig`, without the secret.
 *
 * @since 0.1.0
 * @category config
 */
export const defaultPublicConfig: typeof NombaConfigOptions.defaultPublicConfig = NombaConfigOptions.defaultPublicConfig

/**
 * A client that is configured in code. It reads no environment variable.
 *
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer, Redacted } from "effect"
 * import { Nomba, TokenStoreMemory } from "nomba-auth"
 *
 * export const NombaLive = Nomba.layer({
 *   clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33",
 *   clientSecret: Redacted.make("…"),
 *   accountId: "f666ef9b-888e-4799-85ce-acb505b28023",
 *   environment: "production"
 * }).pipe(Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<Services, ConfigError.ConfigError, HttpClient.HttpClient | TokenStore> =>
  compose(NombaConfigOptions.make(options))

/**
 * A client that is configured by `Config`, by default by the environment variables `NOMBA_*`. `NOMBA_TOKEN_STORE` must be
 * absent or `memory` if you provide `TokenStoreMemory.layer`.
 *
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Config, Layer } from "effect"
 * import { Nomba, TokenStoreMemory } from "nomba-auth"
 *
 * export const NombaLive = Nomba.layerConfig({
 *   ...Nomba.defaultConfig,
 *   clientId: Config.string("SHOP_NOMBA_ID"),
 *   requestTimeout: Config.succeed("5 seconds")
 * }).pipe(Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  config: Config.Config.Wrap<Settings> = defaultConfig,
  options: ConfigOptions = {}
): Layer.Layer<Services, ConfigError.ConfigError, HttpClient.HttpClient | TokenStore> =>
  compose(fromEnvironment(NombaConfigOptions.makeConfig(config, options)))

/**
 * A public client, which has no secret: an end user logs in (`Pkce`, `NombaAuth.exchange`, `PublicLogin.login`). It is for one
 * end user or installation, the `subject`. Before the login, and after Nomba refuses to renew the session, everything that
 * needs a token fails with `Expired`. `NombaAuth.issue` always fails with `InvalidRequest`.
 *
 * Nomba has not released PKCE yet.
 *
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { Nomba, TokenStoreMemory } from "nomba-auth"
 *
 * export const NombaOf = (userId: string) =>
 *   Nomba.layerPublic({
 *     clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33",
 *     subject: userId,
 *     environment: "production"
 *   }).pipe(Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPublic = (
  options: PublicOptions
): Layer.Layer<PublicServices, ConfigError.ConfigError, HttpClient.HttpClient | TokenStore> =>
  composePublic(NombaConfigOptions.makePublic(options))

/**
 * A public client that is configured by `Config`. The subject is in the options, because no variable holds it.
 *
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { Nomba, TokenStoreMemory } from "nomba-auth"
 *
 * export const NombaLive = Nomba.layerPublicConfig(Nomba.defaultPublicConfig, { subject: "this machine" }).pipe(
 *   Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer])
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPublicConfig = (
  config: Config.Config.Wrap<Omit<PublicSettings, "subject">> = defaultPublicConfig,
  options: PublicConfigOptions
): Layer.Layer<PublicServices, ConfigError.ConfigError, HttpClient.HttpClient | TokenStore> =>
  composePublic(fromEnvironment(NombaConfigOptions.makePublicConfig(config, options)))

type MakeConfig<R> = Effect.Effect<NombaConfigService, ConfigError.ConfigError, R>

/** A process with a private session would end the session of the fleet that `NOMBA_TOKEN_STORE` was set for. */
const fromEnvironment = (config: MakeConfig<never>): MakeConfig<TokenStore> =>
  Effect.gen(function* () {
    const { isShared } = yield* TokenStore
    const store = isShared ? Effect.succeedNone : StoreChoice.storeSetting("memory")
    const checked = yield* Effect.all({ config, store }, { mode: "validate" }).pipe(Effect.mapError(Setting.report))
    return checked.config
  })

const refuseSharedRevoke = (config: NombaConfigService): MakeConfig<TokenStore> =>
  Effect.gen(function* () {
    const { isShared } = yield* TokenStore
    return config.revokeOnClose && isShared
      ? yield* Setting.invalid(
          "revokeOnClose",
          "would end the session of the processes that share this token store: leave it out, or provide TokenStoreMemory.layer"
        )
      : config
  })

const compose = (config: MakeConfig<TokenStore>) =>
  Layer.scopedContext(composeClient(TokenCacheRef.services, Effect.flatMap(config, refuseSharedRevoke)))

const composePublic = (config: MakeConfig<TokenStore>) =>
  Layer.scopedContext(composeClient(TokenCacheRef.publicServices, Effect.flatMap(config, refuseSharedRevoke)))
