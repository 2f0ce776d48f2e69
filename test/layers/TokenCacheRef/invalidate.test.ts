import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Redacted, TestClock } from "effect"
import { during, settle, together } from "../../support/time.js"
import { getText, makeCache, makeUpstream } from "../../support/upstream.js"

describe("TokenCache.invalidate", () => {
  it.scoped("keeps the current token if another one was rejected", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      assert.strictEqual(yield* cache.invalidate(Redacted.make("access-0")), "Renewal")
      assert.strictEqual(yield* getText(cache), "access-1")
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("compares tokens by their text", () =>
    Effect.gen(function* () {
      const cache = yield* makeCache({ upstream: makeUpstream() })
      yield* cache.get
      assert.strictEqual(yield* cache.invalidate(Redacted.make("access-1")), "Renewal")
      assert.strictEqual(yield* getText(cache), "access-2")
    })
  )

  it.scoped("changes nothing in a cache without a session", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      assert.strictEqual(yield* cache.invalidate(Redacted.make("access-1")), "Renewal")
      assert.strictEqual(yield* getText(cache), "access-1")
    })
  )

  it.scoped("causes one renewal for 200 requests that were rejected with one token", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      const token = yield* cache.get
      yield* upstream.startSession
      upstream.always = { latency: "1 second" }
      const request = Effect.gen(function* () {
        const remedy = yield* cache.invalidate(token)
        return { remedy, token: yield* getText(cache) }
      })
      const outcomes = yield* together(200, request).pipe(during("5 seconds"))
      assert.deepStrictEqual([...new Set(outcomes.map(({ token }) => token))], ["access-3"])
      assert.deepStrictEqual([...new Set(outcomes.map(({ remedy }) => remedy))], ["Renewal"])
      assert.deepStrictEqual(upstream.operations(), ["issue", "issue"])
    })
  )

  it.scoped("keeps the renewed token if reports of the old one come late", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      const old = yield* cache.get
      yield* cache.invalidate(old)
      assert.strictEqual(yield* getText(cache), "access-2")
      for (const _ of Array(10)) assert.strictEqual(yield* cache.invalidate(old), "Renewal")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("starts no second renewal during the one that replaces the token", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      const old = yield* cache.get
      yield* TestClock.adjust("25 minutes")
      const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      upstream.script({ arrived, gate })
      yield* cache.get
      yield* Deferred.await(arrived)
      yield* cache.invalidate(old)
      const get = yield* Effect.fork(getText(cache))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(get), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("waits for the next get before it renews", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.invalidate(yield* cache.get)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(upstream.count(), 1)
    })
  )
})
