/** A Nomba that answers a token request with an access token that it gave before. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Option, Redacted } from "effect"
import type { AuthError } from "../../../src/schemas/AuthError.js"
import { Session } from "../../../src/schemas/Session.js"
import type { NombaAuthService } from "../../../src/services/NombaAuth.js"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { makeFaultyStore } from "../../support/faults.js"
import { captureLogs } from "../../support/logs.js"
import { simulated } from "../../support/time.js"
import { getText, makeCache, makeConfig, makeUpstream } from "../../support/upstream.js"

const minutes = (count: number): number => count * 60_000

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")

const jwt = (exp: number): string =>
  `${base64url({ alg: "HS256" })}.${base64url({ iat: 0, exp: exp / 1_000 })}.${"s".repeat(43)}`

type Dates =
  /** Every answer has a `Date`. */
  | "dated"
  /** No answer has one: the JWT's `iat` is the only time of the server. */
  | "undated"
  /** The token is opaque and the answers have no `Date`. */
  | "opaque"

/** Answers each token request with the same access token, and states 30 minutes each time. */
const makeRepeating = (dates: Dates, exp = minutes(30)) => {
  const upstream = makeUpstream()
  const token = dates === "opaque" ? "access-1" : jwt(exp)
  const again = <E>(effect: Effect.Effect<Session, E>): Effect.Effect<Session, E> =>
    Effect.map(
      effect,
      (session) =>
        new Session({
          ...session,
          accessToken: Redacted.make(token),
          ...(dates === "undated" ? { issuedAt: DateTime.unsafeMake(0) } : {}),
          clock: dates === "opaque" ? "local" : "server"
        })
    )
  const auth: NombaAuthService = {
    ...upstream.auth,
    issue: again(upstream.auth.issue),
    refresh: (options) => again(upstream.auth.refresh(options))
  }
  return { auth, token, upstream }
}

const isIneffective = (error: AuthError): boolean =>
  error._tag === "UnexpectedResponse" && error.reason === "RenewalIneffective"

/** One get every 5 seconds. Each token that it gets is good or not. */
const drive = (seconds: number, cache: TokenCacheService, isGood: () => boolean) =>
  Effect.gen(function* () {
    const seen = { served: 0, errors: [] as Array<AuthError> }
    for (let at = 0; at < seconds; at += 5) {
      const outcome = yield* Effect.either(cache.get)
      if (outcome._tag === "Left") seen.errors.push(outcome.left)
      else {
        seen.served += 1
        if (!isGood()) yield* cache.invalidate(outcome.right)
      }
      yield* Effect.sleep("5 seconds")
    }
    return seen
  })

for (const dates of ["dated", "undated", "opaque"] as const) {
  describe(`TokenCache.get if Nomba repeats its access token (${dates})`, () => {
    it("fails with RenewalIneffective after the token has expired, and sends few requests in an hour", () => {
      const logs = captureLogs()
      simulated(
        Effect.gen(function* () {
          const { auth, upstream } = makeRepeating(dates)
          const cache = yield* makeCache({ upstream: { auth } })
          yield* cache.get
          yield* Effect.sleep("30 minutes")
          const error = yield* Effect.flip(cache.get)
          assert.isTrue(isIneffective(error), error.message)
          assert.notInclude(error.message, "401")
          const { errors, served } = yield* drive(3_600, cache, () => true)
          assert.strictEqual(served, 0)
          assert.isTrue(errors.every(isIneffective))
          assert.isAtMost(upstream.count(), 10 + 3_600 / 30)
        }).pipe(Effect.provide(logs.layer))
      )
      assert.isAtLeast(logs.lines.filter((line) => line.startsWith("WARN")).length, 60)
    })

    it("sends few requests in an hour if the token was rejected, and hands it out for want of a better one", () => {
      const logs = captureLogs()
      simulated(
        Effect.gen(function* () {
          const { auth, upstream } = makeRepeating(dates, minutes(180))
          upstream.lifetime = "3 hours"
          const cache = yield* makeCache({ upstream: { auth } })
          yield* cache.invalidate(yield* cache.get)
          const error = yield* Effect.flip(cache.get)
          assert.isTrue(isIneffective(error), error.message)
          assert.match(error.message, /401.*the account id is missing or wrong \(not set\), or the route always/)
          yield* drive(3_600, cache, () => false)
          assert.isAtMost(upstream.count(), 10 + 3_600 / 30)
        }).pipe(Effect.provide(logs.layer))
      )
      assert.isAtLeast(logs.lines.filter((line) => line.startsWith("WARN")).length, 60)
    })

    it("serves the token to its end although renewals ahead of expiry bring the same one", () =>
      simulated(
        Effect.gen(function* () {
          const { auth, token, upstream } = makeRepeating(dates)
          const cache = yield* makeCache({ upstream: { auth } })
          yield* cache.get
          yield* Effect.sleep("25 minutes")
          const { errors, served } = yield* drive(285, cache, () => true)
          assert.strictEqual(served, 57)
          assert.lengthOf(errors, 0)
          assert.strictEqual(yield* getText(cache), token)
          assert.isAtMost(upstream.count(), 10 + 300 / 30)
          yield* Effect.sleep("6 seconds")
          assert.isTrue(isIneffective(yield* Effect.flip(cache.get)))
        })
      ))
  })
}

describe("TokenCache.get if Nomba repeats a JWT that lives longer than each stated lifetime", () => {
  it("goes on with it until the JWT's own end", () =>
    simulated(
      Effect.gen(function* () {
        const { auth, token, upstream } = makeRepeating("dated", minutes(180))
        const cache = yield* makeCache({ upstream: { auth } })
        yield* cache.get
        for (let minute = 0; minute < 179; minute++) {
          assert.strictEqual(yield* getText(cache), token, `after ${minute} minutes`)
          assert.isAtMost(Duration.toMillis((yield* cache.session).remaining), minutes(30))
          assert.isAtMost(Duration.toMillis((yield* cache.session).remaining), minutes(180 - minute))
          yield* Effect.sleep("1 minute")
        }
        yield* Effect.sleep("1 minute")
        assert.isTrue(isIneffective(yield* Effect.flip(cache.get)))
        assert.isAtMost(upstream.count(), 30)
      })
    ))

  it("serves it at once when a renewal after its stated lifetime brings it again", () =>
    simulated(
      Effect.gen(function* () {
        const { auth, token, upstream } = makeRepeating("dated", minutes(180))
        const cache = yield* makeCache({ upstream: { auth } })
        yield* cache.get
        yield* Effect.sleep("40 minutes")
        assert.strictEqual(yield* getText(cache), token)
        assert.strictEqual(Duration.toMillis(Option.getOrThrow(yield* cache.peek).remaining), minutes(30))
        assert.strictEqual(upstream.count(), 2)
      })
    ))
})

describe("TokenCache.get in a new process if Nomba repeats the expired token that is stored", () => {
  it("fails with RenewalIneffective, and does not hand it out for another lifetime", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const session = yield* upstream.startSession
        const auth = { ...upstream.auth, issue: Effect.succeed(session), refresh: () => Effect.succeed(session) }
        const config = makeConfig()
        const process = () => makeCache({ upstream: { auth }, config, store: makeFaultyStore().store })
        assert.strictEqual(yield* getText(yield* process()), "access-1")
        yield* Effect.sleep("31 minutes")
        const error = yield* Effect.flip((yield* process()).get)
        assert.strictEqual(error._tag === "UnexpectedResponse" && error.reason, "RenewalIneffective")
      })
    ))
})
