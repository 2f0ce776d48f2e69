/** Clocks that are set while a token is in use. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { captureLogs } from "../../support/logs.js"
import { makeCache, makeConfig, makeUpstream, text, unreachable } from "../../support/upstream.js"

interface ScriptedClock {
  readonly clock: Clock.Clock
  /** Both clocks run on. */
  readonly pass: (millis: number) => void
  /** One of them is set. */
  readonly set: (change: { readonly wall?: number; readonly monotonic?: number }) => void
}

const scriptedClock = (): ScriptedClock => {
  let wall = 1_800_000_000_000
  let monotonic = 5_000_000
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => wall,
    unsafeCurrentTimeNanos: () => BigInt(monotonic) * 1_000_000n,
    currentTimeMillis: Effect.sync(() => wall),
    currentTimeNanos: Effect.sync(() => BigInt(monotonic) * 1_000_000n),
    sleep: () => Effect.never
  }
  return {
    clock,
    pass: (millis) => {
      wall += millis
      monotonic += millis
    },
    set: (change) => {
      wall += change.wall ?? 0
      monotonic += change.monotonic ?? 0
    }
  }
}

const minutes = (count: number): number => count * 60_000

const started = Effect.gen(function* () {
  const scripted = scriptedClock()
  const upstream = makeUpstream()
  const cache = yield* Effect.withClock(makeCache({ upstream }), scripted.clock)
  const ask = <A, E>(use: (cache: TokenCacheService) => Effect.Effect<A, E>) =>
    Effect.withClock(use(cache), scripted.clock)
  const get = ask((_) => Effect.map(_.get, text))
  const remaining = ask((_) => Effect.map(_.session, (session) => Duration.toMillis(session.remaining)))
  yield* get
  return { ...scripted, ask, get, remaining, upstream }
})

describe("TokenCache.get after a clock was set", () => {
  for (const [what, change] of [
    ["the wall clock was set back by an hour", { wall: minutes(-60) }],
    ["the monotonic clock went back by an hour", { monotonic: minutes(-60) }],
    ["both clocks went back by an hour", { wall: minutes(-60), monotonic: minutes(-60) }],
    ["the wall clock was set back by half a second", { wall: -500 }],
    ["both clocks went back by half a second", { wall: -500, monotonic: -500 }]
  ] as const) {
    it.scoped(`counts the lifetime on if ${what}`, () =>
      Effect.gen(function* () {
        const { get, pass, remaining, set, upstream } = yield* started
        pass(minutes(10))
        yield* get
        set(change)
        assert.strictEqual(yield* get, "access-1")
        // A change of less than a second is not told from a clock that runs slow.
        assert.approximately(yield* remaining, minutes(20), 500)
        pass(minutes(14))
        assert.strictEqual(yield* get, "access-1")
        assert.strictEqual(upstream.count(), 1)
        pass(minutes(16))
        assert.notStrictEqual(yield* get, "access-1")
        assert.strictEqual(upstream.count(), 2)
      })
    )
  }

  it.scoped("still tells a rival program from a wrong account id if the wall clock was set back", () => {
    const logs = captureLogs()
    return Effect.gen(function* () {
      const { ask, pass, set, upstream } = yield* started
      set({ wall: minutes(-60) })
      for (let count = 0; count < 3; count++) {
        yield* ask((cache) =>
          Effect.gen(function* () {
            const token = yield* cache.get
            pass(1_000)
            yield* cache.confirm(token, { route: "GET /v1/banks", sentAt: yield* Clock.currentTimeMillis })
            pass(1_000)
            yield* upstream.startSession
            yield* cache.invalidate(token, { route: "GET /v1/banks", sentAt: yield* Clock.currentTimeMillis })
          })
        )
      }
      const warnings = logs.lines.filter((line) => line.startsWith("WARN"))
      assert.deepStrictEqual(
        warnings.map((line) => line.includes("Another program logs in")),
        [true]
      )
    }).pipe(Effect.provide(logs.layer))
  })

  it.scoped("counts the lifetime on if the clock is set back again and again", () =>
    Effect.gen(function* () {
      const { get, pass, set, upstream } = yield* started
      for (let minute = 0; minute < 24; minute++) {
        pass(minutes(1))
        yield* get
        set({ wall: minutes(-30), monotonic: minute % 2 === 0 ? minutes(-30) : 0 })
        assert.strictEqual(yield* get, "access-1")
      }
      assert.strictEqual(upstream.count(), 1)
      pass(minutes(6))
      assert.notStrictEqual(yield* get, "access-1")
    })
  )

  it.scoped("renews if the wall clock was set past the expiry: the machine may have slept", () =>
    Effect.gen(function* () {
      const { get, set, upstream } = yield* started
      set({ wall: minutes(31) })
      assert.strictEqual(yield* get, "access-2")
      assert.strictEqual(yield* get, "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("renews if the monotonic clock passed the expiry and the wall clock stood still", () =>
    Effect.gen(function* () {
      const { get, set, upstream } = yield* started
      set({ monotonic: minutes(31) })
      assert.strictEqual(yield* get, "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("does not adopt an expired session from memory in a layer that is built after the clock was set back", () =>
    Effect.gen(function* () {
      const scripted = scriptedClock()
      const upstream = makeUpstream()
      const config = makeConfig()
      const ask = Effect.scoped(Effect.flatMap(makeCache({ upstream, config }), (_) => Effect.map(_.get, text))).pipe(
        Effect.withClock(scripted.clock)
      )
      assert.strictEqual(yield* ask, "access-1")
      scripted.pass(minutes(29))
      scripted.set({ wall: minutes(-20) })
      scripted.pass(minutes(2))
      assert.strictEqual(yield* ask, "access-2")
    })
  )

  it.scoped("does not stay in a backoff because the clock was set back", () =>
    Effect.gen(function* () {
      const { get, pass, set, upstream } = yield* started
      pass(minutes(30))
      upstream.always = { failUnprocessed: unreachable }
      yield* Effect.exit(get)
      const failed = upstream.count()
      set({ wall: minutes(-60) })
      yield* Effect.exit(get)
      assert.strictEqual(upstream.count(), failed)
      upstream.always = {}
      pass(1_000)
      assert.strictEqual(yield* get, "access-2")
    })
  )
})
