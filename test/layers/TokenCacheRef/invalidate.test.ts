import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Redacted, TestClock } from "effect"
import { during, settle, together } from "../../support/time.js"
import { getText, makeCache, makeUpstream } from "../../support/upstream.js"

describe("invalidating is broken if", () => {
  it.scoped("a token that is not the current one is given up for another's sake", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* cache.invalidate(Redacted.make("access-0"))
      assert.strictEqual(yield* getText(cache), "access-1")
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("the same text in another wrapper is taken for another token", () =>
    Effect.gen(function* () {
      const cache = yield* makeCache({ upstream: makeUpstream() })
      yield* cache.get
      assert.strictEqual(yield* cache.invalidate(Redacted.make("access-1")), "renew")
      assert.strictEqual(yield* getText(cache), "access-2")
    })
  )

  it.scoped("it is asked of a cache that holds nothing", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.invalidate(Redacted.make("access-1"))
      assert.strictEqual(yield* getText(cache), "access-1")
    })
  )

  it.scoped("two hundred requests that fail with one dead token cost more than one renewal", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      const token = yield* cache.get
      yield* upstream.steal
      upstream.always = { latency: "1 second" }
      const request = Effect.gen(function* () {
        yield* cache.invalidate(token)
        return yield* getText(cache)
      })
      const outcomes = yield* together(200, request).pipe(during("5 seconds"))
      assert.deepStrictEqual([...new Set(outcomes)], ["access-3"])
      assert.deepStrictEqual(upstream.operations(), ["issue", "issue"])
    })
  )

  it.scoped("a report that comes late gives up the token that has come since", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      const old = yield* cache.get
      yield* cache.invalidate(old)
      assert.strictEqual(yield* getText(cache), "access-2")
      for (const _ of Array(10)) yield* cache.invalidate(old)
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("a report during the renewal that it would cause begins another", () =>
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

  it.scoped("it renews by itself, before anybody asks for a token", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.invalidate(yield* cache.get)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(upstream.count(), 1)
    })
  )
})
