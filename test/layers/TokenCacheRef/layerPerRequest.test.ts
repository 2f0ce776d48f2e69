/** A program that builds its layer for each request. What the process learned about renewals must outlive the layer. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Option, Random, Redacted } from "effect"
import * as SessionStore from "../../../src/layers/store/SessionStore.js"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import { Unavailable } from "../../../src/schemas/AuthError.js"
import type { NombaConfigService } from "../../../src/services/NombaConfig.js"
import { makeFaultyStore } from "../../support/faults.js"
import { captureLogs } from "../../support/logs.js"
import { simulated } from "../../support/time.js"
import {
  type CacheOptions,
  down,
  getText,
  makeCache,
  makeConfig,
  makeUpstream,
  type Upstream,
  wrongSecret
} from "../../support/upstream.js"

/** One request: a layer is built, a token is asked for and used, and the layer closes. */
const request = (options: CacheOptions, isAccepted: (token: string) => boolean = () => true) =>
  Effect.gen(function* () {
    const cache = yield* makeCache(options)
    const token = yield* cache.get
    if (!isAccepted(Redacted.value(token))) yield* cache.invalidate(token)
    return Redacted.value(token)
  }).pipe(Effect.scoped, Effect.either)

/** One request a second. */
const requests = (count: number, options: CacheOptions, isAccepted?: (token: string) => boolean) =>
  Effect.repeatN(Effect.zipRight(request(options, isAccepted), Effect.sleep("1 second")), count - 1)

/** Issues only with the right secret and account id. */
const strict = (upstream: Upstream, config: () => NombaConfigService) => ({
  auth: {
    ...upstream.auth,
    issue: Effect.gen(function* () {
      const { accountId, clientSecret } = config()
      const isRight = Redacted.value(yield* clientSecret) === "right" && Option.contains(accountId, "right account")
      if (!isRight) upstream.script({ operation: "issue", failUnprocessed: wrongSecret })
      return yield* upstream.auth.issue
    })
  }
})

const withSecret = (secret: string): Partial<NombaConfigService> => ({
  clientSecret: Effect.succeed(Redacted.make(secret))
})

describe("a layer that is built for each request", () => {
  it("sends one token request for 100 requests at once with a wrong secret", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: wrongSecret }
        const config = makeConfig()
        yield* Effect.repeatN(request({ upstream, config }), 99)
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it("goes on with the backoff although each request has its own configuration object", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: wrongSecret }
        const config = makeConfig()
        for (let count = 0; count < 60; count++) {
          yield* request({ upstream, config: { ...config } })
          yield* Effect.sleep("1 second")
        }
        assert.deepStrictEqual(
          upstream.calls.map((call) => call.at / 1_000),
          [0, 10, 30]
        )
      })
    ))

  it("keeps a backoff for each of two wrong account ids", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: wrongSecret }
        const config = makeConfig()
        for (let count = 0; count < 120; count++) {
          const accountId = Option.some(count % 2 === 0 ? "one" : "two")
          yield* request({ upstream, config: { ...config, accountId } })
          yield* Effect.sleep("500 millis")
        }
        // At 0, 10 and 30 s each.
        assert.isAtMost(upstream.count(), 6)
      })
    ))

  it("goes on with the backoff if each request builds its store anew, as a layer for files or Redis does", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: wrongSecret }
        const config = makeConfig()
        const identity = {}
        for (let count = 0; count < 60; count++) {
          const store = SessionStore.fromDriver(TokenStoreMemory.connect, { identity })
          yield* request({ upstream, config, store })
          yield* Effect.sleep("1 second")
        }
        assert.strictEqual(upstream.count(), 3)
      })
    ))

  it("goes on with the backoff while Nomba is down", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: down }
        yield* requests(60, { upstream, config: makeConfig() })
        assert.deepStrictEqual(
          upstream.calls.map((call) => Math.floor(call.at / 1_000)),
          [0, 1, 3, 7, 15, 31]
        )
      })
    ))

  it("sends few token requests if every token is rejected, and warns", () => {
    const logs = captureLogs()
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        yield* requests(100, { upstream, config }, () => false)
        assert.isAtMost(upstream.count(), 11 + 100 / 3)
      }).pipe(Effect.provide(logs.layer), Effect.withRandom(Random.make("a seed")))
    )
    assert.isAtLeast(logs.lines.filter((line) => line.startsWith("WARN")).length, 1)
  })

  it("tries corrected credentials at once, and keeps the backoff for the wrong ones", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const base = makeConfig({ ...withSecret("wrong"), accountId: Option.some("right account") })
        let config = base
        const options = () => ({ upstream: strict(upstream, () => config), config })
        for (let count = 0; count < 3; count++) {
          yield* request(options())
          yield* Effect.sleep("1 second")
        }
        assert.strictEqual(upstream.count(), 1)
        config = { ...base, ...withSecret("right"), accountId: Option.some("wrong account") }
        const other = yield* request(options())
        assert.strictEqual(other._tag === "Left" && other.left._tag, "InvalidCredentials")
        assert.strictEqual(upstream.count(), 2)
        yield* Effect.sleep("1 second")
        config = { ...base, ...withSecret("right") }
        const corrected = yield* request(options())
        assert.strictEqual(corrected._tag === "Right" && corrected.right, "access-1")
        assert.strictEqual(upstream.count(), 3)
      })
    ))

  it("forgets ten minutes after the last layer closed", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        upstream.always = { failUnprocessed: wrongSecret }
        yield* requests(60, { upstream, config })
        // The third failure holds the next one back for 40 s; a fourth would for 80 s.
        yield* Effect.sleep("598 seconds")
        yield* request({ upstream, config })
        yield* Effect.sleep("11 seconds")
        yield* request({ upstream, config })
        assert.strictEqual(upstream.count(), 4)
        yield* Effect.sleep("601 seconds")
        yield* request({ upstream, config })
        yield* Effect.sleep("10 seconds")
        yield* request({ upstream, config })
        assert.strictEqual(upstream.count(), 6)
      })
    ))

  it("keeps apart what belongs to another client or another store", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: wrongSecret }
        const config = makeConfig()
        yield* request({ upstream, config })
        yield* request({ upstream, config: makeConfig() })
        yield* request({ upstream, config, store: makeFaultyStore().store })
        assert.strictEqual(upstream.count(), 3)
      })
    ))
})

