import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Equal, Logger, LogLevel, Redacted } from "effect"
import { type AuthError, Unavailable } from "../../../src/schemas/AuthError.js"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
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

const askingToWait = (retryAfter: Duration.DurationInput) =>
  new Unavailable({ operation: "issue", reason: "RateLimited", status: 429, retryAfter: Duration.decode(retryAfter) })

const waitOf = (error: AuthError): number | undefined =>
  error.retryAfter === undefined ? undefined : Duration.toMillis(error.retryAfter)

/** The seconds at which Nomba was called, from the given call on. */
const secondsOf = (upstream: Upstream, from = 0): ReadonlyArray<number> =>
  upstream.calls.slice(from).map((call) => call.at / 1_000)

/** Asks ten times a second. */
const askFor = (seconds: number, cache: TokenCacheService) =>
  Effect.repeatN(Effect.zipRight(Effect.exit(cache.get), Effect.sleep("100 millis")), seconds * 10 - 1)

/** A request with the current token is answered with 401. */
const reject = (cache: TokenCacheService) => Effect.flatMap(cache.get, cache.invalidate)

/** The same ten times a second. */
const rejectFor = (seconds: number, ...caches: ReadonlyArray<TokenCacheService>) =>
  Effect.repeatN(
    Effect.zipRight(
      Effect.forEach(caches, (cache) => Effect.repeatN(reject(cache), 4), { concurrency: "unbounded" }),
      Effect.sleep("100 millis")
    ),
    seconds * 10 - 1
  )

describe("the pause after a failed renewal is broken if", () => {
  it("it does not double from 1 s to 30 s", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { refuse: down }
        yield* askFor(125, yield* makeCache({ upstream }))
        assert.deepStrictEqual(secondsOf(upstream), [0, 1, 3, 7, 15, 31, 61, 91, 121])
      })
    ))

  it("refused credentials are not held back from 10 s to 5 min", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { refuse: wrongSecret }
        yield* askFor(1_000, yield* makeCache({ upstream }))
        assert.deepStrictEqual(secondsOf(upstream), [0, 10, 30, 70, 150, 310, 610, 910])
      })
    ))

  it("what the server asks for is not what is waited", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { refuse: askingToWait("42 seconds") }
        yield* askFor(100, yield* makeCache({ upstream }))
        assert.deepStrictEqual(secondsOf(upstream), [0, 42, 84])
      })
    ))

  it("a server that asks for no wait at all is called by every caller", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { refuse: askingToWait(0) }
        yield* askFor(4, yield* makeCache({ upstream }))
        assert.deepStrictEqual(secondsOf(upstream), [0, 1, 3])
      })
    ))

  it("a get meanwhile waits, calls Nomba, or does not tell what is left of it", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { refuse: down }
        const cache = yield* makeCache({ upstream })
        assert.isTrue(Equal.equals(yield* Effect.flip(cache.get), down))
        yield* Effect.sleep("400 millis")
        for (const operation of [Effect.asVoid(cache.get), Effect.asVoid(cache.session)]) {
          const error = yield* Effect.flip(operation)
          assert.strictEqual(error._tag === "Unavailable" && error.reason, "ServerError")
          assert.strictEqual(waitOf(error), 600)
        }
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it("a thousand callers in a storm cost more than it lets through", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { latency: "100 millis", refuse: down }
        const cache = yield* makeCache({ upstream })
        const caller = Effect.repeatN(Effect.zipRight(Effect.exit(cache.get), Effect.sleep("20 seconds")), 29)
        yield* together(1_000, caller)
        assert.isAtMost(upstream.count(), 5 + 600 / 30)
        assert.isAtLeast(upstream.count(), 15)
        assert.strictEqual(upstream.mostAtOnce(), 1)
      })
    ))

  it("it goes on after a renewal that succeeded", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        upstream.script({ refuse: down }, { refuse: down })
        yield* askFor(5, cache)
        upstream.always = { refuse: unreachable }
        yield* reject(cache)
        yield* askFor(4, cache)
        assert.deepStrictEqual(secondsOf(upstream), [0, 1, 3, 5, 6, 8])
      })
    ))

  it("another kind of failure inherits its length", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.script({ refuse: down }, { refuse: down }, { refuse: wrongSecret }, { refuse: down })
        yield* askFor(16, yield* makeCache({ upstream }))
        assert.deepStrictEqual(secondsOf(upstream), [0, 1, 3, 13, 14])
      })
    ))

  it("it keeps a token back that is alive", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* cache.get
        yield* Effect.sleep("25 minutes")
        upstream.always = { refuse: garbage }
        for (let second = 0; second < 289; second++) {
          assert.strictEqual(yield* getText(cache), "access-1")
          yield* Effect.sleep("1 second")
        }
        assert.isAtMost(upstream.count(), 1 + 5 + 300 / 30)
      })
    ))

  it("the store is looked into more than once a second, or not at all", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { refuse: wrongSecret }
        const faulty = makeFaultyStore()
        const cache = yield* makeCache({ upstream, store: faulty.store })
        yield* Effect.exit(cache.get)
        const before = faulty.count("read")
        yield* together(20, askFor(9, cache))
        assert.strictEqual(faulty.count("read") - before, 8)
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it("a store that hangs makes a caller wait for longer than one look", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { refuse: wrongSecret }
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

  it("a newer session in the store does not end it", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const deaf = makeFaultyStore()
        deaf.hears = false
        const cache = yield* makeCache({ upstream, config, store: deaf.store })
        upstream.script({ refuse: wrongSecret })
        yield* Effect.exit(cache.get)
        assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-1")
        yield* Effect.sleep("1 second")
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* reject(cache)
        assert.strictEqual(yield* getText(cache), "access-2")
      })
    ))

  it("an announced session does not end it", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const [cache, other] = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
        upstream.script({ refuse: wrongSecret })
        yield* Effect.exit(cache.get)
        yield* other.get
        yield* Effect.sleep(0)
        assert.strictEqual(yield* getText(cache), "access-1")
        assert.strictEqual(upstream.count(), 2)
      })
    ))

  it("a logout ends it", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { refuse: wrongSecret }
        const cache = yield* makeCache({ upstream })
        yield* Effect.exit(cache.get)
        yield* cache.logout
        yield* Effect.exit(cache.get)
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it("a store that is down keeps a live token from its callers", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const faulty = makeFaultyStore()
        const cache = yield* makeCache({ upstream, store: faulty.store })
        yield* cache.get
        faulty.before = () => storeDown
        for (let second = 0; second < 60; second++) {
          yield* reject(cache)
          assert.strictEqual(yield* getText(cache), "access-1")
          yield* Effect.sleep("1 second")
        }
        assert.strictEqual(upstream.count(), 1)
      })
    ))
})

