/**
 * A token store for a fleet in Redis or Valkey: all processes share one session, and one of them at a time renews it.
 *
 * Needs Redis 6 or later, alone, with replicas or as a cluster, and the package `ioredis`, 5 or 6. `docs/fleet.md` says what
 * it stores, which permissions it needs and what happens in an outage.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { TokenStore, type TokenStoreService } from "../services/TokenStore.js"
import * as BaseUrl from "./config/BaseUrl.js"
import * as Setting from "./config/Setting.js"
import { only } from "./config/StoreChoice.js"
import { identityOf, oncePerText } from "./processMemory.js"
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
  /** `SessionCodec.encrypted(keys)`, or `SessionCodec.plain` if only your program can read this Redis. */
  readonly codec: SessionCodec.Input
  /** Timeout of one command. Default: 1 second, maximum 2 seconds. */
  readonly commandTimeout?: Duration.DurationInput | undefined
}

/**
 * Options of a store that opens its own connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Common {
  /** `redis://user:password@host:port/database`, or `rediss://` for TLS. */
  readonly url: Redacted.Redacted
}

/**
 * Options that override the environment. Without a codec, sessions are encrypted if `NOMBA_TOKEN_STORE_KEYS` is set, otherwise
 * plaintext; plaintext to another host is logged as a warning once.
 *
 * @since 0.1.0
 * @category models
 */
export type Overrides = { readonly [Name in keyof Options]?: Options[Name] | undefined }

/**
 * Options of a store over a client of ioredis that you have already.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientOptions extends Common {
  /**
   * `Redis` or `Cluster` of ioredis. The store neither configures nor closes it, adds no `error` listener, and applies its own
   * timeout to each command. It adds one connection for announcements, with `duplicate`.
   */
  readonly client: RedisClient
}

/**
 * A store over a connection of its own, which it makes on first use. Fails with a `ConfigError` if the URL or another option is
 * wrong.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<TokenStoreService, ConfigError.ConfigError, Scope.Scope> =>
  Effect.flatMap(settleAll(options, Setting.code), open)

/**
 * A store whose URL is in `NOMBA_TOKEN_STORE`. Logs one warning if sessions go to another host as plaintext and no codec was
 * given.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeConfig = (
  overrides: Overrides = {}
): Effect.Effect<TokenStoreService, ConfigError.ConfigError, Scope.Scope> =>
  settleAll({ ...overrides, codec: overrides.codec ?? SessionCodec.config }, Setting.environment).pipe(
    Effect.tap((settled) => (overrides.codec === undefined ? warnOfPlaintext(settled) : Effect.void)),
    Effect.flatMap(open)
  )

/**
 * A store over a client of ioredis that you have already. Fails with a `ConfigError` if it is something else.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeFromClient = ({
  client,
  ...common
}: ClientOptions): Effect.Effect<TokenStoreService, ConfigError.ConfigError, Scope.Scope> =>
  Effect.gen(function* () {
    const settings = yield* settle(common)
    if (!isClient(client)) {
      return yield* Setting.invalid(
        "options.client",
        "is not a client of ioredis: pass `new Redis(…)` of that package, or a URL"
      )
    }
    return yield* build(RedisConnection.fromClient(client), settings, identityOf(client))
  })

/** A client of another package would fail at its first command: node-redis takes the arguments of `eval` as one object. */
const isClient = (client: unknown): client is RedisClient =>
  Predicate.hasProperty(client, "options") &&
  Predicate.isRecord(client.options) &&
  Predicate.hasProperty(client, "duplicate") &&
  Predicate.isFunction(client.duplicate) &&
  Predicate.hasProperty(client, "eval") &&
  Predicate.isFunction(client.eval) &&
  !Predicate.hasProperty(client, "isOpen")

/**
 * A store that is configured in code. It reads no `NOMBA_*` variable.
 *
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
 * A store that the environment configures: `NOMBA_TOKEN_STORE=rediss://…`, and `NOMBA_TOKEN_STORE_KEYS` to encrypt the sessions.
 * Fails with a `ConfigError` if `NOMBA_TOKEN_STORE` names another store, and names the layer to provide.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (overrides?: Overrides): Layer.Layer<TokenStore, ConfigError.ConfigError> =>
  Layer.scoped(TokenStore, makeConfig(overrides))

/**
 * A store over a client of ioredis that you have already.
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

/** A Redis URL contains a password, so no message quotes it. */
const checkUrl = (setting: Setting.Setting<Redacted.Redacted<string>>) =>
  Effect.gen(function* () {
    const { origin, value } = { ...setting, value: Redacted.value(setting.value) }
    // Only the variable names stores of every kind.
    if (origin === "NOMBA_TOKEN_STORE") yield* only("redis", { origin, value })
    if (!URL.canParse(value) || !/^rediss?:\/\//.test(value)) {
      return yield* Setting.invalid(origin, "is not a URL like redis://host:6379")
    }
    if (!/^\/?\d*$/.test(new URL(value).pathname)) {
      return yield* Setting.invalid(origin, "names a database that is not a number")
    }
    return setting
  })

interface Settled {
  readonly url: Setting.Setting<Redacted.Redacted<string>>
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

const warnOfPlaintext = ({ settings, url }: Settled): Effect.Effect<void> =>
  settings.codec !== SessionCodec.plain || BaseUrl.isLoopback(new URL(Redacted.value(url.value)).hostname)
    ? Effect.void
    : oncePerServer(
        addressOf(url.value),
        Effect.logWarning(
          "Sessions are stored in Redis as plaintext, tokens included. Set NOMBA_TOKEN_STORE_KEYS to encrypt them."
        )
      )

const oncePerServer = oncePerText("plaintext in Redis")

const open = ({
  settings,
  url: { origin, value: url }
}: Settled): Effect.Effect<TokenStoreService, ConfigError.ConfigError, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* Effect.catchTag(RedisConnection.fromUrl(url), "UnknownException", () =>
      Setting.invalid(origin, "names a Redis store, which needs the package ioredis: npm install ioredis@5")
    )
    return yield* build(connection, settings, identityOf(addressOf(url)))
  })

/** Without the credentials. */
const addressOf = (url: Redacted.Redacted<string>): string => {
  const { host, pathname, protocol } = new URL(Redacted.value(url))
  return `${protocol} ${host} ${pathname}`
}

const build = (
  connection: RedisConnection.RedisConnection,
  settings: Driver.Settings,
  identity: object
): Effect.Effect<TokenStoreService, never, Scope.Scope> =>
  Effect.map(Driver.make(connection, settings), (connect) =>
    SessionStore.fromDriver(connect, { identity, kind: "redis" })
  )
