import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock, Tracer } from "effect"
import { makeFaultyStore } from "../../support/faults.js"
import { makeMetrics } from "../../support/metrics.js"
import { getText, makeCache, makeUpstream } from "../../support/upstream.js"

const countingTracer = () => {
  const native = Effect.runSync(Effect.tracer)
  const spans: Array<string> = []
  const tracer = Tracer.make({
    span: (name, ...rest) => {
      spans.push(name)
      return native.span(name, ...rest)
    },
    context: (run) => run()
  })
  return { spans, tracer }
}

describe("TokenCache.get on a fresh token", () => {
  it.scoped("asks neither the store nor Nomba", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* cache.get
      const before = faulty.count()
      yield* Effect.replicateEffect(cache.get, 100)
      assert.isAbove(before, 0)
      assert.strictEqual(faulty.count(), before)
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("opens no span and writes no metric", () =>
    Effect.gen(function* () {
      const { spans, tracer } = countingTracer()
      const metrics = makeMetrics()
      const cache = yield* metrics.labelled(Effect.withTracer(makeCache({ upstream: makeUpstream() }), tracer))
      yield* metrics.labelled(cache.get)
      assert.deepStrictEqual(spans, ["TokenCache.renew"])
      const before = metrics.values()
      const hits = Effect.withSpan(Effect.replicateEffect(cache.get, 100), "the caller's")
      yield* metrics.labelled(Effect.withTracer(hits, tracer))
      assert.deepStrictEqual(spans, ["TokenCache.renew", "the caller's"])
      assert.strictEqual(before["renewals cold issued"], 1)
      assert.deepStrictEqual(metrics.values(), before)
    })
  )

  it.scoped("answers synchronously", () =>
    Effect.gen(function* () {
      const cache = yield* makeCache({ upstream: makeUpstream() })
      const token = yield* cache.get
      assert.strictEqual(Effect.runSync(cache.get), token)
      assert.strictEqual(Effect.runSync(cache.session).session.accessToken, token)
    })
  )

  it.scoped("renews at once after a rejection", () =>
    Effect.gen(function* () {
      const cache = yield* makeCache({ upstream: makeUpstream() })
      yield* cache.invalidate(yield* cache.get)
      assert.strictEqual(yield* getText(cache), "access-2")
    })
  )

  it.scoped("answers with the same token after the clock was set back, until its lifetime is over", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      yield* TestClock.adjust("2 hours")
      const cache = yield* makeCache({ upstream })
      assert.strictEqual(yield* getText(cache), "access-1")
      yield* TestClock.setTime(3_600_000)
      assert.strictEqual(yield* getText(cache), "access-1")
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("renews after the clock has jumped past the expiry", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      assert.strictEqual(yield* getText(cache), "access-1")
      yield* TestClock.setTime(30 * 60_000)
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )
})
