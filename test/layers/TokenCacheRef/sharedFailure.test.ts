/** Processes that share a store while Nomba fails. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Option } from "effect"
import { type AuthError, Unavailable } from "../../../src/schemas/AuthError.js"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { makeFaultyStore } from "../../support/faults.js"
import { ifFree, ownerOf } from "../../support/storeFaults.js"
import { simulated } from "../../support/time.js"
import {
  down,
  getText,
  makeCache,
  makeConfig,
  makeUpstream,
  timedOut,
  type Upstream,
  unreachable,
  wrongSecret
} from "../../support/upstream.js"

const limited = new Unavailable({
  operation: "issue",
  reason: "RateLimited",
  status: 429,
  retryAfter: Duration.seconds(42),
  processed: "no"
})

const secondsOf = (upstream: Upstream): ReadonlyArray<number> => upstream.calls.map(({ at }) => at / 1_000)

/** Caches of one session, each in a process of its own. */
const makeFleet = (size: number) =>
  Effect.gen(function* () {
    const upstream = makeUpstream()
    const config = makeConfig()
    const newcomer = Effect.suspend(() => makeCache({ upstream, config, store: makeFaultyStore().store }))
    const processes = yield* Effect.replicateEffect(newcomer, size)
    return { newcomer, processes, upstream }
  })

/** What a get fails with, and after how many milliseconds. */
const failing = (cache: TokenCacheService) =>
  Effect.gen(function* () {
    const before = yield* Clock.currentTimeMillis
    const error = yield* Effect.flip(cache.get)
    return { error, took: (yield* Clock.currentTimeMillis) - before }
  })

const isReason = (error: AuthError, reason: Unavailable["reason"]): boolean =>
  error._tag === "Unavailable" && error.reason === reason && error.operation !== "store"

