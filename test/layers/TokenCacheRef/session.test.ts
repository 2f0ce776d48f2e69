import { assert, describe, it } from "@effect/vitest"
import { assertNone } from "@effect/vitest/utils"
import { Duration, Effect, Option, TestClock } from "effect"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { settle } from "../../support/time.js"
import { down, getText, makeCache, makeConfig, makeUpstream, text } from "../../support/upstream.js"

describe("TokenCache.session", () => {
  it.scoped("renews as get does and describes the token that get answers with", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const cache = yield* makeCache({ upstream, config })
      const first = yield* cache.session
      assert.strictEqual(first.session.accessToken, yield* cache.get)
      assert.deepStrictEqual([first.origin, first.saved], ["nomba", true])
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(Duration.toMinutes((yield* cache.session).remaining), 20)
      const other = yield* (yield* makeCache({ upstream, config })).session
      assert.deepStrictEqual([other.origin, other.saved], ["store", true])
      assert.strictEqual(Duration.toMinutes(other.remaining), 20)
      assert.strictEqual(upstream.count(), 1)

      yield* cache.invalidate(first.session.accessToken)
      assert.strictEqual(text((yield* cache.session).session.accessToken), "access-2")
    })
  )

  it.scoped("fails as get does", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { failUnprocessed: down }
      const cache = yield* makeCache({ upstream })
      const [one, other] = yield* Effect.all([Effect.flip(cache.session), Effect.flip(cache.get)])
      assert.strictEqual(one._tag, "Unavailable")
      assert.strictEqual(other._tag, "Unavailable")
      assert.strictEqual(upstream.count(), 1)
    })
  )
})

describe("TokenCache.peek", () => {
  it.scoped("shows the session in memory and never renews or reads the store", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      assertNone(yield* cache.peek)
      assert.strictEqual(upstream.count(), 0)
      const token = yield* cache.get
      const { origin, remaining, saved, session } = Option.getOrThrow(yield* cache.peek)
      assert.strictEqual(session.accessToken, token)
      assert.deepStrictEqual([origin, saved, Duration.toMinutes(remaining)], ["nomba", true, 30])
      yield* TestClock.adjust("26 minutes")
      const steps = faulty.count()
      assert.isTrue(Option.isSome(yield* cache.peek))
      yield* settle
      assert.strictEqual(faulty.count(), steps)
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("shows nothing if the token was rejected, has expired or was logged out", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.invalidate(yield* cache.get)
      assertNone(yield* cache.peek)
      yield* cache.get
      assert.isTrue(Option.isSome(yield* cache.peek))
      yield* TestClock.adjust(Duration.millis(30 * 60_000 - 10_000))
      assertNone(yield* cache.peek)
      yield* cache.get
      yield* cache.logout
      assertNone(yield* cache.peek)
    })
  )
})

describe("TokenCache.verify", () => {
  it.scoped("gets a token and reads the store, also if the token is in memory", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* cache.verify
      assert.strictEqual(upstream.count(), 1)
      const reads = faulty.count("read")
      yield* cache.verify
      assert.strictEqual(faulty.count("read"), reads + 1)
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("fails if the store does, although a token is in memory", () =>
    Effect.gen(function* () {
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream: makeUpstream(), store: faulty.store })
      yield* cache.get
      faulty.before = at("read")(storeDown)
      const error = yield* Effect.flip(cache.verify)
      assert.strictEqual(error._tag === "Unavailable" && error.reason, "Store")
      assert.strictEqual(yield* getText(cache), "access-1")
    })
  )

  it.scoped("fails as get does", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { failUnprocessed: down }
      const error = yield* Effect.flip((yield* makeCache({ upstream })).verify)
      assert.strictEqual(error._tag === "Unavailable" && error.reason, "ServerError")
    })
  )
})

describe("TokenCache.confirm", () => {
  it.scoped("does not bring a rejected token back", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      const token = yield* cache.get
      yield* cache.confirm(token)
      assert.strictEqual(yield* getText(cache), "access-1")
      yield* cache.invalidate(token)
      yield* cache.confirm(token)
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )
})
