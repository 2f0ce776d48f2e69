import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, TestClock } from "effect"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { closingDuring, during, settle } from "../../support/time.js"
import { down, getText, makeCache, makeConfig, makeUpstream, unreachable } from "../../support/upstream.js"

const minutes = (count: number): number => count * 60_000

const remaining = (cache: TokenCacheService) =>
  Effect.map(cache.session, (session) => Duration.toMillis(session.remaining))

describe("the lifetime of a token", () => {
  for (const skew of [-40, 40]) {
    it.scoped(`does not depend on Nomba's clock (${skew} minutes off)`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        upstream.skew = Duration.minutes(Math.abs(skew))
        if (skew < 0) yield* TestClock.adjust("1 hour")
        const start = skew < 0 ? minutes(60) : 0
        const cache = yield* makeCache({ upstream, config })
        yield* cache.get
        assert.strictEqual(yield* remaining(cache), minutes(30))
        yield* TestClock.setTime(start + minutes(25) - 1)
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* settle
        assert.strictEqual(upstream.count(), 1)
        assert.strictEqual(yield* remaining(yield* makeCache({ upstream, config })), minutes(5) + 1)
        yield* TestClock.adjust("1 millis")
        yield* cache.get
        yield* settle
        assert.strictEqual(yield* getText(cache), "access-2")
      })
    )
  }

  it.scoped("counts from the moment the request was sent", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.lifetime = "60 seconds"
      upstream.always = { latency: "8 seconds" }
      const cache = yield* makeCache({ upstream })
      yield* during("8 seconds")(cache.get)
      assert.strictEqual(yield* remaining(cache), 52_000)
    })
  )

  it.scoped("counts from the last of several attempts", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      faulty.before = at("read")(Effect.sleep("5 seconds"))
      const cache = yield* makeCache({ upstream, store: faulty.store })
      upstream.script(
        { failUnprocessed: unreachable, repeatAfter: "3 seconds", latency: "1 second" },
        { latency: "2 seconds" }
      )
      yield* during("11 seconds")(cache.get)
      assert.strictEqual(yield* remaining(cache), minutes(30) - 2_000)
    })
  )

  it.scoped("includes the time that the store takes to write", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      faulty.after = at("commit")(Effect.sleep("4 seconds"))
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* during("4 seconds")(cache.get)
      assert.strictEqual(yield* remaining(cache), minutes(30) - 4_000)
    })
  )

  it.effect("includes the time for which a hanging store was waited for", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      faulty.before = at("commit")(Effect.never)
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* during("30 seconds")(cache.get)
      assert.strictEqual(yield* remaining(cache), minutes(30) - 30_000)
    }).pipe(closingDuring("10 seconds"))
  )

  it.scoped("goes on while a session waits to be saved", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      faulty.before = at("commit")(storeDown)
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      yield* cache.get
      yield* TestClock.adjust("5 minutes")
      faulty.before = () => Effect.void
      yield* TestClock.adjust("1 minute")
      assert.isTrue((yield* cache.session).saved)
      assert.strictEqual(yield* remaining(yield* makeCache({ upstream, config })), minutes(24))
      assert.strictEqual(yield* remaining(cache), minutes(24))
    })
  )

  it.scoped("is neither ended nor extended by a clock that is set back", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      yield* TestClock.adjust("2 hours")
      const cache = yield* makeCache({ upstream, config })
      yield* cache.get
      yield* TestClock.adjust("10 minutes")
      yield* cache.get
      yield* TestClock.setTime(minutes(60))
      assert.strictEqual(yield* getText(cache), "access-1")
      assert.strictEqual(yield* remaining(cache), minutes(20))
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("is not extended by a clock that is set back during the request", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { latency: "5 seconds" }
      yield* TestClock.adjust("2 hours")
      const cache = yield* makeCache({ upstream })
      const get = yield* Effect.fork(cache.get)
      yield* settle
      yield* TestClock.setTime(minutes(60))
      yield* TestClock.adjust("2 hours")
      yield* Fiber.join(get)
      assert.isAtMost(yield* remaining(cache).pipe(during("5 seconds")), minutes(30))
    })
  )

  it.scoped("is over after the clock has jumped past it, and one renewal follows", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* TestClock.setTime(minutes(24 * 60))
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("makes get fail with AlreadyExpired if the answer took longer", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.lifetime = "2 seconds"
      upstream.always = { latency: "3 seconds" }
      const cache = yield* makeCache({ upstream })
      const error = yield* during("3 seconds")(Effect.flip(cache.get))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.reason, "AlreadyExpired")
      yield* Effect.exit(cache.get)
      assert.strictEqual(upstream.count(), 1)
      // A token that expired on the way after a refresh is worth a second try at once.
      yield* TestClock.adjust("1 second")
      yield* during("6 seconds")(Effect.flip(cache.get))
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh", "refresh"])
    })
  )

  it.scoped(
    "may be over when a refresh is answered: the renewal then tries a second time, and no failure is remembered",
    () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* cache.get
        yield* TestClock.adjust("30 minutes")
        upstream.lifetime = "2 seconds"
        upstream.script({ operation: "refresh", latency: "3 seconds" })
        assert.strictEqual(yield* getText(cache).pipe(during("3 seconds")), "access-3")
        assert.deepStrictEqual(upstream.operations(), ["issue", "refresh", "refresh"])
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* getText(cache), "access-4")
      })
  )

  it.effect("makes get fail if only the part that is not handed out is left", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.lifetime = "2 seconds"
      upstream.always = { latency: "1800 millis" }
      const slow = yield* makeCache({ upstream })
      const error = yield* during("2 seconds")(Effect.flip(slow.get))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      upstream.always = { latency: "1799 millis" }
      const quick = yield* makeCache({ upstream })
      const get = yield* Effect.fork(getText(quick))
      yield* TestClock.adjust("1799 millis")
      assert.strictEqual(yield* Fiber.join(get), "access-2")
    }).pipe(closingDuring("2 seconds"))
  )

  it.scoped("may be zero: get fails after one token request", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.lifetime = 0
      const cache = yield* makeCache({ upstream })
      assert.strictEqual((yield* Effect.flip(cache.get))._tag, "UnexpectedResponse")
      yield* Effect.exit(cache.get)
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("may end without a get: the next one uses the refresh token", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* TestClock.adjust("10 days")
      upstream.script({ failUnprocessed: down }, { failUnprocessed: down })
      assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Unavailable")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh", "issue", "issue"])
    })
  )
})
