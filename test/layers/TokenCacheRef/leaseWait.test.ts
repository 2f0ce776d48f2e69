/** What a caller is told if another process holds the lease for as long as it waits. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import type { TokenStoreService } from "../../../src/services/TokenStore.js"
import { adoptNone, renew } from "../../../src/testing/tokenStore/harness.js"
import { simulated } from "../../support/time.js"
import { makeCache, makeConfig, makeUpstream } from "../../support/upstream.js"

describe("TokenCache.get while another process holds the lease", () => {
  it("fails with Timeout and does not blame a store that answers", () =>
    simulated(
      Effect.gen(function* () {
        const config = makeConfig()
        const other = yield* TokenStoreMemory.make.open(config.storeKey, config.requestTimeout)
        yield* Effect.fork(renew(other, adoptNone, () => Effect.never))
        yield* Effect.sleep("5 seconds")
        const { get } = yield* makeCache({ upstream: makeUpstream(), config })
        const error = yield* Effect.flip(get)
        assert.strictEqual(error._tag === "Unavailable" && error.reason, "Timeout")
        assert.include(error.message, "Other processes held the lease")
      })
    ))

  it("does not blame the store if the lease becomes free just as the wait ends", () =>
    simulated(
      Effect.gen(function* () {
        const config = makeConfig()
        const other = yield* TokenStoreMemory.make.open(config.storeKey, config.requestTimeout)
        yield* Effect.fork(renew(other, adoptNone, () => Effect.never))
        yield* Effect.sleep("5 seconds")
        const store: TokenStoreService = {
          ...TokenStoreMemory.make,
          open: (...args) =>
            Effect.map(TokenStoreMemory.make.open(...args), (session) => ({
              ...session,
              readVersioned: Effect.map(session.readVersioned, (read) => ({ ...read, isLeased: false }))
            }))
        }
        const { get } = yield* makeCache({ upstream: makeUpstream(), config, store })
        const error = yield* Effect.flip(get)
        assert.strictEqual(error._tag === "Unavailable" && error.reason, "Timeout")
      })
    ))

  it("blames a store that never answers", () =>
    simulated(
      Effect.gen(function* () {
        const store: TokenStoreService = {
          ...TokenStoreMemory.make,
          open: (...args) =>
            Effect.map(TokenStoreMemory.make.open(...args), (session) => ({
              ...session,
              readVersioned: Effect.never,
              renew: () => Effect.never
            }))
        }
        const { get } = yield* makeCache({ upstream: makeUpstream(), store })
        const error = yield* Effect.flip(get)
        assert.strictEqual(error._tag === "Unavailable" && error.reason, "Store")
      })
    ))
})
