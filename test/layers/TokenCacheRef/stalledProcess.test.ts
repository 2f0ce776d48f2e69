/** A real process that stalls while a renewal is under way: time-outs that fall due meanwhile are its own failure. */
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Stream } from "effect"
import { stallTolerantSleep, storeTimedOut } from "../../../src/layers/wait.js"
import { makeFaultyStore } from "../../support/faults.js"
import { captureLogs } from "../../support/logs.js"
import { standStill } from "../../support/standStill.js"
import { getText, makeCache, makeUpstream, timedOut } from "../../support/upstream.js"

describe.sequential("a process that stalls during a renewal", () => {
  for (const where of ["Nomba", "the store"] as const) {
    it.scopedLive(`starts again at once, without a backoff or a warning, after a time-out of ${where}`, () => {
      const logs = captureLogs()
      return Effect.gen(function* () {
        const upstream = makeUpstream()
        const faulty = makeFaultyStore()
        const stall = Effect.suspend(() => {
          standStill(1_500)
          return Effect.sleep("50 millis")
        })
        let stalls = 1
        if (where === "Nomba") upstream.script({ prepare: stall, refuse: timedOut })
        else {
          faulty.before = (step) =>
            step === "read" && stalls-- > 0 ? Effect.zipRight(stall, storeTimedOut) : Effect.void
        }
        const cache = yield* makeCache({ upstream, store: faulty.store })
        const events = yield* Effect.fork(Stream.runCollect(Stream.take(cache.changes, 2)))
        // A request that is under way sleeps in steps; here this does, and notices the stall.
        yield* Effect.fork(stallTolerantSleep("1 second"))
        yield* Effect.yieldNow()
        assert.strictEqual(yield* getText(cache), "access-1")
        assert.strictEqual(upstream.count(), where === "Nomba" ? 2 : 1)
        assert.deepStrictEqual(
          Chunk.toReadonlyArray(yield* Fiber.join(events)).map(({ _tag }) => _tag),
          ["Current", "Issued"]
        )
        assert.deepStrictEqual(
          logs.lines.filter((line) => line.startsWith("WARN") || line.includes("stalled")),
          ["DEBUG The process was stalled during a renewal. Renewing again."]
        )
      }).pipe(Effect.provide(logs.layer))
    })
  }

  it.scopedLive("starts again once only: a second time-out is a failure", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const stall = Effect.suspend(() => {
        standStill(1_500)
        return Effect.sleep("50 millis")
      })
      upstream.always = { prepare: stall, refuse: timedOut }
      const cache = yield* makeCache({ upstream })
      yield* Effect.fork(stallTolerantSleep("1 second"))
      yield* Effect.yieldNow()
      const error = yield* Effect.flip(cache.get)
      assert.strictEqual(error._tag === "Unavailable" && error.reason, "Timeout")
      assert.strictEqual(upstream.count(), 2)
    })
  )
})