describe("the pace after renewals that did not help is broken if", () => {
  it("two do not go at once, or the third does, or it does not double to 60 s", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        yield* rejectFor(250, yield* makeCache({ upstream }))
        assert.deepStrictEqual(secondsOf(upstream), [0, 0, 0, 1, 3, 7, 15, 31, 63, 123, 183, 243])
      })
    ))

  it("the held token is not handed out meanwhile", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* rejectFor(1, cache)
        assert.strictEqual(yield* getText(cache), "access-4")
        yield* reject(cache)
        assert.strictEqual(yield* getText(cache), "access-4")
        assert.strictEqual(upstream.count(), 4)
      })
    ))

  it("it keeps a token in use after its expiry", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.lifetime = "20 seconds"
        const cache = yield* makeCache({ upstream })
        yield* rejectFor(30, cache)
        assert.strictEqual(yield* getText(cache), "access-7")
        yield* Effect.sleep("5 seconds")
        assert.strictEqual(yield* getText(cache), "access-8")
      })
    ))

  it("a renewal after a rejection is Unavailable and the held token is not handed out until its expiry", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* reject(cache)
        upstream.always = { refuse: unreachable }
        for (let second = 0; second < 30 * 60 - 10; second++) {
          assert.strictEqual(yield* getText(cache), "access-1")
          yield* Effect.sleep("1 second")
        }
        assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Unavailable")
      })
    ))

  it("a caller waits for each try to replace a rejected token while Nomba is out of reach", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* reject(cache)
        upstream.always = { refuse: unreachable, latency: "10 seconds" }
        yield* cache.get
        for (let second = 0; second < 60; second++) {
          assert.strictEqual(yield* Effect.timeout(getText(cache), "1 millis"), "access-1")
          yield* Effect.sleep("1 second")
        }
        assert.isAtLeast(upstream.count(), 4)
      })
    ))

  it("one token that is rejected again and again counts for more than one", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* reject(cache)
        yield* reject(cache)
        upstream.script({ refuse: unreachable })
        for (let step = 0; step < 10; step++) {
          assert.strictEqual(yield* getText(cache), "access-2")
          yield* reject(cache)
          yield* Effect.sleep("100 millis")
        }
        yield* cache.get
        yield* Effect.sleep(0)
        assert.strictEqual(yield* getText(cache), "access-3")
        assert.deepStrictEqual(secondsOf(upstream), [0, 0, 0, 1])
      })
    ))

  it("a renewal after a rejection is refused and the rejected token is handed out", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* reject(cache)
        upstream.always = { refuse: wrongSecret }
        assert.strictEqual((yield* Effect.flip(cache.get))._tag, "InvalidCredentials")
        yield* Effect.sleep("4 seconds")
        const error = yield* Effect.flip(cache.get)
        assert.strictEqual(error._tag, "InvalidCredentials")
        assert.strictEqual(waitOf(error), 6_000)
      })
    ))

  it("a confirmed replay does not reset it", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        for (let second = 0; second < 30; second++) {
          if (yield* reject(cache)) yield* cache.confirm(yield* cache.get)
          yield* Effect.sleep("1 second")
        }
        assert.strictEqual(upstream.count(), 1 + 30)
      })
    ))

  it("a confirmation of another token than this cache's own mint resets it", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const [cache, other] = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
        const first = yield* cache.get
        yield* Effect.repeatN(reject(cache), 2)
        yield* Effect.sleep(0)
        yield* reject(other)
        assert.strictEqual(yield* getText(other), "access-4")
        yield* Effect.sleep(0)
        const { origin, session } = yield* cache.session
        assert.strictEqual(origin, "adopted")
        yield* cache.confirm(first)
        yield* cache.confirm(session.accessToken)
        yield* rejectFor(3, cache)
        assert.deepStrictEqual(secondsOf(upstream), [0, 0, 0, 0, 2])
      })
    ))

  it("adopted tokens end it, so that two caches renew against each other for ever", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const caches = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
        yield* rejectFor(600, ...caches)
        // Each about ten until its pace is at 60 s, and then one a minute.
        assert.isAtMost(upstream.count(), 2 * (10 + 10))
      })
    ))

  it("a token that lived for 60 s does not reset it, or one that lived for less does", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* rejectFor(1, cache)
        yield* Effect.sleep("1 second")
        yield* cache.get
        const four = upstream.count()
        yield* Effect.sleep("59999 millis")
        yield* reject(cache)
        yield* cache.get
        assert.strictEqual(upstream.count(), four)
        yield* Effect.sleep("2 seconds")
        yield* cache.get
        assert.strictEqual(upstream.count(), four + 1)
        yield* Effect.sleep("60 seconds")
        yield* Effect.repeatN(reject(cache), 4)
        assert.strictEqual(upstream.count(), four + 3)
      })
    ))

  it("a token that lived for 60 s does not reset it because another came in its place from elsewhere", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const [cache, other] = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
        yield* Effect.repeatN(reject(cache), 1)
        yield* cache.get
        yield* Effect.sleep("60 seconds")
        yield* reject(other)
        yield* other.get
        yield* Effect.sleep(0)
        yield* reject(cache)
        assert.strictEqual(yield* getText(cache), "access-5")
        assert.deepStrictEqual(secondsOf(upstream), [0, 0, 0, 60, 60])
      })
    ))

  it("renewals that fail in between hide that none of them helps", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* cache.get
        for (let second = 0; second < 600; second++) {
          if (upstream.count() % 2 === 1) upstream.always = { refuse: unreachable }
          else upstream.always = {}
          yield* reject(cache)
          yield* Effect.sleep("1 second")
        }
        assert.isAtMost(upstream.count(), 2 * 20)
      })
    ))

  it("the causes of a lasting 401 are not told, or more than once", () =>
    simulated(
      Effect.gen(function* () {
        const warnings: Array<string> = []
        const capture = Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ logLevel, message }) => void (logLevel._tag === "Warning" && warnings.push(String(message))))
        )
        const cache = yield* makeCache({ upstream: makeUpstream() })
        yield* Effect.gen(function* () {
          yield* Effect.repeatN(reject(cache), 1)
          assert.lengthOf(warnings, 0)
          yield* rejectFor(300, cache)
        }).pipe(Effect.provide(capture), Logger.withMinimumLogLevel(LogLevel.All))
        assert.lengthOf(warnings, 1)
        assert.match(warnings[0] ?? "", /accountId header is absent.*account id is wrong.*token is dead/)
      })
    ))

  it("one route that always answers 401 makes healthy traffic fail, or Nomba pay for each request", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        for (let step = 0; step < 6_000; step++) {
          yield* reject(cache)
          assert.strictEqual(Redacted.value(yield* cache.get), upstream.alive())
          yield* Effect.sleep("100 millis")
        }
        assert.isAtMost(upstream.count(), 9 + 600 / 60)
      })
    ))
})
