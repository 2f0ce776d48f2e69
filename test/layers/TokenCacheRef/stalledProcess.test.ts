/** A real process that stalls while a renewal is under way. Its timers fall due before its sockets are read. */
import { Worker } from "node:worker_threads"
import { FetchHttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Duration, Effect, Fiber, Stream } from "effect"
import { stallTolerantSleep, storeTimedOut } from "../../../src/layers/time.js"
import { RetryPolicy } from "../../../src/services/RetryPolicy.js"
import { withPolicy } from "../../support/auth.js"
import { makeFaultyStore } from "../../support/faults.js"
import { captureLogs } from "../../support/logs.js"
import { stallFor } from "../../support/stallFor.js"
import { getText, makeCache, makeConfig, makeUpstream, timedOut } from "../../support/upstream.js"

/** A token endpoint in a thread of its own, which answers after the given time whatever this thread does. */
const program = `
  const { createServer } = require("node:http")
  const { parentPort, workerData } = require("node:worker_threads")
  let count = 0
  const server = createServer((request, response) => {
    count += 1
    parentPort.postMessage({ count })
    const data = { access_token: "access-" + count, refresh_token: "refresh-" + count, expires_in: 1800 }
    request.resume()
    setTimeout(() => {
      response.setHeader("content-type", "application/json")
      response.end(JSON.stringify({ code: "00", description: "Success", data }))
    }, workerData)
  })
  server.listen(0, "127.0.0.1", () => parentPort.postMessage({ port: server.address().port }))
`

const serveFor = (latency: Duration.DurationInput) =>
  Effect.gen(function* () {
    const worker = yield* Effect.acquireRelease(
      Effect.sync(() => new Worker(program, { eval: true, workerData: Duration.toMillis(latency) })),
      (worker) => Effect.promise(() => worker.terminate())
    )
    const port = yield* Deferred.make<number>()
    const arrived = yield* Deferred.make<void>()
    const seen = { count: 0 }
    worker.on("message", (message: { readonly port?: number; readonly count?: number }) => {
      if (message.port !== undefined) Deferred.unsafeDone(port, Effect.succeed(message.port))
      if (message.count === undefined) return
      seen.count = message.count
      Deferred.unsafeDone(arrived, Effect.void)
    })
    return { baseUrl: `http://127.0.0.1:${yield* Deferred.await(port)}`, arrived: Deferred.await(arrived), seen }
  })

describe.sequential("a process that stalls during a renewal", () => {
  it.scopedLive("takes the answer that arrived meanwhile, although its time-out fell due", () =>
    Effect.gen(function* () {
      const { arrived, baseUrl, seen } = yield* serveFor("200 millis")
      const settings = { baseUrl, requestTimeout: Duration.seconds(1) }
      const auth = yield* withPolicy(RetryPolicy.layerNone, { layer: FetchHttpClient.layer }, settings)
      const cache = yield* makeCache({ upstream: { auth }, config: makeConfig(settings) })
      const get = yield* Effect.fork(getText(cache))
      yield* arrived
      stallFor(1_500)
      assert.strictEqual(yield* Fiber.join(get), "access-1")
      assert.strictEqual(seen.count, 1)
      assert.strictEqual(yield* getText(cache), "access-1")
    })
  )

  for (const where of ["Nomba", "the store"] as const) {
    it.scopedLive(`starts again at once, without a backoff or a warning, after a time-out of ${where}`, () => {
      const logs = captureLogs()
      return Effect.gen(function* () {
        const upstream = makeUpstream()
        const faulty = makeFaultyStore()
        const stall = Effect.suspend(() => {
          stallFor(1_500)
          return Effect.sleep("50 millis")
        })
        let stalls = 1
        if (where === "Nomba") upstream.script({ prepare: stall, failUnprocessed: timedOut })
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
        stallFor(1_500)
        return Effect.sleep("50 millis")
      })
      upstream.always = { prepare: stall, failUnprocessed: timedOut }
      const cache = yield* makeCache({ upstream })
      yield* Effect.fork(stallTolerantSleep("1 second"))
      yield* Effect.yieldNow()
      const error = yield* Effect.flip(cache.get)
      assert.strictEqual(error._tag === "Unavailable" && error.reason, "Timeout")
      assert.strictEqual(upstream.count(), 2)
    })
  )
})
