/** The token cache of a public client over the HTTP client: a refresh that Nomba answered without a usable session. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Option, Redacted, TestClock } from "effect"
import { Session } from "../../src/schemas/Session.js"
import type { TokenCacheService } from "../../src/services/TokenCache.js"
import { granted, once } from "../support/auth.js"
import { at, makeFaultyStore, storeDown } from "../support/faults.js"
import { type Answer, fake, json, type Sent } from "../support/http.js"
import { settle } from "../support/time.js"
import { type CacheOptions, getText, makeConfig, makePublicCache, text } from "../support/upstream.js"

const session = new Session({
  accessToken: Redacted.make("access-1"),
  refreshToken: Option.some(Redacted.make("refresh-1")),
  lifetime: Duration.minutes(30),
  issuedAt: DateTime.unsafeMake(0),
  clock: "server",
  tokenType: "Bearer",
  businessId: Option.none()
})

/** A public client whose end user has logged in, and what its refreshes are answered with, in order. */
const loggedIn = (answers: ReadonlyArray<() => Answer>, options: Partial<CacheOptions> = {}) =>
  Effect.gen(function* () {
    const left = [...answers]
    const http = fake(() => (left.shift() ?? (() => Effect.dieMessage("a refresh too many")))())
    const upstream = { auth: yield* once(http) }
    const config = makeConfig()
    const open = makePublicCache({ upstream, config, ...options })
    /** Knows of the session what is stored. */
    const otherProcess = makePublicCache({ upstream, config, store: makeFaultyStore().store })
    const { cache, login } = yield* open
    yield* login(session)
    const sent = () => http.sent.map((request: Sent) => (request.json() as { refresh_token: string }).refresh_token)
    return { cache, open, otherProcess, sent }
  })

const failure = ({ get }: TokenCacheService) =>
  Effect.map(Effect.flip(get), (error) =>
    error._tag === "UnexpectedResponse" ? [error.operation, error.reason] : error._tag
  )

const good = () => granted({ access_token: "access-3", refresh_token: "refresh-3", expires_in: 1800 })

const expiredOnArrival = (refreshToken: unknown) => () =>
  granted({ access_token: "access-2", refresh_token: refreshToken, expires_in: 0 })

/** Successes that spent the refresh token and bring no usable session, with the refresh token that they contain. */
const useless: ReadonlyArray<
  readonly [what: string, reason: "AlreadyExpired" | "NoUsableToken", answer: (refreshToken: unknown) => () => Answer]
> = [
  ["a session that expired on arrival", "AlreadyExpired", expiredOnArrival],
  [
    "no access token",
    "NoUsableToken",
    (refreshToken) => () => granted({ access_token: null, refresh_token: refreshToken })
  ],
  [
    "an access token that no header can carry",
    "NoUsableToken",
    (refreshToken) => () => granted({ access_token: "two words", refresh_token: refreshToken })
  ]
]

