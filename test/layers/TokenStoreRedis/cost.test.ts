/** What the store costs, counted by the server. */
import { HttpClient } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Redacted } from "effect"
import * as Nomba from "../../../src/layers/Nomba.js"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as TokenStoreRedis from "../../../src/layers/TokenStoreRedis.js"
import { Sandbox } from "../../../src/sandbox/Sandbox.js"
import { TokenCache } from "../../../src/services/TokenCache.js"
import { adoptAny, freshKey, makeObtain, put, renew, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../../support/describeRedis.js"
import { type RedisServerService, redisServer } from "../../support/redis.js"

const codec = SessionCodec.plain

/**
 * How often the server has read an entry and given a lease. Learning which version there is, when a store begins
 * to listen, is neither.
 */
const looks = ({ call }: RedisServerService) =>
  Effect.map(call("INFO", "commandstats"), (stats) =>
    ["hmget", "set"].map((name) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(String(stats))?.[1] ?? 0))
  )

/** How many scripts the server has run. */
const scripts = ({ call }: RedisServerService) =>
  Effect.map(call("INFO", "commandstats"), (stats) =>
    ["eval", "evalsha"].reduce(
      (sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(String(stats))?.[1] ?? 0),
      0
    )
  )

/** The cache of a client of a sandbox, over this server. */
const cacheOver = (redis: RedisServerService) =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.make()
    const NombaLive = Nomba.layer({ ...Sandbox.defaultClient, baseUrl: sandbox.url }).pipe(
      Layer.provide(TokenStoreRedis.layer({ url: Redacted.make(redis.url), codec })),
      Layer.provide(Layer.succeed(HttpClient.HttpClient, sandbox.client))
    )
    return Context.get(yield* Layer.build(NombaLive), TokenCache)
  })

describeRedis("what TokenStoreRedis costs", () => {
  it.scopedLive("is nothing for a token in memory", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const cache = yield* cacheOver(redis)
      yield* cache.get
      const before = yield* looks(redis)
      assert.notDeepEqual(before, [0, 0])
      for (let hits = 0; hits < 1_000; hits++) yield* cache.get
      assert.deepStrictEqual(yield* looks(redis), before)
    })
  )

  it.scopedLive("is five scripts for a renewal, and less than 2 kB for an entry", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const cache = yield* cacheOver(redis)
      yield* cache.get
      const before = yield* scripts(redis)
      yield* cache.invalidate(yield* cache.get)
      yield* cache.get
      // The sixth is a read, if the announcement comes before the answer of the commit: they travel on two connections.
      assert.include([5, 6], (yield* scripts(redis)) - before)
      const [entry = ""] = (yield* redis.call("KEYS", "nomba-auth:*")) as ReadonlyArray<string>
      assert.isBelow(Number(yield* redis.call("MEMORY", "USAGE", entry)), 2_000)
    })
  )

  it.scopedLive("is one round trip, without a lease, for a session that another process has renewed", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const key = yield* freshKey()
      const make = TokenStoreRedis.make({ url: Redacted.make(redis.url), codec })
      const [a, b] = [yield* make, yield* make]
      yield* put(yield* a.open(key, Duration.seconds(1)), sessionOf("held"))
      const store = yield* b.open(key, Duration.seconds(1))
      const [entries = 0, leases] = yield* looks(redis)
      const { obtain } = yield* makeObtain(sessionOf("never"))
      yield* renew(store, adoptAny, obtain)
      assert.deepStrictEqual(yield* looks(redis), [entries + 1, leases])
    })
  )
})
