import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Logger, Scope, TestClock } from "effect"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { makeSimulation } from "../../support/simulator.js"
import { during, settle, simulated, together } from "../../support/time.js"
import { down, getText, makeCache, makeConfig, makeUpstream, wrongSecret } from "../../support/upstream.js"

const captureLogs = () => {
  const messages: Array<string> = []
  const layer = Logger.replace(
    Logger.defaultLogger,
    Logger.make(
      ({ message }) => void messages.push(...(Array.isArray(message) ? message.map(String) : [String(message)]))
    )
  )
  return { messages, layer }
}

describe("renewing ahead of expiry", () => {
  it.scoped("starts one renewal in the background of the first get that is due", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      upstream.always = { latency: "5 seconds" }
      yield* TestClock.adjust(Duration.millis(25 * 60_000 - 1))
      assert.strictEqual(yield* getText(cache), "access-1")
      yield* settle
      assert.strictEqual(upstream.count(), 1)

      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([...new Set(yield* together(1_000, getText(cache)))], ["access-1"])
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(yield* getText(cache), "access-1")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh"])
    })
  )

  it("needs no timer: without a get nothing happens", () => {
    const simulation = makeSimulation()
    const upstream = makeUpstream()
    const get = (cache: TokenCacheService) => Exit.getOrElse(simulation.run(getText(cache)), () => "none")
    const made = simulation.run(Effect.flatMap(Scope.make(), (scope) => Scope.extend(makeCache({ upstream }), scope)))
    assert.isTrue(Exit.isSuccess(made))
    if (Exit.isFailure(made)) return
    assert.strictEqual(get(made.value), "access-1")
    assert.strictEqual(get(made.value), "access-1")
    assert.strictEqual(simulation.sleeping(), 0)
    simulation.pass("25 minutes")
    assert.strictEqual(upstream.count(), 1)
    assert.strictEqual(get(made.value), "access-1")
    simulation.settle()
    assert.strictEqual(get(made.value), "access-2")
    assert.strictEqual(simulation.sleeping(), 0)
    simulation.pass("2 days")
    assert.strictEqual(upstream.count(), 2)
  })

  it.scoped("logs each failure and never fails a caller who has a live token", () =>
    Effect.gen(function* () {
      const { layer, messages } = captureLogs()
      const upstream = makeUpstream()
      const cache = yield* Effect.provide(makeCache({ upstream }), layer)
      yield* cache.get
      upstream.always = { failUnprocessed: wrongSecret }
      yield* TestClock.adjust("25 minutes")
      for (let minute = 0; minute < 4; minute++) {
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* TestClock.adjust("1 minute")
      }
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh", "issue", "issue", "issue", "issue"])
      assert.lengthOf(messages, 4)
      for (const message of messages) {
        assert.include(message, "The access token could not be renewed.")
        assert.include(message, "The current token is still valid and stays in use.")
      }
    })
  )

  it.scoped("does not pass its failure to callers who asked meanwhile", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* TestClock.adjust("25 minutes")
      const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      upstream.script({ failUnprocessed: down, arrived, gate })
      yield* cache.get
      yield* Deferred.await(arrived)
      const callers = yield* Effect.fork(together(10, getText(cache)))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual([...new Set(yield* Fiber.join(callers))], ["access-1"])
    })
  )

  for (const { left, lifetime } of [
    { lifetime: 1_800_000, left: 10_000 },
    { lifetime: 100_000, left: 10_000 },
    { lifetime: 60_000, left: 6_000 },
    { lifetime: 2_000, left: 200 }
  ]) {
    it.scoped(`does not hand out a token of ${lifetime / 1_000} s in its last ${left / 1_000} s`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.lifetime = lifetime
        const cache = yield* makeCache({ upstream, config: makeConfig({ renewAhead: Duration.zero }) })
        yield* cache.get
        yield* TestClock.adjust(Duration.millis(lifetime - left - 1))
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* settle
        assert.strictEqual(upstream.count(), 1)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* getText(cache), "access-2")
        assert.strictEqual(upstream.count(), 2)
      })
    )
  }

  it.scoped("makes callers wait once the token has expired during the renewal", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* TestClock.adjust(Duration.millis(1_800_000 - 10_001))
      upstream.always = { latency: "9 seconds" }
      assert.strictEqual(yield* getText(cache), "access-1")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* getText(cache).pipe(during("9 seconds")), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  for (const { ahead, lifetime, renewAhead } of [
    { lifetime: "30 minutes", renewAhead: "5 minutes", ahead: "5 minutes" },
    { lifetime: "30 minutes", renewAhead: "10 minutes", ahead: "6 minutes" },
    { lifetime: "2 seconds", renewAhead: "5 minutes", ahead: "400 millis" },
    { lifetime: "3 hours", renewAhead: "1 minute", ahead: "1 minute" }
  ] as const) {
    it.scoped(`renews a token of ${lifetime} ${ahead} before its expiry if renewAhead is ${renewAhead}`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.lifetime = lifetime
        const cache = yield* makeCache({ upstream, config: makeConfig({ renewAhead: Duration.decode(renewAhead) }) })
        yield* cache.get
        yield* TestClock.adjust(Duration.subtract(lifetime, Duration.sum(ahead, "1 millis")))
        yield* cache.get
        yield* settle
        assert.strictEqual(upstream.count(), 1)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* settle
        assert.strictEqual(yield* getText(cache), "access-2")
      })
    )
  }

  it.scoped("begins up to a tenth earlier by jitter, never later", () =>
    Effect.gen(function* () {
      for (const { at, jitter } of [
        { jitter: 0, at: 25 * 60_000 },
        { jitter: 0.5, at: 24.75 * 60_000 },
        { jitter: 1, at: 24.5 * 60_000 }
      ]) {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream, jitter })
        yield* cache.get
        yield* TestClock.adjust(Duration.millis(at - 1))
        yield* cache.get
        yield* settle
        assert.strictEqual(upstream.count(), 1, `with jitter ${jitter}`)
        yield* TestClock.adjust("1 millis")
        yield* cache.get
        yield* settle
        assert.strictEqual(upstream.count(), 2, `with jitter ${jitter}`)
      }
    })
  )

  it("keeps a session of two-second tokens going for a minute", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.lifetime = "2 seconds"
        const cache = yield* makeCache({ upstream })
        for (let step = 0; step < 600; step++) {
          assert.strictEqual(yield* getText(cache), upstream.liveToken())
          yield* Effect.sleep("100 millis")
        }
        assert.isAtMost(upstream.count(), Math.ceil(60_000 / 1_600))
      })
    ))
})