describe("a public client whose refresh is answered with a session that it cannot use", () => {
  it.scoped("refreshes again at once with the newer refresh token", () =>
    Effect.gen(function* () {
      const { cache, sent } = yield* loggedIn([expiredOnArrival("refresh-2"), good])
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual(yield* getText(cache), "access-3")
      assert.deepStrictEqual(sent(), ["refresh-1", "refresh-2"])
    })
  )

  it.scoped("fails with AlreadyExpired if that is of no use either, and goes on with the newest refresh token", () =>
    Effect.gen(function* () {
      const answers = [expiredOnArrival("refresh-2"), expiredOnArrival("refresh-2b"), good]
      const { cache, sent } = yield* loggedIn(answers)
      yield* TestClock.adjust("30 minutes")
      assert.deepStrictEqual(yield* failure(cache), ["refresh", "AlreadyExpired"])
      assert.deepStrictEqual(yield* failure(cache), ["refresh", "AlreadyExpired"])
      assert.deepStrictEqual(sent(), ["refresh-1", "refresh-2"])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* getText(cache), "access-3")
      assert.deepStrictEqual(sent(), ["refresh-1", "refresh-2", "refresh-2b"])
    })
  )

  for (const [what, reason, answer] of useless) {
    for (const [again, refreshToken] of [
      ["no refresh token", undefined],
      ["the refresh token that was sent", "refresh-1"],
      ["a refresh token that is not a text", 7]
    ] as const) {
      it.scoped(`never sends the old refresh token again (${what}, ${again})`, () =>
        Effect.gen(function* () {
          const { cache, open, otherProcess, sent } = yield* loggedIn([answer(refreshToken)])
          yield* TestClock.adjust("30 minutes")
          yield* Effect.flip(cache.get)
          yield* TestClock.adjust("1 minute")
          assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Expired")
          for (const another of [yield* open, yield* otherProcess]) {
            assert.strictEqual((yield* Effect.flip(another.cache.get))._tag, "Expired")
          }
          assert.deepStrictEqual(sent(), ["refresh-1"])
        })
      )
    }

    it.scoped(`leaves the newer refresh token to another process (${what})`, () =>
      Effect.gen(function* () {
        const failing = reason === "AlreadyExpired" ? [() => json(429, {})] : []
        const { cache, otherProcess, sent } = yield* loggedIn([answer("refresh-2"), ...failing, good])
        yield* TestClock.adjust("30 minutes")
        yield* Effect.flip(cache.get)
        const other = yield* otherProcess
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* getText(other.cache), "access-3")
        assert.strictEqual(sent().at(-1), "refresh-2")
        assert.lengthOf(
          sent().filter((token) => token === "refresh-1"),
          1
        )
      })
    )

    it.scoped(`keeps the newer refresh token although the store is down (${what})`, () =>
      Effect.gen(function* () {
        const faulty = makeFaultyStore()
        const { cache, sent } = yield* loggedIn([answer("refresh-2"), good], { store: faulty.store })
        yield* TestClock.adjust("30 minutes")
        faulty.before = at("commit")(storeDown)
        yield* Effect.flip(cache.get)
        faulty.before = () => Effect.void
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* getText(cache), "access-3")
        assert.deepStrictEqual(sent(), ["refresh-1", "refresh-2"])
      })
    )

    it.scoped(`serves a live token meanwhile, and renews with the newer refresh token (${what})`, () =>
      Effect.gen(function* () {
        const { cache, sent } = yield* loggedIn([answer("refresh-2"), good])
        yield* TestClock.adjust("25 minutes")
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* settle
        assert.strictEqual(sent()[0], "refresh-1")
        for (let second = 0; second < 2; second++) {
          assert.include(["access-1", "access-3"], yield* getText(cache))
          yield* TestClock.adjust("1 second")
          yield* settle
        }
        assert.strictEqual(yield* getText(cache), "access-3")
        assert.deepStrictEqual(sent(), ["refresh-1", "refresh-2"])
      })
    )

    it.scoped(`tells the caller why (${what})`, () =>
      Effect.gen(function* () {
        const { cache } = yield* loggedIn([answer("refresh-2"), answer("refresh-3")])
        yield* TestClock.adjust("30 minutes")
        assert.deepStrictEqual(yield* failure(cache), ["refresh", reason])
      })
    )
  }

  it.scoped("serves a live token to its end although every renewal brings a session that expired on arrival", () =>
    Effect.gen(function* () {
      const answers = Array.from({ length: 100 }, (_, n) => expiredOnArrival(`refresh-${n + 2}`))
      const { cache, sent } = yield* loggedIn(answers)
      yield* TestClock.adjust("25 minutes")
      for (let second = 0; second < 4 * 60; second += 10) {
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* TestClock.adjust("10 seconds")
      }
      assert.isAbove(sent().length, 2)
      assert.strictEqual(new Set(sent()).size, sent().length)
    })
  )

  it.scoped("does not send a refresh token again that Nomba rejected", () =>
    Effect.gen(function* () {
      const { cache, sent } = yield* loggedIn([
        () => json(404, { code: "404", description: "Refresh Token not found" })
      ])
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Expired")
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Expired")
      assert.deepStrictEqual(sent(), ["refresh-1"])
    })
  )

  it.scoped("does not send it again from a layer that is built anew, although its session was lost", () =>
    Effect.gen(function* () {
      const faulty = makeFaultyStore()
      const { cache, open, sent } = yield* loggedIn([good], { store: faulty.store })
      yield* TestClock.adjust("30 minutes")
      faulty.before = at("commit")(storeDown)
      assert.strictEqual(yield* getText(cache), "access-3")
      const anew = yield* open
      assert.strictEqual((yield* Effect.flip(anew.cache.get))._tag, "Expired")
      assert.deepStrictEqual(sent(), ["refresh-1"])
    })
  )

  it.scoped("sends it again if the answer names no other and its session can be used", () =>
    Effect.gen(function* () {
      const answers = [() => granted({ access_token: "access-2", refresh_token: undefined, expires_in: 1800 }), good]
      const { cache, sent } = yield* loggedIn(answers)
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual(yield* getText(cache), "access-2")
      yield* TestClock.adjust("30 minutes")
      const { session } = yield* cache.session
      assert.strictEqual(text(session.accessToken), "access-3")
      assert.deepStrictEqual(sent(), ["refresh-1", "refresh-1"])
    })
  )
})
