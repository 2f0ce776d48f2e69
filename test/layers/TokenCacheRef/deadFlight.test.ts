/** A renewal whose timers and I/O are gone: begun under fake timers, in a frozen process, or in a request that ended. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { vi } from "vitest"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import type { TokenStoreService } from "../../../src/services/TokenStore.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { simulated, together } from "../../support/time.js"
import { getText, makeCache, makeConfig, makeUpstream, type Upstream } from "../../support/upstream.js"

interface LossyClock {
  readonly clock: Clock.Clock
  /** Whether sleeps that begin now never end. */
  isLost: boolean
}

/** The clock of the simulation, whose sleeps can be lost. */
const lossyClock: Effect.Effect<LossyClock> = Effect.map(Effect.clock, (clock) => {
  const lossy: LossyClock = {
    isLost: false,
    clock: {
      ...clock,
      sleep: (duration) => (lossy.isLost ? Effect.never : clock.sleep(duration))
    }
  }
  return lossy
})

/** A renewal that has sent its request, and whose answer comes only if the gate opens. */
const stuck = Effect.gen(function* () {
  const lossy = yield* lossyClock
  const upstream = makeUpstream()
  const config = makeConfig()
  const faulty = makeFaultyStore()
  const scope = yield* Scope.make()
  const cache = yield* makeCache({ upstream, config, store: faulty.store }).pipe(
    Scope.extend(scope),
    Effect.withClock(lossy.clock)
  )
  const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
  upstream.script({ arrived, gate })
  lossy.isLost = true
  const first = yield* Effect.fork(Effect.withClock(Effect.exit(cache.get), lossy.clock))
  yield* Deferred.await(arrived)
  lossy.isLost = false
  const another = Effect.withClock(makeCache({ upstream, config }), lossy.clock)
  return { another, cache, first, gate, scope, upstream, get: Effect.withClock(getText(cache), lossy.clock) }
})

const isTimeout = (exit: Exit.Exit<unknown, { readonly _tag: string }>): boolean =>
  Exit.isFailure(exit) && exit.cause._tag === "Fail" && exit.cause.error._tag === "Unavailable"

