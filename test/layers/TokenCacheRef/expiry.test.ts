import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, TestClock } from "effect"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { closingDuring, during, settle } from "../../support/time.js"
import { down, getText, makeCache, makeConfig, makeUpstream, unreachable } from "../../support/upstream.js"

const minutes = (count: number): number => count * 60_000

const remaining = (cache: TokenCacheService) =>
  Effect.map(cache.session, (session) => Duration.toMillis(session.remaining))

describe("expiry is broken if", () => {
  for (const skew of [-40, 40]) {
    it.scoped(`Nomba's clock, ${skew} minutes off, has an effect`, () =>
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

  it.scoped("it counts from the answer and not from the request", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.lifetime = "60 seconds"
      upstream.always = { latency: "8 seconds" }
      const cache = yield* makeCache({ upstream })
      yield* during("8 seconds")(cache.get)
      assert.strictEqual(yield* remaining(cache), 52_000)
    })
  )

  it.scoped("it counts from the first of several attempts, or from the renewal's beginning", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      faulty.before = at("read")(Effect.sleep("5 seconds"))
      const cache = yield* makeCache({ upstream, store: faulty.store })
      upstream.script({ refuse: unreachable, repeatAfter: "3 seconds", latency: "1 second" }, { latency: "2 seconds" })
      yield* during("11 seconds")(cache.get)
      assert.strictEqual(yield* remaining(cache), minutes(30) - 2_000)
    })
  )

  it.scoped("the time that the store takes to write is forgotten", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      faulty.after = at("commit")(Effect.sleep("4 seconds"))
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* during("4 seconds")(cache.get)
      assert.strictEqual(yield* remaining(cache), minutes(30) - 4_000)
    })
  )

  it.effect("the time that the store took before it was given up is forgotten", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      faulty.before = at("commit")(Effect.never)
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* during("30 seconds")(cache.get)
      assert.strictEqual(yield* remaining(cache), minutes(30) - 30_000)
    }).pipe(closingDuring("10 seconds"))
  )

  it.scoped("a session that is saved later is written with the lifetime it had at first", () =>
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

  it.scoped("a clock that is set back neither ends a token nor extends it", () =>
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

  it.scoped("the local clock jumps back during a request and lengthens the token's life", () =>
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

  it.scoped("the local clock has jumped forward and the token is used, or more than one renewal follows", () =>
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

  it.scoped("an answer slower than the token lives is handed out, or asked for again and again", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.lifetime = "2 seconds"
      upstream.always = { latency: "3 seconds" }
      const cache = yield* makeCache({ upstream })
      const error = yield* during("3 seconds")(Effect.flip(cache.get))
      assert.strictEqual(error._tag === "UnexpectedResponse" && error.reason, "AlreadyExpired")
      yield* Effect.exit(cache.get)
      assert.strictEqual(upstream.count(), 1)
      yield* TestClock.adjust("1 second")
      yield* during("3 seconds")(Effect.flip(cache.get))
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.effect("an answer that leaves only what is not handed out is handed out", () =>
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

  it.scoped("a token without a second to live makes callers spin", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.lifetime = 0
      const cache = yield* makeCache({ upstream })
      assert.strictEqual((yield* Effect.flip(cache.get))._tag, "UnexpectedResponse")
      yield* Effect.exit(cache.get)
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("a token that expired while nobody asked is handed out, or its refresh token not used", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* TestClock.adjust("10 days")
      upstream.script({ refuse: down }, { refuse: down })
      assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Unavailable")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh", "issue", "issue"])
    })
  )
})
