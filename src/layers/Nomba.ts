/**
 * The whole client: a session with Nomba, kept valid, and an `HttpClient` that uses it.
 *
 * Each call of a layer function makes a client of its own: bind the layer to a `const`. Clients with the same credentials
 * share their session.
 *
 * The `HttpClient` that they require must neither retry nor follow redirects: see `transformClient`.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { NombaAuth } from "../services/NombaAuth.js"
import type { NombaClient } from "../services/NombaClient.js"
import { NombaConfig, type NombaConfigService } from "../services/NombaConfig.js"
import type { PublicLogin } from "../services/PublicLogin.js"

import type { TokenCache } from "../services/TokenCache.js"
import type { TokenStore } from "../services/TokenStore.js"
import * as Setting from "./config/Setting.js"
import { storeSetting } from "./config/storeSetting.js"
import * as NombaAuthHttp from "./NombaAuthHttp.js"
import * as NombaClientHttp from "./NombaClientHttp.js"
import * as NombaConfigOptions from "./NombaConfigOptions.js"

import * as TokenCacheRef from "./TokenCacheRef.js"
import * as TokenStoreMemory from "./TokenStoreMemory.js"

/**
 * @since 0.1.0
 * @category models
 */
export type Options = NombaConfigOptions.Options

/**
 * Options that take the place of what the environment says.
 *
 * @since 0.1.0
 * @category models
 */
export type Overrides = NombaConfigOptions.Overrides

/**
 * What a program says about a public client.
 *
 * @since 0.1.0
 * @category models
 */
export type PublicOptions = NombaConfigOptions.PublicOptions

/**
 * Options of a public client that take the place of what the environment says.
 *
 * @since 0.1.0
 * @category models
 */
export type PublicOverrides = NombaConfigOptions.PublicOverrides

/**
 * What the layers give.
 *
 * @since 0.1.0
 * @category models
 */
export type Services = NombaAuth | TokenCache | NombaClient

/**
 * What the layers of a public client give.
 *
 * @since 0.1.0
 * @category models
 */
export type PublicServices = Services | PublicLogin

/**
 * Configured in code, with the session kept in this process.
 *
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer, Redacted } from "effect"
 * import { Nomba } from "nomba-auth"
 *
 * const NombaLive = Nomba.layer({
 *   clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33",
 *   clientSecret: Redacted.make("…"),
 *   accountId: "f666ef9b-888e-4799-85ce-acb505b28023",
 *   environment: "production"
 * }).pipe(Layer.provide(FetchHttpClient.layer))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Services, ConfigError.ConfigError, HttpClient.HttpClient> =>
  compose(NombaConfigOptions.layer(options)).pipe(Layer.provide(TokenStoreMemory.layer))

/**
 * Configured by the environment (`NOMBA_CLIENT_ID` and so on), with the session kept in this process. It fails where
 * `NOMBA_TOKEN_STORE` asks for another store.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  overrides?: Overrides
): Layer.Layer<Services, ConfigError.ConfigError, HttpClient.HttpClient> =>
  compose(inMemory(NombaConfigOptions.makeConfig(overrides))).pipe(Layer.provide(TokenStoreMemory.layer))

/**
 * Configured in code, with the session in a `TokenStore` of your own, which other processes may share.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWithoutStore = (
  options: Omit<Options, "revokeOnClose">
): Layer.Layer<Services, ConfigError.ConfigError, HttpClient.HttpClient | TokenStore> =>
  compose(NombaConfigOptions.layer(options))

/**
 * Configured by the environment, with the session in a `TokenStore` of your own. `NOMBA_TOKEN_STORE` is not read.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWithoutStoreConfig = (
  overrides?: Omit<Overrides, "revokeOnClose">
): Layer.Layer<Services, ConfigError.ConfigError, HttpClient.HttpClient | TokenStore> =>
  compose(NombaConfigOptions.layerConfig(overrides))

/**
 * A public client, which has no secret: a person logs in (`Pkce`, `NombaAuth.exchange`, `PublicLogin.login`), and the
 * session is kept in this process. It is for one person or installation, the `subject`; while nobody has logged in, and
 * when Nomba no longer renews the session, what needs a token fails with `Expired`. `NombaAuth.issue` always fails, with
 * `InvalidRequest`. Ahead of the live API.
 *
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { Nomba } from "nomba-auth"
 *
 * const NombaOf = (userId: string) =>
 *   Nomba.layerPublic({
 *     clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33",
 *     subject: userId,
 *     environment: "production"
 *   }).pipe(Layer.provide(FetchHttpClient.layer))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPublic = (
  options: PublicOptions
): Layer.Layer<PublicServices, ConfigError.ConfigError, HttpClient.HttpClient> =>
  composePublic(NombaConfigOptions.layerPublic(options)).pipe(Layer.provide(TokenStoreMemory.layer))

/**
 * A public client configured by the environment, but for its subject, with the session kept in this process. It fails
 * where `NOMBA_TOKEN_STORE` asks for another store. No secret is read.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPublicConfig = (
  overrides: PublicOverrides
): Layer.Layer<PublicServices, ConfigError.ConfigError, HttpClient.HttpClient> =>
  composePublic(inMemory(NombaConfigOptions.makePublicConfig(overrides))).pipe(Layer.provide(TokenStoreMemory.layer))

/**
 * A public client configured in code, with the session in a `TokenStore` of your own: a person who logs in at one process
 * is logged in at all of them.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPublicWithoutStore = (
  options: Omit<PublicOptions, "revokeOnClose">
): Layer.Layer<PublicServices, ConfigError.ConfigError, HttpClient.HttpClient | TokenStore> =>
  composePublic(NombaConfigOptions.layerPublic(options))

/**
 * A public client configured by the environment, with the session in a `TokenStore` of your own. `NOMBA_TOKEN_STORE` is
 * not read.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPublicWithoutStoreConfig = (
  overrides: Omit<PublicOverrides, "revokeOnClose">
): Layer.Layer<PublicServices, ConfigError.ConfigError, HttpClient.HttpClient | TokenStore> =>
  composePublic(NombaConfigOptions.layerPublicConfig(overrides))

const inMemory = (
  config: Effect.Effect<NombaConfigService, ConfigError.ConfigError>
): Layer.Layer<NombaConfig, ConfigError.ConfigError> =>
  Layer.effect(
    NombaConfig,
    Effect.all({ config, store: storeSetting("memory") }, { mode: "validate" }).pipe(
      Effect.mapBoth({ onFailure: Setting.report, onSuccess: ({ config }) => config })
    )
  )

const compose = <E>(config: Layer.Layer<NombaConfig, E>) => composeWith(TokenCacheRef.layer, config)

const composePublic = <E>(config: Layer.Layer<NombaConfig, E>) => composeWith(TokenCacheRef.layerPublic, config)

/**
 * Built on its own, and then once for each value: a layer is shared by its identity, so that the constant ones below
 * would else give every client of a program the first one's configuration.
 */
const composeWith = <Cache, E>(
  cache: Layer.Layer<Cache | TokenCache, never, NombaAuth | NombaConfig | TokenStore>,
  config: Layer.Layer<NombaConfig, E>
): Layer.Layer<Services | Cache, E, HttpClient.HttpClient | TokenStore> =>
  NombaClientHttp.layer.pipe(
    Layer.provideMerge(cache),
    Layer.provideMerge(NombaAuthHttp.layer),
    Layer.provide(config),
    Layer.build,
    Layer.scopedContext
  )
