import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Equal } from "effect"
import { type AuthError, type Unavailable, Unavailable as UnavailableError } from "../../../src/schemas/AuthError.js"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { captureLogs } from "../../support/logs.js"
import { simulated, together } from "../../support/time.js"
import {
  down,
  garbage,
  getText,
  makeCache,
  makeConfig,
  makeUpstream,
  type Upstream,
  unreachable,
  wrongSecret
} from "../../support/upstream.js"

const stating = (status: 408 | 429 | 503, retryAfter: Duration.DurationInput): Unavailable =>
  new UnavailableError({
    operation: "issue",
    reason: status === 429 ? "RateLimited" : status === 408 ? "Timeout" : "ServerError",
    status,
    retryAfter: Duration.decode(retryAfter)
  })

const waitOf = (error: AuthError): number | undefined =>
  error.retryAfter === undefined ? undefined : Duration.toMillis(error.retryAfter)

/** The seconds at which token requests were sent. */
const secondsOf = (upstream: Upstream): ReadonlyArray<number> => upstream.calls.map((call) => call.at / 1_000)

/** Asks twice a second. */
const askFor = (seconds: number, cache: TokenCacheService) =>
  Effect.repeatN(Effect.zipRight(Effect.exit(cache.get), Effect.sleep("500 millis")), seconds * 2 - 1)

const reject = (cache: TokenCacheService) => Effect.flatMap(cache.get, (token) => cache.invalidate(token))

/** The cache of another process: it shares the stored session and nothing that is kept in memory. */
const otherProcess = () => makeFaultyStore().store

