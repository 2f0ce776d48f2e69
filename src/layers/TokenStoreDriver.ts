/**
 * A token store over your own database: you write its atomic steps, and get the same leases, adoption and fencing as in
 * every other store.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import { TokenStore, type TokenStoreService } from "../services/TokenStore.js"
import * as SessionStore from "./store/SessionStore.js"
import type { Connect } from "./store/StoreDriver.js"

export {
  type Acquired,
  type AcquireOptions,
  type Connect,
  type Entry,
  FAILURE_RETENTION,
  MAX_VERSION,
  type Owner,
  ownerFromText,
  ownerText,
  RETENTION,
  type Reading,
  type ReleaseOutcome,
  type StoreDriver,
  type Write
} from "./store/StoreDriver.js"

/**
 * What the store has to know of its database.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Whether other processes can use the same database. Default: `true`. */
  readonly isShared?: boolean | undefined
}

/**
 * Builds a token store from the steps of any key. Test it with `tokenStoreContract` of `nomba-auth/testing`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: (connect: Connect, options?: Options) => TokenStoreService = SessionStore.fromDriver

/**
 * A token store over the steps of your own database, as a layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (connect: Connect, options?: Options): Layer.Layer<TokenStore> =>
  Layer.succeed(TokenStore, TokenStore.of(make(connect, options)))
