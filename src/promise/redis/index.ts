/**
 * `nomba-auth/promise/redis`: one session for all your servers, kept in Redis or Valkey. It needs the package `ioredis`
 * (`npm install ioredis@5`).
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"
import * as SessionCodec from "../../layers/SessionCodec.js"
import type { RedisClient } from "../../layers/store/redis/RedisClient.js"
import * as TokenStoreRedis from "../../layers/TokenStoreRedis.js"
import * as NombaStore from "../NombaStore.js"
import { type Duration, type Known, numberOrText, unknownOptions } from "../options.js"

/**
 * One key of AES-256. The first key of the list encrypts, and all of them decrypt.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoreEncryptionKey {
  /** Stored beside what the key encrypts, for instance a date. */
  readonly id: string
  /** 32 random bytes in base64, as `openssl rand -base64 32` prints them. */
  readonly key: string
}

/**
 * The options of `redisStore`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisStoreOptions {
  /**
   * Encrypts the sessions in Redis. Default: the keys of `NOMBA_TOKEN_STORE_KEYS` (`id:key,id:key`). Without any key the
   * sessions are in plaintext; the library then warns once if Redis is on another host.
   */
  readonly keys?: ReadonlyArray<StoreEncryptionKey> | undefined
  /** Timeout of one command. Default: 1 second, maximum 2 seconds. */
  readonly commandTimeout?: Duration | undefined
}

/**
 * Keeps the session in Redis, so that all processes use the same one and only one of them renews it.
 *
 * Give it a URL, or a client of ioredis that you have already: that one stays yours, and is neither configured nor closed.
 * Default: the URL in `NOMBA_TOKEN_STORE`. It connects when it is first used.
 *
 * ```ts
 * import { createNomba } from "nomba-auth/promise"
 * import { redisStore } from "nomba-auth/promise/redis"
 *
 * export const nomba = createNomba({ tokenStore: redisStore("rediss://nomba-auth:…@redis.internal:6379") })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const redisStore = (
  where?: string | URL | RedisClient,
  options: RedisStoreOptions = {}
): NombaStore.NombaStore => {
  const commandTimeout = numberOrText(options?.commandTimeout)
  const codec = NombaStore.codecOf(options?.keys)
  const isUrl = typeof where === "string" || where instanceof URL
  return NombaStore.make({
    kind: "redis",
    isFromEnvironment: where === undefined,
    problems: unknownOptions("redisStore", options, known),
    layer:
      isUrl || where === undefined
        ? TokenStoreRedis.layerConfig({
            ...(isUrl ? { url: Redacted.make(String(where)) } : {}),
            commandTimeout,
            codec
          })
        : TokenStoreRedis.layerFromClient({ client: where, commandTimeout, codec: codec ?? SessionCodec.config })
  })
}

const known: Known<RedisStoreOptions> = { keys: 0, commandTimeout: 0 }

export type { RedisClient, RedisSubscriber } from "../../layers/store/redis/RedisClient.js"
export type { NombaStore } from "../NombaStore.js"