describe("a renewal whose timers are gone", () => {
  it("is given up after 30 s: those who started it fail, and a caller who joined it starts another", () =>
    simulated(
      Effect.gen(function* () {
        const { first, get, upstream } = yield* stuck
        yield* Effect.sleep("10 seconds")
        const before = yield* Clock.currentTimeMillis
        const tokens = yield* together(5, get)
        assert.deepStrictEqual([...new Set(tokens)], ["access-2"])
        assert.isAtMost((yield* Clock.currentTimeMillis) - before, 21_000)
        assert.isTrue(isTimeout(yield* Fiber.join(first)))
        assert.strictEqual(upstream.count(), 2)
      })
    ))

  it("is replaced at once by a caller who comes after 30 s", () =>
    simulated(
      Effect.gen(function* () {
        const { get, upstream } = yield* stuck
        yield* Effect.sleep("5 minutes")
        const before = yield* Clock.currentTimeMillis
        assert.strictEqual(yield* get, "access-2")
        assert.isAtMost((yield* Clock.currentTimeMillis) - before, 1_000)
        assert.strictEqual(upstream.liveToken(), "access-2")
      })
    ))

  it("changes nothing if its answer comes after another renewal has sent a request", () =>
    simulated(
      Effect.gen(function* () {
        const { another, cache, gate, get, upstream } = yield* stuck
        yield* Effect.sleep("1 minute")
        assert.strictEqual(yield* get, "access-2")
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.sleep("1 minute")
        assert.strictEqual(yield* get, "access-2")
        assert.strictEqual(yield* getText(yield* another), "access-2")
        assert.isTrue((yield* cache.session).saved)
        assert.strictEqual(upstream.count(), 2)
      })
    ))

  it("still brings its session if no other renewal has sent a request", () =>
    simulated(
      Effect.gen(function* () {
        const { cache, first, gate, get, upstream } = yield* stuck
        yield* Effect.sleep("29 seconds")
        const waiting = yield* Effect.fork(Effect.either(get))
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.sleep("1 second")
        assert.strictEqual(yield* getText(cache), "access-1")
        assert.isTrue(Exit.isSuccess(yield* Fiber.join(first)))
        yield* Fiber.join(waiting)
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it("sends nothing more once it was given up", () =>
    simulated(
      Effect.gen(function* () {
        const lossy = yield* lossyClock
        const upstream = makeUpstream()
        const cache = yield* Effect.withClock(makeCache({ upstream }), lossy.clock)
        const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        upstream.script({ prepare: Effect.zipRight(Deferred.succeed(arrived, undefined), Deferred.await(gate)) })
        lossy.isLost = true
        const first = yield* Effect.fork(Effect.withClock(Effect.exit(cache.get), lossy.clock))
        yield* Deferred.await(arrived)
        lossy.isLost = false
        yield* Effect.sleep("31 seconds")
        assert.strictEqual(yield* Effect.withClock(getText(cache), lossy.clock), "access-1")
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.sleep("1 minute")
        assert.isTrue(isTimeout(yield* Fiber.join(first)))
        assert.strictEqual(upstream.count(), 1)
        assert.strictEqual(yield* getText(cache), "access-1")
      })
    ))

  for (const moment of ["0 seconds", "5 minutes"] as const) {
    it(`does not hold up the closing layer (${moment} after it began)`, () =>
      simulated(
        Effect.gen(function* () {
          const { scope } = yield* stuck
          yield* Effect.sleep(moment)
          const before = yield* Clock.currentTimeMillis
          yield* Effect.uninterruptible(Scope.close(scope, Exit.void))
          assert.isAtMost((yield* Clock.currentTimeMillis) - before, 41_000)
        })
      ))
  }

  it("in the background is replaced by the next get that is due", () =>
    simulated(
      Effect.gen(function* () {
        const lossy = yield* lossyClock
        const upstream = makeUpstream()
        const cache = yield* Effect.withClock(makeCache({ upstream }), lossy.clock)
        const get = Effect.withClock(getText(cache), lossy.clock)
        yield* get
        yield* Effect.sleep("25 minutes")
        const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        upstream.script({ arrived, gate })
        lossy.isLost = true
        yield* get
        yield* Deferred.await(arrived)
        lossy.isLost = false
        yield* Effect.sleep("31 seconds")
        yield* get
        yield* Effect.sleep("1 second")
        assert.notStrictEqual(yield* get, "access-1")
        assert.strictEqual(yield* get, upstream.liveToken())
      })
    ))
})

describe.sequential("a renewal that began under fake timers", () => {
  const started = (upstream: Upstream, store: TokenStoreService = TokenStoreMemory.make) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const cache = yield* Scope.extend(makeCache({ upstream, store }), scope)
      return { cache, close: Scope.close(scope, Exit.void) }
    })

  it("leaves a save in the background that is replaced by the next one, and the session is saved", async () => {
    const upstream = makeUpstream()
    const faulty = makeFaultyStore()
    faulty.before = at("commit")(storeDown)
    try {
      vi.useFakeTimers()
      const { cache, close } = await Effect.runPromise(started(upstream, faulty.store))
      const first = Effect.runPromise(cache.get)
      await vi.advanceTimersByTimeAsync(10)
      await Effect.runPromise(cache.invalidate(await first))
      // The timers of the save are dropped.
      vi.useRealTimers()
      vi.useFakeTimers()
      await vi.advanceTimersByTimeAsync(62_000)
      const second = Effect.runPromise(getText(cache))
      await vi.advanceTimersByTimeAsync(10)
      assert.strictEqual(await second, "access-2")
      assert.isFalse((await Effect.runPromise(cache.session)).saved)
      faulty.before = () => Effect.void
      await vi.advanceTimersByTimeAsync(2_000)
      assert.isTrue((await Effect.runPromise(cache.session)).saved)
      const closing = Effect.runPromise(close)
      await vi.advanceTimersByTimeAsync(41_000)
      await closing
    } finally {
      vi.useRealTimers()
    }
  })

  it("is given up after 30 s, and dispose ends", async () => {
    const upstream = makeUpstream()
    upstream.script({ latency: "1 second" })
    try {
      vi.useFakeTimers()
      const { cache, close } = await Effect.runPromise(started(upstream))
      const first = Effect.runPromise(Effect.either(cache.get))
      await vi.advanceTimersByTimeAsync(1)
      assert.strictEqual(upstream.count(), 1)
      // The timers of the renewal are dropped.
      vi.useRealTimers()
      vi.useFakeTimers()
      await vi.advanceTimersByTimeAsync(5_000)
      const second = Effect.runPromise(getText(cache))
      await vi.advanceTimersByTimeAsync(32_000)
      assert.strictEqual(await second, "access-2")
      assert.strictEqual((await first)._tag, "Left")
      const closing = Effect.runPromise(close)
      await vi.advanceTimersByTimeAsync(41_000)
      await closing
    } finally {
      vi.useRealTimers()
    }
  })
})