describe("the backoff after a failed renewal", () => {
  it("doubles from 1 s to 30 s", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: down }
        yield* askFor(125, yield* makeCache({ upstream }))
        assert.deepStrictEqual(secondsOf(upstream), [0, 1, 3, 7, 15, 31, 61, 91, 121])
      })
    ))

  it("doubles from 10 s to 5 minutes after InvalidCredentials", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: wrongSecret }
        yield* askFor(1_000, yield* makeCache({ upstream }))
        assert.deepStrictEqual(secondsOf(upstream), [0, 10, 30, 70, 150, 310, 610, 910])
      })
    ))

  for (const { error, seconds, what } of [
    { what: "429 with Retry-After: 42", error: stating(429, "42 seconds"), seconds: [0, 42, 84, 126] },
    { what: "503 with Retry-After: 42", error: stating(503, "42 seconds"), seconds: [0, 42, 84, 126] },
    { what: "429 with Retry-After: 0", error: stating(429, 0), seconds: [0, 1, 3, 7, 15, 31, 61, 91, 121, 151] },
    { what: "503 with Retry-After: 0", error: stating(503, 0), seconds: [0, 1, 3, 7, 15, 31, 61, 91, 121, 151] },
    {
      what: "503 with Retry-After: 3",
      error: stating(503, "3 seconds"),
      seconds: [0, 3, 6, 10, 18, 34, 64, 94, 124, 154]
    },
    { what: "408 with Retry-After: 3600", error: stating(408, "1 hour"), seconds: [0, 120] },
    { what: "503 with Retry-After: 86400", error: stating(503, "1 day"), seconds: [0, 120] }
  ]) {
    it(`waits for the longer of both after ${what}`, () =>
      simulated(
        Effect.gen(function* () {
          const upstream = makeUpstream()
          upstream.always = { failUnprocessed: error }
          yield* askFor(160, yield* makeCache({ upstream }))
          assert.deepStrictEqual(secondsOf(upstream), seconds)
        })
      ))
  }

  it("believes a wait of at most an hour that a 429 states", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.script({ failUnprocessed: stating(429, "1 day") })
        const cache = yield* makeCache({ upstream })
        const error = yield* Effect.flip(cache.get)
        assert.strictEqual(error._tag === "Unavailable" && error.reason, "RateLimited")
        yield* Effect.sleep("3599 seconds")
        assert.strictEqual(waitOf(yield* Effect.flip(cache.get)), 1_000)
        yield* Effect.sleep("1 second")
        assert.strictEqual(yield* getText(cache), "access-1")
        assert.strictEqual(upstream.count(), 2)
      })
    ))

  for (const { stated, told } of [
    { stated: stating(503, "1 day"), told: 120_000 },
    { stated: stating(429, "1 day"), told: 3_600_000 },
    { stated: stating(503, "42 seconds"), told: 42_000 }
  ]) {
    it(`tells no caller to wait longer than the next attempt (${stated.reason}, ${told} ms)`, () =>
      simulated(
        Effect.gen(function* () {
          const upstream = makeUpstream()
          upstream.always = { failUnprocessed: stated }
          const cache = yield* makeCache({ upstream })
          for (const left of [told, told - 1_000]) {
            assert.strictEqual(waitOf(yield* Effect.flip(cache.get)), left)
            yield* Effect.sleep("1 second")
          }
          assert.strictEqual(upstream.count(), 1)
        })
      ))
  }

  it("makes get fail at once with the reason and what is left of the wait", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: down }
        const cache = yield* makeCache({ upstream })
        assert.isTrue(Equal.equals(yield* Effect.flip(cache.get), down))
        yield* Effect.sleep("400 millis")
        for (const operation of [Effect.asVoid(cache.get), Effect.asVoid(cache.session), cache.verify]) {
          const error = yield* Effect.flip(operation)
          assert.strictEqual(error._tag === "Unavailable" && error.reason, "ServerError")
          assert.strictEqual(waitOf(error), 600)
        }
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it("holds for many callers together, who cause one token request at a time", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { latency: "100 millis", failUnprocessed: down }
        const cache = yield* makeCache({ upstream })
        yield* together(200, Effect.repeatN(Effect.zipRight(Effect.exit(cache.get), Effect.sleep("20 seconds")), 29))
        assert.isAtMost(upstream.count(), 5 + 600 / 30)
        assert.isAtLeast(upstream.count(), 15)
        assert.strictEqual(upstream.mostAtOnce(), 1)
      })
    ))

  it("starts again at 1 s after a renewal that succeeded", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        upstream.script({ failUnprocessed: down }, { failUnprocessed: down })
        yield* askFor(5, cache)
        upstream.always = { failUnprocessed: unreachable }
        yield* reject(cache)
        yield* askFor(4, cache)
        assert.deepStrictEqual(secondsOf(upstream), [0, 1, 3, 5, 6, 8])
      })
    ))

  it("counts InvalidCredentials and the other failures apart", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.script(
          { failUnprocessed: unreachable },
          { failUnprocessed: unreachable },
          { failUnprocessed: wrongSecret },
          { failUnprocessed: unreachable }
        )
        yield* askFor(16, yield* makeCache({ upstream }))
        assert.deepStrictEqual(secondsOf(upstream), [0, 1, 3, 13, 14])
      })
    ))

  it("does not keep a live token from callers", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* cache.get
        yield* Effect.sleep("25 minutes")
        upstream.always = { failUnprocessed: garbage }
        for (let second = 0; second < 289; second++) {
          assert.strictEqual(yield* getText(cache), "access-1")
          yield* Effect.sleep("1 second")
        }
        assert.isAtMost(upstream.count(), 1 + 5 + 300 / 30)
      })
    ))

  it("lets get read the store once a second", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: wrongSecret }
        const faulty = makeFaultyStore()
        const cache = yield* makeCache({ upstream, store: faulty.store })
        yield* Effect.exit(cache.get)
        const before = faulty.count("read")
        yield* together(20, askFor(9, cache))
        assert.strictEqual(faulty.count("read") - before, 8)
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it("makes get wait at most 5 s for a store that hangs", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: wrongSecret }
        const faulty = makeFaultyStore()
        const cache = yield* makeCache({ upstream, store: faulty.store })
        yield* Effect.exit(cache.get)
        yield* Effect.sleep("1 second")
        faulty.before = at("read")(Effect.never)
        const error = yield* Effect.flip(cache.get)
        assert.strictEqual(error._tag, "InvalidCredentials")
        assert.strictEqual(waitOf(error), 4_000)
      })
    ))

  it("is over for a cache that finds a newer session in the store", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const deaf = makeFaultyStore()
        deaf.hasAnnouncements = false
        const cache = yield* makeCache({ upstream, config, store: deaf.store })
        upstream.script({ failUnprocessed: wrongSecret })
        yield* Effect.exit(cache.get)
        assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-1")
        yield* Effect.sleep("1 second")
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* reject(cache)
        assert.strictEqual(yield* getText(cache), "access-2")
      })
    ))

  it("is over at once for a cache that hears of a newer session", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const cache = yield* makeCache({ upstream, config })
        const other = yield* makeCache({ upstream, config, store: otherProcess() })
        upstream.script({ failUnprocessed: wrongSecret })
        yield* Effect.exit(cache.get)
        yield* other.get
        yield* Effect.sleep(0)
        assert.strictEqual(yield* getText(cache), "access-1")
        assert.strictEqual(upstream.count(), 2)
      })
    ))

  it("is not ended by a logout", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: wrongSecret }
        const cache = yield* makeCache({ upstream })
        yield* Effect.exit(cache.get)
        yield* cache.logout
        yield* Effect.exit(cache.get)
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it("is logged once per step: a warning with the reason, an error for InvalidCredentials", () => {
    const logs = captureLogs()
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.script(
          { failUnprocessed: down },
          { failUnprocessed: down },
          { failUnprocessed: down },
          { failUnprocessed: wrongSecret }
        )
        yield* askFor(10, yield* makeCache({ upstream }))
      }).pipe(Effect.provide(logs.layer))
    )
    const told = logs.lines.filter((line) => !line.startsWith("DEBUG"))
    assert.lengthOf(told, 4)
    for (const line of told.slice(0, 3)) {
      assert.match(
        line,
        /^WARN The access token could not be renewed\. Nomba failed.*HTTP 503.*Next attempt in [124] s/
      )
    }
    assert.match(told[3] ?? "", /^ERROR The access token could not be renewed\. .*Next attempt in 10 s/)
  })
})

