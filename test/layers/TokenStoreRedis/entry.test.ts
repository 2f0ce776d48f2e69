/** What the store holds, and for how long. */
import { assert, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import { Duration, Effect, Option, Queue, Redacted, type Scope, Stream } from "effect"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as Driver from "../../../src/layers/store/redis/Driver.js"
import * as Link from "../../../src/layers/store/redis/Link.js"
import type { Next, StoreDriver } from "../../../src/layers/store/StoreDriver.js"
import type { StoreKey } from "../../../src/schemas/StoreKey.js"
import { freshKey, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../../support/describeRedis.js"
import type { RedisServerService } from "../../support/redis.js"
import { entryOf } from "./contract.js"

const LEASE = Duration.seconds(5)

const open = (
  { url }: RedisServerService,
  key: StoreKey,
  codec: SessionCodec.SessionCodec = SessionCodec.plain
): Effect.Effect<StoreDriver, never, Scope.Scope> =>
  Effect.gen(function* () {
    const link = yield* Link.own(Redacted.make(url))
    const connect = yield* Driver.make(link, { codec, commandTimeout: Duration.seconds(1) })
    return yield* connect(key, LEASE)
  })

const next = (name: string, remaining: Duration.DurationInput = "30 minutes"): Next => ({
  session: Option.some(sessionOf(name)),
  tombstone: false,
  remaining: Duration.decode(remaining)
})

describeRedis("what TokenStoreRedis holds", (server) => {
  it.scopedLive("is two keys, the entry until 30 days past its expiry, and the lease for its time", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      yield* driver.acquire("owner")
      yield* driver.commit("owner", 0, next("held"))
      const entry = entryOf(key)
      const lease = `${entry}:lease`
      assert.deepStrictEqual(yield* redis.call("EXISTS", entry, lease), 2)
      const kept = Duration.toMillis("30 days") + Duration.toMillis("30 minutes")
      assert.approximately(Number(yield* redis.call("PTTL", entry)), kept, 10_000)
      assert.isAtMost(Number(yield* redis.call("PTTL", lease)), Duration.toMillis(LEASE))
      yield* driver.release("owner")
      assert.strictEqual(yield* redis.call("EXISTS", lease), 0)
    })
  )

  it.scopedLive("has a version that does not go back when the server comes back empty", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      yield* driver.acquire("owner")
      const before = Option.getOrThrow(yield* driver.commit("owner", 0, next("before")))
      yield* redis.call("DEL", entryOf(key))
      const after = Option.getOrThrow(yield* driver.commit("owner", 0, next("after")))
      assert.isAbove(after, before)
      const [seconds] = (yield* redis.call("TIME")) as [string]
      assert.isAtMost(after, (Number(seconds) + 1) * 1000)
    })
  )

  it.scopedLive("has a version that rises also when Redis's clock goes back", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      yield* driver.acquire("owner")
      const future = 9_000_000_000_000
      yield* driver.commit("owner", 0, next("before"))
      yield* redis.call("HSET", entryOf(key), "version", future, "since", future, "until", future + 1_000_000)
      const entry = Option.getOrThrow(yield* driver.read)
      assert.strictEqual(Duration.toMillis(entry.remaining), 0)
      assertSome(yield* driver.commit("owner", future, next("after")), future + 1)
    })
  )

  it.scopedLive("is written once by a commit that is sent twice, and announced each time", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      yield* driver.acquire("owner")
      const first = Option.getOrThrow(yield* driver.commit("owner", 0, next("held")))
      yield* driver.release("owner")
      assertSome(yield* driver.commit("owner", 0, next("held")), first)
      assertNone(yield* driver.commit("owner", first, next("late")))
      yield* driver.acquire("another")
      assertNone(yield* driver.commit("another", 0, next("late")))
      assertNone(yield* driver.commit("owner", first, next("late")))
    })
  )

  it.scopedLive("has a lease that its owner may take again", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const driver = yield* open(redis, yield* freshKey())
      for (const owner of ["owner", "owner"]) assert.isTrue((yield* driver.acquire(owner)).held)
      assert.isFalse((yield* driver.acquire("another")).held)
      assert.isFalse(yield* driver.extend("another"))
      yield* driver.release("another")
      assert.isTrue(yield* driver.extend("owner"))
    })
  )

  it.scopedLive("is left as it is by who takes the lease", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      assertNone((yield* driver.acquire("owner")).entry)
      assert.strictEqual(yield* redis.call("EXISTS", entryOf(key)), 0)
      yield* driver.commit("owner", 0, next("held"))
      yield* driver.mark("owner", true)
      yield* driver.release("owner")
      const before = yield* redis.call("HGETALL", entryOf(key))
      const { entry } = yield* driver.acquire("another")
      assert.isTrue(Option.getOrThrow(entry).refreshInFlight)
      assert.deepStrictEqual(yield* redis.call("HGETALL", entryOf(key)), before)
      assert.isAbove(Number(yield* redis.call("PTTL", entryOf(key))), 0)
    })
  )

  it.scopedLive("is announced when it is written, and nobody is woken when the lease is taken", () =>
    Effect.gen(function* () {
      const driver = yield* open(yield* server, yield* freshKey())
      const heard = yield* Queue.unbounded<number>()
      yield* Effect.forkScoped(Stream.runForEach(yield* driver.changes, (version) => Queue.offer(heard, version)))
      assert.strictEqual(yield* Queue.take(heard), 0)
      yield* driver.acquire("owner")
      yield* driver.extend("owner")
      const version = Option.getOrThrow(yield* driver.commit("owner", 0, next("held")))
      assert.strictEqual(yield* Queue.take(heard), version)
    })
  )

  it.scopedLive("does not come to be by a mark", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      yield* driver.acquire("owner")
      assert.isTrue(yield* driver.mark("owner", true))
      assertNone(yield* driver.read)
      assert.strictEqual(yield* redis.call("EXISTS", entryOf(key)), 0)
    })
  )

  it.scopedLive("is unreadable when another program has changed it", () =>
    Effect.gen(function* () {
      const redis = yield* server
      for (const [field, value] of [
        ["version", "abc"],
        ["version", "-1"],
        ["version", "1.5"],
        ["until", ""],
        ["tombstone", "yes"],
        ["session", "{}"]
      ] as const) {
        const key = yield* freshKey()
        const driver = yield* open(redis, key)
        yield* driver.acquire("owner")
        yield* driver.commit("owner", 0, next("held"))
        yield* redis.call("HSET", entryOf(key), field, value)
        const error = yield* Effect.flip(driver.read)
        assert.strictEqual(error.reason, "StoreUnreadable", `${field} ${value}`)
        yield* Effect.flip(driver.acquire("other"))
      }
    })
  )

  it.scopedLive("is what the codec made, and nothing of the session beside it", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const codec = yield* SessionCodec.encrypted([
        { id: "test", key: Redacted.make(Buffer.alloc(32, 7).toString("base64")) }
      ])
      const driver = yield* open(redis, key, codec)
      yield* driver.acquire("owner")
      yield* driver.commit("owner", 0, next("the-access-token"))
      const fields = (yield* redis.call("HGETALL", entryOf(key))) as ReadonlyArray<string>
      assert.notInclude(fields.join(), "the-access-token")
      assert.include(fields.join(), "aes-256-gcm test ")
      const entry = Option.getOrThrow(yield* driver.read)
      assertSome(entry.session, sessionOf("the-access-token"))
    })
  )
})
