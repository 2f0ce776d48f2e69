/**
 * A token store over a database of your own: you write its few atomic steps, and the protocol of leases, adoption and
 * late writes over them is the same as in every other store.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import { TokenStore, type TokenStoreService } from "../services/TokenStore.js"
import * as SessionStore from "./store/SessionStore.js"
import type { Connect } from "./store/StoreDriver.js"

export type { Connect, Entry, Next, StoreDriver } from "./store/StoreDriver.js"

/**
 * Builds a token store from the steps of any key. Hold it to `tokenStoreContract` of `nomba-auth/testing`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: (connect: Connect) => TokenStoreService = SessionStore.fromDriver

/**
 * The same as a layer, for `Nomba.layerConfig`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (connect: Connect): Layer.Layer<TokenStore> =>
  Layer.succeed(TokenStore, TokenStore.of(make(connect)))
