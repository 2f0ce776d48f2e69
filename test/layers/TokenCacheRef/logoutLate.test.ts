import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import type { TokenStoreService } from "../../../src/services/TokenStore.js"
import { getText, makeCache, makeUpstream } from "../../support/upstream.js"

/** A store whose answer to a renewal is on its way while others go on, and whose announcements are lost. */
const slowToAnswer = (arrived: Deferred.Deferred<void>, gate: Deferred.Deferred<void>): TokenStoreService => ({
  open: (key, requestTimeout) =>
    Effect.map(TokenStoreMemory.make.open(key, requestTimeout), (store) => ({
      ...store,
      changes: Effect.succeed(Stream.never),
      renew: (adoptable, mint) =>
        store
          .renew(adoptable, mint)
          .pipe(Effect.tap(() => Effect.zipRight(Deferred.succeed(arrived, undefined), Deferred.await(gate))))
    }))
})

describe("a logout is broken if", () => {
  it.scoped("a renewal that was stored before it puts its dead session back after it", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream, store: slowToAnswer(arrived, gate) })
      const caller = yield* Effect.fork(getText(cache))
      yield* Deferred.await(arrived)
      yield* cache.logout
      assert.isUndefined(upstream.alive())
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(caller), upstream.alive())
    })
  )
})