describe("a secret that is read at each issue", () => {
  it("is tried within a second after it was corrected, and the wrong one is not tried again", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        let secret = "wrong"
        let reads = 0
        const config = makeConfig({
          accountId: Option.some("right account"),
          clientSecret: Effect.sync(() => {
            reads += 1
            return Redacted.make(secret)
          })
        })
        const cache = yield* makeCache({ upstream: strict(upstream, () => config), config })
        for (let step = 0; step < 90; step++) {
          yield* Effect.exit(cache.get)
          yield* Effect.sleep("100 millis")
        }
        assert.strictEqual(upstream.count(), 1)
        assert.isAtMost(reads, 2 + 9 + 1)
        secret = "right"
        for (let step = 0; step < 10; step++) {
          yield* Effect.exit(cache.get)
          yield* Effect.sleep("100 millis")
        }
        assert.strictEqual(yield* getText(cache), "access-1")
        assert.strictEqual(upstream.count(), 2)
      })
    ))

  it("does not end the backoff if it cannot be read", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: wrongSecret }
        let isReadable = true
        const secret = Effect.suspend(() =>
          isReadable
            ? Effect.succeed(Redacted.make("wrong"))
            : new Unavailable({ operation: "issue", reason: "Secret" })
        )
        const cache = yield* makeCache({ upstream, config: makeConfig({ clientSecret: secret }) })
        yield* Effect.exit(cache.get)
        isReadable = false
        yield* Effect.sleep("2 seconds")
        assert.strictEqual((yield* Effect.flip(cache.get))._tag, "InvalidCredentials")
        assert.strictEqual(upstream.count(), 1)
      })
    ))

  it("holds a caller back for at most 5 s if reading it hangs", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { failUnprocessed: wrongSecret }
        let hangs = false
        const config = makeConfig({
          clientSecret: Effect.suspend(() => (hangs ? Effect.never : Effect.succeed(Redacted.make("wrong"))))
        })
        const cache = yield* makeCache({ upstream, config })
        yield* Effect.exit(cache.get)
        yield* Effect.sleep("2 seconds")
        hangs = true
        const error = yield* Effect.timeoutOption(Effect.flip(cache.get), Duration.millis(5_001))
        assert.isTrue(Option.isSome(error))
        assert.strictEqual(upstream.count(), 1)
      })
    ))
})
