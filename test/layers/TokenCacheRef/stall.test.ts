/** A process that stalls while it holds the lease, until others have renewed. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { ended, settle } from "../../support/time.js"
import { getText, makeCache, makeConfig, makeUpstream } from "../../support/upstream.js"

/** One cache stalls after it has extended its lease and before it sends the request, until the gate opens. */
const stalled = (operation: "issue" | "refresh") =>
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

describe("a process that stalls before a token request", () => {
  for (const operation of ["issue", "refresh"] as const) {
    it.scoped(`sends nothing and adopts the session of another process after its lease ran out (${operation})`, () =>
      Effect.gen(function* () {
        const { faulty, fiber, gate, other, sent, upstream } = yield* stalled(operation)
        faulty.before = at("extend")(storeDown)
        const renewal = yield* Effect.fork(getText(other))
        yield* TestClock.adjust("14 seconds")
        const alive = upstream.liveToken()
        assert.strictEqual(yield* Fiber.join(renewal), alive)
        assert.strictEqual(sent(), 1)

        faulty.before = () => Effect.void
        yield* Deferred.succeed(gate, undefined)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(fiber), alive)
        assert.strictEqual(upstream.liveToken(), alive)
        assert.strictEqual(sent(), 1)
      })
    )

    it.scoped(`goes on if its lease has not run out (${operation})`, () =>
      Effect.gen(function* () {
        const { fiber, gate, sent, upstream } = yield* stalled(operation)
        yield* TestClock.adjust("9 seconds")
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(fiber), upstream.liveToken())
        assert.strictEqual(sent(), 1)
      })
    )
  }

  it.scoped("sends nothing if no time is left for an answer within the renewal", () =>
    Effect.gen(function* () {
      const { fiber, gate, sent } = yield* stalled("issue")
      yield* TestClock.adjust("18001 millis")
      yield* Deferred.succeed(gate, undefined)
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.deepInclude(error, { _tag: "Unavailable", reason: "Timeout", processed: "no" })
      assert.strictEqual(sent(), 0)
    })
  )

  it.scoped("keeps the refresh token that was not sent", () =>
    Effect.gen(function* () {
      const { faulty, fiber, gate, upstream } = yield* stalled("refresh")
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