describe("the renewal of a rejected token", () => {
  it("fails those who waited for it, and later callers get the doubtful token while Nomba is down", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* reject(cache)
        upstream.always = { failUnprocessed: unreachable, latency: "5 seconds" }
        const errors = yield* together(10, Effect.flip(cache.get))
        assert.isTrue(errors.every(Equal.equals(unreachable)))
        for (let second = 0; second < 60; second++) {
          assert.strictEqual(yield* Effect.timeout(getText(cache), "1 millis"), "access-1")
          yield* Effect.sleep("1 second")
        }
        assert.isAtLeast(upstream.count(), 4)
        yield* Effect.sleep("29 minutes")
        assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Unavailable")
      })
    ))

  it("fails, and the doubtful token is handed out again, while the store is down", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const faulty = makeFaultyStore()
        const cache = yield* makeCache({ upstream, store: faulty.store })
        yield* reject(cache)
        faulty.before = () => storeDown
        assert.isTrue(Equal.equals(yield* Effect.flip(cache.get), storeDown))
        for (let second = 0; second < 60; second++) {
          assert.strictEqual(yield* getText(cache), "access-1")
          yield* Effect.sleep("1 second")
        }
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it("is not covered up by the rejected token if waiting does not help", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* reject(cache)
        upstream.always = { failUnprocessed: wrongSecret }
        assert.strictEqual((yield* Effect.flip(cache.get))._tag, "InvalidCredentials")
        yield* Effect.sleep("4 seconds")
        const error = yield* Effect.flip(cache.get)
        assert.strictEqual(error._tag, "InvalidCredentials")
        assert.strictEqual(waitOf(error), 6_000)
      })
    ))

  for (const reason of ["StoreCodec", "StoreUnreadable"] as const) {
    it(`is not covered up by the rejected token if the store fails with ${reason}, which is logged`, () => {
      const logs = captureLogs()
      const unreadable = new UnavailableError({ operation: "store", reason })
      simulated(
        Effect.gen(function* () {
          const upstream = makeUpstream()
          const faulty = makeFaultyStore()
          const cache = yield* makeCache({ upstream, store: faulty.store })
          yield* reject(cache)
          faulty.before = at("read", "acquire")(unreadable)
          for (let second = 0; second < 120; second++) {
            const error = yield* Effect.flip(cache.get)
            assert.strictEqual(error._tag === "Unavailable" && error.reason, reason)
            yield* Effect.sleep("1 second")
          }
          faulty.before = () => Effect.void
          yield* Effect.sleep("30 seconds")
          assert.strictEqual(yield* getText(cache), "access-2")
        }).pipe(Effect.provide(logs.layer))
      )
      assert.isAtLeast(
        logs.lines.filter((line) => line.startsWith("WARN The access token could not be renewed")).length,
        5
      )
    })
  }

  it("counts one token once, however often it is rejected", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* reject(cache)
        upstream.always = { failUnprocessed: unreachable }
        for (let step = 0; step < 60; step++) {
          yield* Effect.exit(cache.get)
          yield* Effect.ignore(reject(cache))
          yield* Effect.sleep("1 second")
        }
        upstream.always = {}
        yield* Effect.sleep("30 seconds")
        yield* cache.get
        yield* Effect.sleep(0)
        // Nine of the ten free rejections are left.
        for (let step = 0; step < 9; step++) {
          yield* reject(cache)
          assert.strictEqual(yield* getText(cache), upstream.liveToken())
        }
      })
    ))
})
