/**
 * A double of `TokenStore`: in memory, and down while a test says so.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as TokenStoreMemory from "../layers/TokenStoreMemory.js"
import { Unavailable } from "../schemas/AuthError.js"
import { type SessionStore, TokenStore } from "../services/TokenStore.js"

/**
 * Switches the outage of the store on and off.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenStoreTestService {
  /** From now on every step of the store that can fail does, with `Unavailable`, and is not carried out. */
  readonly fail: Effect.Effect<void>
  /** The outage is over; what was held before it is held still. */
  readonly recover: Effect.Effect<void>
}

const outage = new Unavailable({ operation: "store", reason: "Store", detail: "ECONNREFUSED" })

/**
 * The switch of the outage, and the layer that provides it beside the store.
 *
 * @since 0.1.0
 * @category services
 */
export class TokenStoreTest extends Context.Tag("nomba-auth/testing/TokenStoreTest")<
  TokenStoreTest,
  TokenStoreTestService
>() {
  /**
   * @since 0.1.0
   */
  static readonly layer: Layer.Layer<TokenStoreTest | TokenStore> = Layer.effectContext(
    Effect.map(Ref.make(false), (isOut) => {
      const unlessOut = <A, E>(step: Effect.Effect<A, E>): Effect.Effect<A, E | Unavailable> =>
        Effect.flatMap(Ref.get(isOut), (out): Effect.Effect<A, E | Unavailable> => (out ? outage : step))
      const guard = (store: SessionStore): SessionStore => ({
        ...store,
        readVersioned: unlessOut(store.readVersioned),
        renew: (options) => unlessOut(store.renew(options)),
        save: (unsaved) => unlessOut(store.save(unsaved)),
        restore: (live) => unlessOut(store.restore(live)),
        logout: (revoke) => unlessOut(store.logout(revoke))
      })
      return Context.make(TokenStore, {
        isShared: true,
        open: (key, requestTimeout, memory) =>
          Effect.map(TokenStoreMemory.make.open(key, requestTimeout, memory), guard)
      }).pipe(Context.add(TokenStoreTest, { fail: Ref.set(isOut, true), recover: Ref.set(isOut, false) }))
    })
  )
}
