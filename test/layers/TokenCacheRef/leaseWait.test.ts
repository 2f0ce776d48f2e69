/** What a caller is told if another process holds the lease for as long as it waits. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import { type AuthError, Unavailable } from "../../../src/schemas/AuthError.js"
import type { TokenStoreService } from "../../../src/services/TokenStore.js"
import { adoptNone, renew } from "../../../src/testing/tokenStore/harness.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { ifFree, ownerOf } from "../../support/storeFaults.js"
import { simulated } from "../../support/time.js"
import { makeCache, makeConfig, makeUpstream } from "../../support/upstream.js"

/** The configuration of a session whose lease another process has taken and keeps. */
const leasedElsewhere = Effect.gen(function* () {
  const config = makeConfig()
  const other = yield* TokenStoreMemory.make.open(config.storeKey, config.requestTimeout)
  yield* Effect.fork(renew(other, adoptNone, () => Effect.never))
  yield* Effect.sleep("5 seconds")
  return config
})

const blamesOtherProcesses = <A>(get: Effect.Effect<A, AuthError>) =>
  Effect.map(Effect.flip(get), (error) => {
    assert.strictEqual(error._tag === "Unavailable" && error.reason, "Timeout")
    assert.include(error.message, "Other processes held the lease")
  })

describe("TokenCache.get while another process holds the lease", () => {
  it("fails with Timeout and does not blame a store that answers", () =>
    simulated(
      Effect.gen(function* () {
        const config = yield* leasedElsewhere
        const { get } = yield* makeCache({ upstream: makeUpstream(), config })
        yield* blamesOtherProcesses(get)
      })
    ))

  it("does not blame the store if the lease becomes free just as the wait ends", () =>
    simulated(
      Effect.gen(function* () {
        const config = yield* leasedElsewhere
        const store: TokenStoreService = {
          ...TokenStoreMemory.make,
          open: (...args) =>
            Effect.map(TokenStoreMemory.make.open(...args), (session) => ({
              ...session,
              readVersioned: Effect.map(session.readVersioned, (read) => ({ ...read, isLeased: false }))
            }))
        }
        const { get } = yield* makeCache({ upstream: makeUpstream(), config, store })
        yield* blamesOtherProcesses(get)
      })
    ))

  it("names Nomba if no time was left to ask it, because others have asked in vain", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const silent = new Unavailable({ operation: "issue", reason: "Timeout" })
        upstream.always = { latency: "10 seconds", failProcessed: silent }
        const config = makeConfig()
        // Of processes of their own: each has its own memory of the failures before.
        const caches = yield* Effect.forEach([{}, {}, {}, {}], (identity) =>
          makeCache({ upstream, config, store: { ...TokenStoreMemory.make, identity } })
        )
        const errors = yield* Effect.forEach(caches, ({ get }) => Effect.flip(get), { concurrency: "unbounded" })
        const answers = Array.from(new Set(errors.map(({ message }) => message))).sort()
        assert.lengthOf(answers, 2)
        assert.include(answers[0], "Nomba did not answer in time")
        assert.include(
          answers[1],
          "No time was left to ask Nomba: other processes that share the session were asking it"
        )
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

  it("does not blame the store if the caller had the lease before and lost it", () =>
    simulated(
      Effect.gen(function* () {
        const config = makeConfig()
        const faulty = makeFaultyStore()
        const cache = yield* makeCache({ upstream: makeUpstream(), config, store: faulty.store })
        const other = yield* faulty.otherProcess(config.storeKey)
        const owner = ownerOf("another process")
        faulty.before = at("extend")(storeDown)
        const takeOver = Effect.zipRight(Effect.sleep("100 millis"), other.acquire(owner, ifFree))
        yield* Effect.fork(Effect.zipRight(takeOver, Effect.delay(other.extend(owner), "20 seconds")))
        yield* blamesOtherProcesses(cache.get)
      })
    ))

  it("does not blame the store if the caller waits to save its own session", () =>
    simulated(
      Effect.gen(function* () {
        const config = makeConfig()
        const faulty = makeFaultyStore()
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream, config, store: faulty.store })
        faulty.before = at("commit")(storeDown)
        yield* cache.get
        yield* Effect.sleep("31 minutes")
        const other = yield* faulty.otherProcess(config.storeKey)
        yield* other.acquire(ownerOf("another process"), ifFree)
        yield* blamesOtherProcesses(cache.get)
      })
    ))
})