describe("eight processes without a live token", () => {
  for (const [error, reason] of [
    [down, "ServerError"],
    [limited, "RateLimited"]
  ] as const) {
    it(`all fail with Nomba's own ${reason} after one token request`, () =>
      simulated(
        Effect.gen(function* () {
          const { processes, upstream } = yield* makeFleet(8)
          upstream.always = { latency: "4 seconds", failUnprocessed: error }
          const outcomes = yield* Effect.forEach(processes, failing, { concurrency: "unbounded" })
          assert.strictEqual(upstream.count(), 1)
          for (const { error, took } of outcomes) {
            assert.isTrue(isReason(error, reason), error.message)
            assert.isAtMost(took, 6_000)
          }
        })
      ))
  }

  it("fail at once while the wait of another process runs, with its reason, status and wait", () =>
    simulated(
      Effect.gen(function* () {
        const { newcomer, processes, upstream } = yield* makeFleet(1)
        upstream.always = { failUnprocessed: limited }
        yield* Effect.forEach(processes, failing)
        yield* Effect.sleep("10 seconds")
        const { error, took } = yield* failing(yield* newcomer)
        assert.deepInclude(error, { _tag: "Unavailable", reason: "RateLimited", status: 429 })
        assert.strictEqual(Duration.toMillis(error.retryAfter ?? 0), 32_000)
        assert.strictEqual(took, 0)
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it("count their failures together", () =>
    simulated(
      Effect.gen(function* () {
        const { processes, upstream } = yield* makeFleet(8)
        upstream.always = { failUnprocessed: down }
        for (let step = 0; step < 100; step++) {
          for (const cache of processes) yield* Effect.exit(cache.get)
          yield* Effect.sleep("1 second")
        }
        assert.deepStrictEqual(secondsOf(upstream), [0, 1, 3, 7, 15, 31, 61, 91])
      })
    ))

  it("count anew after one of them has stored a session", () =>
    simulated(
      Effect.gen(function* () {
        const { newcomer, processes, upstream } = yield* makeFleet(3)
        upstream.script({ failUnprocessed: down }, { failUnprocessed: down }, { failUnprocessed: down })
        for (let step = 0; step < 8; step++) {
          for (const cache of processes) yield* Effect.exit(cache.get)
          yield* Effect.sleep("1 second")
        }
        assert.deepStrictEqual(secondsOf(upstream), [0, 1, 3, 7])
        yield* Effect.sleep("1 hour")
        upstream.always = { failUnprocessed: down }
        const cold = yield* newcomer
        for (let step = 0; step < 4; step++) {
          yield* Effect.exit(cold.get)
          yield* Effect.sleep("1 second")
        }
        const [first = 0, ...others] = upstream.calls
          .filter(({ operation }) => operation === "issue")
          .slice(4)
          .map(({ at }) => at)
        assert.deepStrictEqual(
          others.map((at) => (at - first) / 1_000),
          [1, 3]
        )
      })
    ))

  it("adopt a session that is stored while the wait runs", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const deaf = makeFaultyStore()
        deaf.hasAnnouncements = false
        const cache = yield* makeCache({ upstream, config, store: deaf.store })
        upstream.script({ failUnprocessed: limited })
        yield* Effect.exit(cache.get)
        const driver = yield* deaf.otherProcess(config.storeKey)
        const owner = ownerOf("another")
        yield* driver.acquire(owner, ifFree)
        yield* driver.commit(owner, 0, {
          session: Option.some(yield* upstream.auth.issue),
          tombstone: false,
          remaining: Duration.minutes(30),
          expiresAt: Number.POSITIVE_INFINITY,
          version: 1
        })
        yield* Effect.sleep("1 second")
        assert.strictEqual(yield* getText(cache), "access-1")
      })
    ))

  for (const error of [unreachable, timedOut, wrongSecret]) {
    it(`try for themselves if another one failed with ${error._tag} ${"reason" in error ? error.reason : ""}`, () =>
      simulated(
        Effect.gen(function* () {
          const { processes, upstream } = yield* makeFleet(2)
          const [one, other] = processes
          assert.isDefined(one)
          assert.isDefined(other)
          if (one === undefined || other === undefined) return
          upstream.script({ failUnprocessed: error })
          yield* Effect.exit(one.get)
          assert.strictEqual(yield* getText(other), "access-1")
        })
      ))
  }

  it("all fail with the reason if the request of the first one takes 20 s", () =>
    simulated(
      Effect.gen(function* () {
        const { processes, upstream } = yield* makeFleet(8)
        upstream.always = { latency: "20 seconds", failUnprocessed: down }
        const fibers = yield* Effect.forEach(processes, (cache) => Effect.fork(failing(cache)))
        for (const { error, took } of yield* Effect.forEach(fibers, Fiber.join)) {
          assert.isTrue(isReason(error, "ServerError"), error.message)
          assert.isAtMost(took, 22_000)
        }
        assert.strictEqual(upstream.count(), 1)
      })
    ))
})

describe("a new process while Nomba answers 503", () => {
  it("serves a stored token inside the ahead-window until it ends, and renews in the background only", () =>
    simulated(
      Effect.gen(function* () {
        const { newcomer, processes, upstream } = yield* makeFleet(1)
        for (const cache of processes) yield* cache.get
        yield* Effect.sleep("25 minutes")
        upstream.always = { failUnprocessed: down, latency: "4 seconds" }
        const cold = yield* newcomer
        for (let second = 0; second < 289; second++) {
          assert.strictEqual(yield* Effect.timeout(getText(cold), "1 millis"), "access-1")
          yield* Effect.sleep("1 second")
        }
        assert.isAtMost(upstream.count(), 1 + 5 + 300 / 30)
        yield* Effect.sleep("2 seconds")
        const { error } = yield* failing(cold)
        assert.isTrue(isReason(error, "ServerError"))
      })
    ))

  it("serves the access token of a session whose refresh failed, until its first 401, without its refresh token", () =>
    simulated(
      Effect.gen(function* () {
        const { newcomer, processes, upstream } = yield* makeFleet(1)
        for (const cache of processes) yield* cache.get
        yield* Effect.sleep("26 minutes")
        upstream.always = { failUnprocessed: down }
        for (const cache of processes) yield* cache.get
        yield* Effect.sleep(0)
        const cold = yield* newcomer
        for (let second = 0; second < 120; second++) {
          assert.strictEqual(yield* getText(cold), "access-1")
          yield* Effect.sleep("1 second")
        }
        yield* cold.invalidate(yield* cold.get)
        assert.isTrue(isReason((yield* failing(cold)).error, "ServerError"))
        upstream.always = {}
        yield* Effect.sleep("40 seconds")
        yield* cold.get
        yield* Effect.sleep(0)
        assert.strictEqual(yield* getText(cold), "access-2")
        assert.deepStrictEqual(
          upstream.calls.filter(({ operation }) => operation === "refresh").map(({ token }) => token),
          ["refresh-1"]
        )
      })
    ))
})
