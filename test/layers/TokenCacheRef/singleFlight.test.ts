import { FetchHttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { assertNone } from "@effect/vitest/utils"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Equal,
  Exit,
  Fiber,
  FiberRef,
  Logger,
  LogLevel,
  Option,
  TestClock
} from "effect"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { closingDuring, during, ended, settle, simulated, together } from "../../support/time.js"
import {
  down,
  getText,
  makeCache,
  makeConfig,
  makeUpstream,
  type Upstream,
  unreachable
} from "../../support/upstream.js"

const issuing = (upstream: Upstream, issue: Upstream["auth"]["issue"]) => ({
  auth: { ...upstream.auth, issue }
})

describe("TokenCache.get", () => {
  it("sends one token request for 10,000 concurrent callers", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { latency: "50 millis" }
        const cache = yield* makeCache({ upstream })
        const tokens = yield* together(10_000, getText(cache))
        assert.deepStrictEqual([...new Set(tokens)], ["access-1"])
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it.scoped("goes on for the other callers if the first one is interrupted", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const arrived = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      upstream.script({ arrived, gate })
      const cache = yield* makeCache({ upstream })
      const first = yield* Effect.fork(cache.get)
      yield* Deferred.await(arrived)
      const others = yield* Effect.fork(together(100, getText(cache)))
      yield* settle
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(first)))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual([...new Set(yield* Fiber.join(others))], ["access-1"])
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("runs the renewal without the caller's context, fiber refs, log level and span", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const callers = yield* FiberRef.make("default")
      const seen: Array<unknown> = []
      const capture = Effect.gen(function* () {
        const context = yield* Effect.context<never>()
        seen.push(
          Context.getOption(context as Context.Context<RequestInit>, FetchHttpClient.RequestInit),
          yield* FiberRef.get(callers),
          yield* FiberRef.get(FiberRef.currentMinimumLogLevel),
          yield* FiberRef.get(FiberRef.currentLogSpan),
          yield* FiberRef.get(FiberRef.currentLogAnnotations),
          yield* FiberRef.get(FiberRef.interruptedCause),
          Option.map(yield* Effect.option(Effect.currentSpan), (span) => [span.name, Option.isSome(span.parent)])
        )
      })
      const build = makeCache({ upstream: issuing(upstream, Effect.zipRight(capture, upstream.auth.issue)) })
      const usual = yield* FiberRef.get(FiberRef.currentMinimumLogLevel)
      const cache = yield* build
      const abort = new AbortController()
      yield* cache.get.pipe(
        Effect.withSpan("a caller's span"),
        Effect.withLogSpan("a caller's log span"),
        Effect.annotateLogs("caller", "first"),
        Effect.locally(callers, "the caller's"),
        Logger.withMinimumLogLevel(LogLevel.None),
        Effect.provideService(FetchHttpClient.RequestInit, { signal: abort.signal })
      )
      const [requestInit, ofCaller, level, logSpans, annotations, cause, span] = seen
      assertNone(requestInit as Option.Option<unknown>)
      assert.strictEqual(ofCaller, "default")
      assert.strictEqual(level, usual)
      assert.deepStrictEqual([...(logSpans as Iterable<unknown>)], [])
      assert.deepStrictEqual([...(annotations as Iterable<unknown>)], [])
      assert.strictEqual(cause, Cause.empty)
      assert.deepStrictEqual(span, Option.some(["TokenCache.renew", false]))
    })
  )

  it.scoped("finishes the renewal although every caller was interrupted", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const arrived = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      upstream.script({ arrived, gate })
      const cache = yield* makeCache({ upstream })
      const callers = yield* together(10, Effect.fork(cache.get))
      yield* Deferred.await(arrived)
      yield* Fiber.interruptAll(callers)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.strictEqual(yield* getText(cache), "access-1")
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("waits on for the other callers if one of them times out", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { latency: "5 seconds" }
      const cache = yield* makeCache({ upstream })
      const hasty = yield* Effect.fork(Effect.timeoutOption(cache.get, "1 second"))
      const waiting = yield* Effect.fork(getText(cache))
      yield* TestClock.adjust("1 second")
      assertNone(yield* Fiber.join(hasty))
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* Fiber.join(waiting), "access-1")
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("gives the failure of one renewal to all who waited", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { latency: "1 second", failUnprocessed: down }
      const cache = yield* makeCache({ upstream })
      const errors = yield* together(100, Effect.flip(cache.get)).pipe(during("1 second"))
      assert.isTrue(errors.every(Equal.equals(down)))
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("fails after 30 s if another process ended the session meanwhile and the next renewal is slow too", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const cache = yield* makeCache({ upstream, config })
      const other = yield* makeCache({ upstream, config, store: makeFaultyStore().store })
      const rejected = yield* cache.get
      yield* other.get
      upstream.script({ operation: "revoke", latency: "20 seconds" }, { operation: "issue", latency: "20 seconds" })
      yield* Effect.fork(other.logout)
      yield* settle
      yield* cache.invalidate(rejected)
      const fiber = yield* Effect.fork(Effect.flip(cache.get))
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(yield* ended(fiber))
      assert.strictEqual(upstream.count("issue"), 2)
      yield* TestClock.adjust("2 seconds")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag === "Unavailable" && error.reason, "Timeout")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* getText(cache), "access-2")
    })
  )

  for (const step of ["read", "acquire", "extend"] as const) {
    it.scoped(`fails after 30 s if the store hangs at "${step}"`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const faulty = makeFaultyStore()
        faulty.before = at(step)(Effect.never)
        const cache = yield* makeCache({ upstream, store: faulty.store })
        const fiber = yield* Effect.fork(cache.get)
        yield* TestClock.adjust("29999 millis")
        assert.isUndefined(yield* ended(fiber))
        yield* TestClock.adjust("1 millis")
        const error = yield* Effect.flip(Fiber.join(fiber))
        assert.strictEqual(error._tag === "Unavailable" && error.reason, "Store")
        assert.strictEqual(upstream.count(), 0)
      })
    )
  }

  it.effect("answers within 30 s with the unsaved session if the store hangs at the commit", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      faulty.before = at("commit")(Effect.never)
      const cache = yield* makeCache({ upstream, store: faulty.store })
      assert.strictEqual(yield* getText(cache).pipe(during("30 seconds")), "access-1")
      assert.isFalse((yield* cache.session).saved)
      assert.strictEqual(upstream.count(), 1)
    }).pipe(closingDuring("5 seconds"))
  )

  it.scoped("tries at most four times a second if the store cannot extend a lease", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      faulty.before = at("extend")(storeDown)
      const cache = yield* makeCache({ upstream, store: faulty.store })
      const error = yield* Effect.flip(cache.get).pipe(during("30 seconds"))
      assert.strictEqual(error._tag, "Unavailable")
      assert.isAtMost(faulty.count("acquire"), 30 * 4)
      assert.strictEqual(upstream.count(), 0)
    })
  )

  it.scoped("fails after 30 s if Nomba never answers", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream: issuing(upstream, Effect.never) })
      const fiber = yield* Effect.fork(cache.get)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, "Unavailable")
    })
  )

  it.scoped("fails after 30 s in a cache that was built in an uninterruptible region", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* Effect.uninterruptible(makeCache({ upstream: issuing(upstream, Effect.never) }))
      const fiber = yield* Effect.fork(cache.get)
      yield* TestClock.adjust("30 seconds")
      assert.isDefined(yield* ended(fiber))
    })
  )

  it.scoped("renews after the fiber that built the cache has ended", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* Effect.flatMap(Effect.fork(makeCache({ upstream })), Fiber.join)
      yield* settle
      assert.strictEqual(yield* getText(cache), "access-1")
    })
  )

  it.scoped("sends nothing if the store has left too little time for an answer", () =>
    Effect.gen(function* () {
      const late = makeUpstream()
      const slow = makeFaultyStore()
      slow.before = at("read")(Effect.sleep("18001 millis"))
      const tooLate = yield* makeCache({ upstream: late, store: slow.store })
      const error = yield* Effect.flip(tooLate.get).pipe(during("20 seconds"))
      assert.strictEqual(error._tag === "Unavailable" && error.reason, "Timeout")
      assert.strictEqual(late.count(), 0)

      const upstream = makeUpstream()
      slow.before = at("read")(Effect.sleep("18 seconds"))
      const inTime = yield* makeCache({ upstream, store: slow.store })
      assert.strictEqual(yield* getText(inTime).pipe(during("20 seconds")), "access-1")
    })
  )

  it.scoped("sends nothing if the lease was extended too late", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const slow = makeFaultyStore()
      slow.before = (step) =>
        step === "read" ? Effect.sleep("17 seconds") : step === "extend" ? Effect.sleep("1001 millis") : Effect.void
      const cache = yield* makeCache({ upstream, store: slow.store })
      const error = yield* Effect.flip(cache.get).pipe(during("20 seconds"))
      assert.strictEqual(error._tag === "Unavailable" && error.reason, "Timeout")
      assert.strictEqual(upstream.count(), 0)
    })
  )

  it.scoped("keeps the refresh token if no time was left to send it", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const slow = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: slow.store })
      yield* cache.get
      yield* TestClock.adjust("1 hour")
      slow.before = (step) =>
        step === "read"
          ? Effect.sleep("17 seconds")
          : step === "setRefreshInFlight"
            ? Effect.sleep("1001 millis")
            : Effect.void
      const error = yield* Effect.flip(cache.get).pipe(during("20 seconds"))
      assert.strictEqual(error._tag === "Unavailable" && error.reason, "Timeout")
      assert.strictEqual(upstream.count(), 1)
      slow.before = () => Effect.void
      yield* TestClock.adjust("1 second")
      yield* cache.get
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh"])
    })
  )

  it.scoped("retries only while enough time is left for an answer", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { failUnprocessed: unreachable, repeatAfter: "4500 millis" }
      const cache = yield* makeCache({ upstream })
      assert.isTrue(Equal.equals(yield* Effect.flip(cache.get).pipe(during("30 seconds")), unreachable))
      assert.deepStrictEqual(
        upstream.calls.map((call) => call.at),
        [0, 4500, 9000, 13500, 18000]
      )
    })
  )

  it.scoped("does not retry if the lease was extended too late", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const slow = makeFaultyStore()
      upstream.script({ failUnprocessed: unreachable, repeatAfter: "16 seconds" })
      const cache = yield* makeCache({ upstream, store: slow.store })
      const get = yield* Effect.fork(Effect.flip(cache.get))
      yield* TestClock.adjust("15 seconds")
      slow.before = at("extend")(Effect.sleep("2001 millis"))
      yield* TestClock.adjust("5 seconds")
      assert.isTrue(Equal.equals(yield* Fiber.join(get), unreachable))
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("passes a defect to all callers and renews the next time", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      let broken = true
      const issue = Effect.suspend(() => (broken ? Effect.die("a bug") : upstream.auth.issue))
      const cache = yield* makeCache({ upstream: issuing(upstream, issue) })
      const exits = yield* together(10, Effect.exit(cache.get))
      for (const exit of exits) assert.deepStrictEqual(exit, Exit.die("a bug"))
      broken = false
      assert.strictEqual(yield* getText(cache), "access-1")
    })
  )
})
