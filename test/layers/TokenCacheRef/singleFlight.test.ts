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
import { closingDuring, during, ended, settle, together } from "../../support/time.js"
import { down, getText, makeCache, makeUpstream, type Upstream, unreachable } from "../../support/upstream.js"

const issuing = (upstream: Upstream, issue: Upstream["auth"]["issue"]) => ({
  auth: { ...upstream.auth, issue }
})

describe("the single flight is broken if", () => {
  it.scoped("ten thousand callers of a cold cache cost more than one call", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { latency: "50 millis" }
      const cache = yield* makeCache({ upstream })
      const tokens = yield* together(10_000, getText(cache)).pipe(during("1 second"))
      assert.deepStrictEqual([...new Set(tokens)], ["access-1"])
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("the first caller's interruption reaches the renewal or those who wait with it", () =>
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

  it.scoped("the renewal sees anything of the caller that began it", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const mood = yield* FiberRef.make("calm")
      const seen: Array<unknown> = []
      const capture = Effect.gen(function* () {
        const context = yield* Effect.context<never>()
        seen.push(
          Context.getOption(context as Context.Context<RequestInit>, FetchHttpClient.RequestInit),
          yield* FiberRef.get(mood),
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
        Effect.locally(mood, "upset"),
        Logger.withMinimumLogLevel(LogLevel.None),
        Effect.provideService(FetchHttpClient.RequestInit, { signal: abort.signal })
      )
      const [requestInit, feeling, level, logSpans, annotations, cause, span] = seen
      assertNone(requestInit as Option.Option<unknown>)
      assert.strictEqual(feeling, "calm")
      assert.strictEqual(level, usual)
      assert.deepStrictEqual([...(logSpans as Iterable<unknown>)], [])
      assert.deepStrictEqual([...(annotations as Iterable<unknown>)], [])
      assert.strictEqual(cause, Cause.empty)
      assert.deepStrictEqual(span, Option.some(["TokenCache.renew", false]))
    })
  )

  it.scoped("the renewal ends with the last caller who waits for it", () =>
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

  it.scoped("one caller's time-out shortens the wait of the others", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { latency: "5 seconds" }
      const cache = yield* makeCache({ upstream })
      const hasty = yield* Effect.fork(Effect.timeoutOption(cache.get, "1 second"))
      const patient = yield* Effect.fork(getText(cache))
      yield* TestClock.adjust("1 second")
      assertNone(yield* Fiber.join(hasty))
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* Fiber.join(patient), "access-1")
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("a failure is told to some of those who waited, or each of them tries again", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { latency: "1 second", refuse: down }
      const cache = yield* makeCache({ upstream })
      const errors = yield* together(100, Effect.flip(cache.get)).pipe(during("1 second"))
      assert.isTrue(errors.every(Equal.equals(down)))
      assert.strictEqual(upstream.count(), 1)
    })
  )

  for (const step of ["read", "acquire", "extend"] as const) {
    it.scoped(`a store that hangs at "${step}" holds a caller longer than 30 s`, () =>
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

  it.effect("a store that hangs at the commit holds a caller longer than 30 s, or costs it the session", () =>
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

  it.scoped("a store that can do everything but extend a right makes it spin", () =>
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

  it.scoped("a Nomba that never answers holds a caller longer than 30 s", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream: issuing(upstream, Effect.never) })
      const fiber = yield* Effect.fork(cache.get)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, "Unavailable")
    })
  )

  it.scoped("a cache that was built where nothing can be interrupted waits for ever", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* Effect.uninterruptible(makeCache({ upstream: issuing(upstream, Effect.never) }))
      const fiber = yield* Effect.fork(cache.get)
      yield* TestClock.adjust("30 seconds")
      assert.isDefined(yield* ended(fiber))
    })
  )

  it.scoped("the fiber that built the cache ends and takes renewals with it", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* Effect.flatMap(Effect.fork(makeCache({ upstream })), Fiber.join)
      yield* settle
      assert.strictEqual(yield* getText(cache), "access-1")
    })
  )

  it.scoped("Nomba is called when the store has left too little time for an answer", () =>
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

  it.scoped("Nomba is called when the permission to call came too late", () =>
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

  it.scoped("a refresh token counts as spent because there was no time left to spend it", () =>
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

  it.scoped("a retry begins when too little time is left for an answer", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { refuse: unreachable, repeatAfter: "4500 millis" }
      const cache = yield* makeCache({ upstream })
      assert.isTrue(Equal.equals(yield* Effect.flip(cache.get).pipe(during("30 seconds")), unreachable))
      assert.deepStrictEqual(
        upstream.calls.map((call) => call.at),
        [0, 4500, 9000, 13500, 18000]
      )
    })
  )

  it.scoped("a retry begins when the right to it came too late", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const slow = makeFaultyStore()
      upstream.script({ refuse: unreachable, repeatAfter: "16 seconds" })
      const cache = yield* makeCache({ upstream, store: slow.store })
      const get = yield* Effect.fork(Effect.flip(cache.get))
      yield* TestClock.adjust("15 seconds")
      slow.before = at("extend")(Effect.sleep("2001 millis"))
      yield* TestClock.adjust("5 seconds")
      assert.isTrue(Equal.equals(yield* Fiber.join(get), unreachable))
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("a defect leaves callers waiting, or the right taken", () =>
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
