/**
 * A token store for a fleet, on the Redis or Valkey that it already runs: one session for all processes, renewed by one
 * of them at a time.
 *
 * Needs Redis 6 or later, alone, with replicas or as a cluster, and the package `ioredis`, 5 or 6. See `docs/fleet.md`
 * for what it holds, the rights that it needs and what happens in an outage.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { TokenStore, type TokenStoreService } from "../services/TokenStore.js"
import * as BaseUrl from "./config/BaseUrl.js"
import * as Setting from "./config/Setting.js"
import { only } from "./config/StoreChoice.js"
import * as SessionCodec from "./SessionCodec.js"
import * as Driver from "./store/redis/Driver.js"
import type { RedisClient } from "./store/redis/RedisClient.js"
import * as RedisConnection from "./store/redis/RedisConnection.js"
import * as SessionStore from "./store/SessionStore.js"

/**
 * @since 0.1.0
 * @category models
 */
export type { RedisClient, RedisSubscriber } from "./store/redis/RedisClient.js"

interface Common {
  /** How sessions are kept: `SessionCodec.encrypted(keys)`, or `SessionCodec.plain` where nobody else reads this Redis. */
  readonly codec: SessionCodec.Input
  /** How long one command may take; 1 second by default, at most 2. */
  readonly commandTimeout?: Duration.DurationInput | undefined
}

/**
 * A connection of the store's own.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Common {
  /** `redis://user:password@host:port/database`, or `rediss://` for TLS. */
  readonly url: Redacted.Redacted
}

/**
 * What may be said in code where the URL comes from the environment. Sessions are encrypted where
 * `NOMBA_TOKEN_STORE_KEYS` is set, else in clear, unless a codec is given; in clear to another host is warned of once.
 *
 * @since 0.1.0
 * @category models
 */
export type Overrides = { readonly [Name in keyof Options]?: Options[Name] | undefined }

/**
 * A connection that the program has already.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientOptions extends Common {
  /**
   * `Redis` or `Cluster` of ioredis. It stays yours: it is neither configured nor closed, and what it reports to its
   * `error` listeners is yours to hear. Each command is timed out by the store. One connection is added to it, by
   * `duplicate`, for announcements.
   */
  readonly client: RedisClient
}

/**
 * Fails with a `ConfigError` where the URL or another option is wrong; connects only when it is first used.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<TokenStoreService, ConfigError.ConfigError, Scope.Scope> =>
  Effect.flatMap(settleAll(options, Setting.code), open)

/**
 * The same, with the URL from `NOMBA_TOKEN_STORE`. Warns once where sessions go to another host in clear and the code did
 * not ask for that.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeConfig = (
  overrides: Overrides = {}
): Effect.Effect<TokenStoreService, ConfigError.ConfigError, Scope.Scope> =>
  settleAll({ ...overrides, codec: overrides.codec ?? SessionCodec.config }, Setting.environment).pipe(
    Effect.tap((settled) => (overrides.codec === undefined ? warnOfClear(settled) : Effect.void)),
    Effect.flatMap(open)
  )

/**
 * The same, over a connection that the program has already.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeFromClient = ({
  client,
  ...common
}: ClientOptions): Effect.Effect<TokenStoreService, ConfigError.ConfigError, Scope.Scope> =>
  Effect.flatMap(settle(common), (settings) => build(RedisConnection.fromClient(client), settings))

/**
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer, Redacted } from "effect"
 * import { Nomba, SessionCodec } from "nomba-auth"
 * import { TokenStoreRedis } from "nomba-auth/redis"
 *
 * const Store = TokenStoreRedis.layer({
 *   url: Redacted.make("rediss://nomba-auth:…@redis.internal:6379"),
 *   codec: SessionCodec.encrypted([{ id: "2026-11", key: Redacted.make("…") }])
 * })
 *
 * const NombaLive = Nomba.layerConfig().pipe(
 *   Layer.provide(Store),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<TokenStore, ConfigError.ConfigError> =>
  Layer.scoped(TokenStore, make(options))

/**
 * Configured by the environment: `NOMBA_TOKEN_STORE=rediss://…`, and `NOMBA_TOKEN_STORE_KEYS` to encrypt the sessions.
 * Fails with a `ConfigError` where `NOMBA_TOKEN_STORE` asks for another store, and says who brings that.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (overrides?: Overrides): Layer.Layer<TokenStore, ConfigError.ConfigError> =>
  Layer.scoped(TokenStore, makeConfig(overrides))

/**
 * Over a connection that the program has already.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFromClient = (options: ClientOptions): Layer.Layer<TokenStore, ConfigError.ConfigError> =>
  Layer.scoped(TokenStore, makeFromClient(options))

const settle = ({
  codec,
  commandTimeout = "1 second"
}: Common): Effect.Effect<Driver.Settings, ConfigError.ConfigError> =>
  Effect.all({
    codec: SessionCodec.fromInput(codec),
    commandTimeout: Setting.duration(
      { origin: "options.commandTimeout", value: commandTimeout },
      { minimum: 1, maximum: "2 seconds" }
    )
  })

/** A Redis URL holds a password: what is wrong with it is said without quoting it. */
const checkUrl = (setting: Setting.Setting<Redacted.Redacted<string>>) =>
  Effect.gen(function* () {
    const { origin, value } = { ...setting, value: Redacted.value(setting.value) }
    yield* only("redis", { origin, value })
    if (!URL.canParse(value) || !/^rediss?:\/\//.test(value)) {
      return yield* Setting.invalid(origin, "is not a URL like redis://host:6379")
    }
    if (!/^\/?\d*$/.test(new URL(value).pathname)) {
      return yield* Setting.invalid(origin, "names a database that is not a number")
    }
    return setting.value
  })

interface Settled {
  readonly url: Redacted.Redacted<string>
  readonly settings: Driver.Settings
}

const settleAll = (
  options: Overrides & Common,
  source: Setting.Source
): Effect.Effect<Settled, ConfigError.ConfigError> =>
  Effect.gen(function* () {
    const url = yield* source
      .require({ option: "url", given: options.url, variables: ["NOMBA_TOKEN_STORE"] })
      .pipe(Effect.flatMap(Setting.secret), Effect.flatMap(checkUrl))
    return { url, settings: yield* settle(options) }
  })

const warnOfClear = ({ settings, url }: Settled): Effect.Effect<void> =>
  settings.codec !== SessionCodec.plain || BaseUrl.isLoopback(new URL(Redacted.value(url)).hostname)
    ? Effect.void
    : Effect.logWarning(
        "Sessions go to Redis in clear, tokens included. Set NOMBA_TOKEN_STORE_KEYS to encrypt them; where nobody else reads this Redis, say so with `codec: SessionCodec.plain`."
      )

const open = ({ settings, url }: Settled): Effect.Effect<TokenStoreService, never, Scope.Scope> =>
  Effect.flatMap(RedisConnection.fromUrl(url), (connection) => build(connection, settings))

const build = (
  connection: RedisConnection.RedisConnection,
  settings: Driver.Settings
): Effect.Effect<TokenStoreService, never, Scope.Scope> =>
  Effect.map(Driver.make(connection, settings), (connect) => SessionStore.fromDriver(connect))
