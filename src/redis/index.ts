/**
 * `nomba-auth/redis`: one session for a whole fleet, over Redis or Valkey.
 *
 * @since 0.1.0
 */
export * as TokenStoreRedis from "../layers/TokenStoreRedis.js"
