/** A process that stands still with the permission to call Nomba, until others have renewed. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { makeHandClock } from "../../support/storeClock.js"
import { ended, settle } from "../../support/time.js"
import { getText, makeCache, makeConfig, makeUpstream } from "../../support/upstream.js"

/** One cache stops between the permission and the request, for as long as its store does not hear of it. */
const stopped = (operation: "issue" | "refresh") =>
  Effect.gen(function* () {
    const upstream = makeUpstream()
    const config = makeConfig()
    const faulty = makeFaultyStore()
    const one = yield* makeCache({ upstream, config, store: faulty.store })
    const other = yield* makeCache({ upstream, config })
    if (operation === "refresh") {
      for (const cache of [one, other]) yield* cache.get
      yield* TestClock.adjust("1 hour")
    }
    const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    upstream.script({
      operation,
      prepare: Effect.zipRight(Deferred.succeed(arrived, undefined), Deferred.await(gate))
    })
    const before = upstream.count()
    const fiber = yield* Effect.fork(getText(one))
    yield* Deferred.await(arrived)
    return { faulty, fiber, gate, one, other, upstream, sent: () => upstream.count() - before }
  })

describe("standing still before a call to Nomba is broken if", () => {
  for (const operation of ["issue", "refresh"] as const) {
    it.scoped(`it ends the session that others have made meanwhile (${operation})`, () =>
      Effect.gen(function* () {
        const { faulty, fiber, gate, other, sent, upstream } = yield* stopped(operation)
        faulty.before = at("extend")(storeDown)
        const renewal = yield* Effect.fork(getText(other))
        yield* TestClock.adjust("14 seconds")
        const alive = upstream.alive()
        assert.strictEqual(yield* Fiber.join(renewal), alive)
        assert.strictEqual(sent(), 1)

        faulty.before = () => Effect.void
        yield* Deferred.succeed(gate, undefined)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(fiber), alive)
        assert.strictEqual(upstream.alive(), alive)
        assert.strictEqual(sent(), 1)
      })
    )

    it.scoped(`it takes less than a lease, and costs the right (${operation})`, () =>
      Effect.gen(function* () {
        const { fiber, gate, sent, upstream } = yield* stopped(operation)
        yield* TestClock.adjust("9 seconds")
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(fiber), upstream.alive())
        assert.strictEqual(sent(), 1)
      })
    )
  }

  it.scoped("a call is begun that cannot end within the renewal", () =>
    Effect.gen(function* () {
      const { fiber, gate, sent } = yield* stopped("issue")
      yield* TestClock.adjust("18001 millis")
      yield* Deferred.succeed(gate, undefined)
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.deepInclude(error, { _tag: "Unavailable", reason: "Timeout", processed: "no" })
      assert.strictEqual(sent(), 0)
    })
  )

  it.scoped("a renewal that Nomba was not asked in by its end fails, instead of beginning again", () =>
    Effect.gen(function* () {
      const hand = makeHandClock(1_000_000)
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      let stops = 1
      faulty.before = at("acquire")(
        Effect.sync(() => {
          if (stops-- > 0) hand.now += 40_000
        })
      )
      const get = Effect.flatMap(makeCache({ upstream, store: faulty.store }), getText)
      assert.strictEqual(yield* Effect.withClock(get, hand.clock), "access-1")
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("it happens again and again, and the renewal never ends", () =>
    Effect.gen(function* () {
      const hand = makeHandClock(1_000_000)
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      faulty.before = at("acquire")(Effect.sync(() => (hand.now += 40_000)))
      const get = Effect.flatMap(makeCache({ upstream, store: faulty.store }), (cache) => Effect.flip(cache.get))
      assert.deepInclude(yield* Effect.withClock(get, hand.clock), { _tag: "Unavailable", reason: "Timeout" })
      assert.strictEqual(upstream.count(), 0)
    })
  )

  it.scoped("the refresh token that was not sent counts as spent", () =>
    Effect.gen(function* () {
      const { faulty, fiber, gate, upstream } = yield* stopped("refresh")
      yield* TestClock.adjust("4 seconds")
      faulty.before = at("extend")(storeDown)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      faulty.before = () => Effect.void
      assert.isUndefined(yield* ended(fiber))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(fiber), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh"])
    })
  )
})
