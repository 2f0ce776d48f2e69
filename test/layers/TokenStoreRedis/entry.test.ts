/** What the store holds, and for how long. */
import { assert, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import { Duration, Effect, Logger, Option, Queue, Redacted, type Scope, Stream } from "effect"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as Driver from "../../../src/layers/store/redis/Driver.js"
import * as RedisConnection from "../../../src/layers/store/redis/RedisConnection.js"
import {
  MAX_FAILURE_WAIT,
  MAX_LEASE_TIME,
  type StoreDriver,
  type Write
} from "../../../src/layers/store/StoreDriver.js"
import type { StoreKey } from "../../../src/schemas/StoreKey.js"
import { freshKey, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../../support/describeRedis.js"
import type { RedisServerService } from "../../support/redis.js"
import { ifFree, nothingLeft, ownerOf } from "../../support/storeFaults.js"
import { entryOf } from "./contract.js"

const LEASE = Duration.seconds(5)

const open = (
  { url }: RedisServerService,
  key: StoreKey,
  codec: SessionCodec.SessionCodec = SessionCodec.plain
): Effect.Effect<StoreDriver, never, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* Effect.orDie(RedisConnection.fromUrl(Redacted.make(url)))
    const connect = yield* Driver.make(connection, { codec, commandTimeout: Duration.seconds(1) })
    return yield* connect(key, LEASE)
  })

const owner = ownerOf("owner")
const another = ownerOf("another")

const write = (
  name: string,
  version: number,
  {
    remaining = "30 minutes",
    ...rest
  }: { readonly remaining?: Duration.DurationInput; readonly tombstone?: boolean } = {}
): Write => ({
  session: Option.some(sessionOf(name)),
  tombstone: false,
  version,
  remaining: Duration.decode(remaining),
  expiresAt: Date.now() + Duration.toMillis(remaining),
  ...rest
})

describeRedis("the entry of TokenStoreRedis", (server) => {
  it.scopedLive("is two keys, the entry until 30 days past its expiry, and the lease for its time", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      yield* driver.acquire(owner, ifFree)
      assert.isTrue(yield* driver.commit(owner, 0, write("held", 5)))
      const entry = entryOf(key)
      const lease = `${entry}:lease`
      assert.deepStrictEqual(yield* redis.call("EXISTS", entry, lease), 2)
      const kept = Duration.toMillis("30 days") + Duration.toMillis("30 minutes")
      assert.approximately(Number(yield* redis.call("PTTL", entry)), kept, 10_000)
      assert.isAtMost(Number(yield* redis.call("PTTL", lease)), Duration.toMillis(LEASE))
      yield* driver.release(owner, nothingLeft)
      assert.strictEqual(yield* redis.call("EXISTS", lease), 0)
    })
  )

  it.scopedLive("has a third key for a shared failure, until ten minutes past its wait", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      const failure = { reason: "RateLimited", status: Option.none(), wait: Duration.seconds(30), count: 4 } as const
      yield* driver.acquire(owner, ifFree)
      yield* driver.release(another, { failure: Option.some(failure), cancelRefresh: false })
      assertNone((yield* driver.read).failure)
      yield* driver.release(owner, { failure: Option.some(failure), cancelRefresh: false })
      const read = Option.getOrThrow((yield* driver.read).failure)
      assert.deepStrictEqual({ ...read, wait: failure.wait }, failure)
      assert.approximately(Duration.toMillis(read.wait), 30_000, 5_000)
      const left = Number(yield* redis.call("PTTL", `${entryOf(key)}:failure`))
      assert.approximately(left, Duration.toMillis("630 seconds"), 5_000)
      for (const damaged of ["", "Timeout 503 1 0 1", "ServerError 5 1 0 1", "ServerError 503 1 0"]) {
        yield* redis.call("SET", `${entryOf(key)}:failure`, damaged)
        assertNone((yield* driver.read).failure)
      }
    })
  )

  it.scopedLive("has no lease that lasts forever, or longer than a lease can", () =>
    Effect.gen(function* () {
      const redis = yield* server
      for (const change of [["PERSIST"], ["PEXPIRE", Duration.toMillis(MAX_LEASE_TIME) + 10_000]] as const) {
        const key = yield* freshKey()
        const driver = yield* open(redis, key)
        yield* driver.acquire(owner, ifFree)
        assert.isTrue((yield* driver.read).isLeased)
        const [command, ...time] = change
        yield* redis.call(command, `${entryOf(key)}:lease`, ...time)
        assert.isFalse((yield* driver.read).isLeased)
        assert.isTrue((yield* driver.acquire(another, ifFree)).held)
        assert.isFalse(yield* driver.extend(owner))
        assert.isAtMost(Number(yield* redis.call("PTTL", `${entryOf(key)}:lease`)), Duration.toMillis(LEASE))
      }
    })
  )

  it.scopedLive("believes a shared failure no longer than a stated wait is believed", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      const since = Date.now() - 1_000
      yield* redis.call("SET", `${entryOf(key)}:failure`, `RateLimited 429 1 ${since} 8640000000000000`)
      const { wait } = Option.getOrThrow((yield* driver.read).failure)
      assert.isBelow(Duration.toMillis(wait), Duration.toMillis(MAX_FAILURE_WAIT))
    })
  )

  it.scopedLive("has no lifetime left if the clock was set back to before its write", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      yield* driver.acquire(owner, ifFree)
      yield* driver.commit(owner, 0, write("before", 5))
      const future = Date.now() + 1_000_000
      yield* redis.call("HSET", entryOf(key), "since", future, "until", future + 1_000_000)
      const entry = Option.getOrThrow((yield* driver.read).entry)
      assert.strictEqual(Duration.toMillis(entry.remaining), 0)
    })
  )

  it.scopedLive("is written once by a commit that is sent twice, and by no commit of another owner", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      yield* driver.acquire(owner, ifFree)
      assert.isTrue(yield* driver.commit(owner, 0, write("held", 5)))
      yield* driver.release(owner, nothingLeft)
      assert.isTrue(yield* driver.commit(owner, 0, write("held", 5)))
      assert.isFalse(yield* driver.commit(owner, 5, write("late", 6)))
      yield* driver.acquire(another, ifFree)
      assert.isFalse(yield* driver.commit(another, 0, write("late", 5)))
      assert.isFalse(yield* driver.commit(another, 5, write("late", 5)))
      assert.isFalse(yield* driver.commit(owner, 5, write("late", 6)))
      assert.isTrue(yield* driver.commit(another, 5, write("next", 6)))
    })
  )

  it.scopedLive(
    "has a lease that its owner may take again, and a later attempt of the same store if it is abandoned",
    () =>
      Effect.gen(function* () {
        const redis = yield* server
        const driver = yield* open(redis, yield* freshKey())
        for (const _ of [1, 2]) assert.isTrue((yield* driver.acquire(owner, ifFree)).held)
        assert.isFalse((yield* driver.acquire(another, { takeOverBelow: 9 })).held)
        assert.isFalse(yield* driver.extend(another))
        yield* driver.release(another, nothingLeft)
        assert.isTrue(yield* driver.extend(owner))
        const later = ownerOf("owner", 2)
        assert.isFalse((yield* driver.acquire(later, { takeOverBelow: 1 })).held)
        assert.isTrue((yield* driver.acquire(later, { takeOverBelow: 2 })).held)
        assert.isFalse(yield* driver.extend(owner))
      })
  )

  it.scopedLive("gives no lease to an acquire that arrives too late", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const driver = yield* open(redis, yield* freshKey())
      const { now } = yield* driver.read
      const late = yield* driver.acquire(owner, { takeOverBelow: 0, notAfter: now - 1 })
      assert.deepStrictEqual([late.held, late.isLeased], [false, false])
      const early = yield* driver.acquire(owner, { takeOverBelow: 0, notAfter: now + 5_000 })
      assert.deepStrictEqual([early.held, early.isLeased], [true, true])
    })
  )

  it.scopedLive("is not changed by an acquire", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      assertNone((yield* driver.acquire(owner, ifFree)).entry)
      assert.strictEqual(yield* redis.call("EXISTS", entryOf(key)), 0)
      yield* driver.commit(owner, 0, write("held", 5))
      yield* driver.setRefreshInFlight(owner, true)
      yield* driver.release(owner, nothingLeft)
      const before = yield* redis.call("HGETALL", entryOf(key))
      const { entry } = yield* driver.acquire(another, ifFree)
      assertSome(Option.getOrThrow(entry).refreshInFlight, owner)
      assert.deepStrictEqual(yield* redis.call("HGETALL", entryOf(key)), before)
      assert.isAbove(Number(yield* redis.call("PTTL", entryOf(key))), 0)
    })
  )

  it.scopedLive("is announced when it is written, and an acquire wakes no process", () =>
    Effect.gen(function* () {
      const driver = yield* open(yield* server, yield* freshKey())
      const heard = yield* Queue.unbounded<number>()
      yield* Effect.forkScoped(Stream.runForEach(yield* driver.changes, (version) => Queue.offer(heard, version)))
      assert.strictEqual(yield* Queue.take(heard), 0)
      yield* driver.acquire(owner, ifFree)
      yield* driver.extend(owner)
      yield* driver.commit(owner, 0, write("held", 5))
      assert.strictEqual(yield* Queue.take(heard), 5)
    })
  )

  it.scopedLive("is not created by a refresh-in-flight flag", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key)
      yield* driver.acquire(owner, ifFree)
      assert.isTrue(yield* driver.setRefreshInFlight(owner, true))
      yield* driver.release(owner, { ...nothingLeft, cancelRefresh: true })
      assertNone((yield* driver.read).entry)
      assert.strictEqual(yield* redis.call("EXISTS", entryOf(key)), 0)
    })
  )

  const damage = [
    ["version", "abc"],
    ["version", "-1"],
    ["version", "1.5"],
    ["version", String(Number.MAX_SAFE_INTEGER)],
    ["version", String(Number.MAX_SAFE_INTEGER - 1)],
    ["version", "8640000000000000"],
    ["until", ""],
    ["text", "{}"],
    ["text", 'nomba-session-1 plain {"accessToken":"a"}']
  ] as const
  for (const [field, value] of damage) {
    it.scopedLive(`is set aside with one warning if its ${field} is ${value || "empty"}, and goes on`, () =>
      Effect.gen(function* () {
        const redis = yield* server
        const key = yield* freshKey()
        const warnings: Array<string> = []
        const logger = Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ message }) => void warnings.push(String(message)))
        )
        const driver = yield* open(redis, key)
        yield* driver.acquire(owner, ifFree)
        yield* driver.commit(owner, 0, write("the-access-token", 5))
        yield* redis.call("HSET", entryOf(key), field, value)
        const readings = yield* Effect.all([driver.read, driver.read, driver.acquire(owner, ifFree)], {
          concurrency: "unbounded"
        }).pipe(Effect.provide(logger))
        for (const { entry } of readings) assertNone(entry)
        assert.lengthOf(warnings, 1)
        assert.include(warnings[0], `${entryOf(key)}:unreadable`)
        assert.notInclude(warnings[0], "the-access-token")
        const kept = yield* redis.call("HGET", `${entryOf(key)}:unreadable`, field === "text" ? "text" : "version")
        assert.strictEqual(kept, field === "until" ? "5" : value)
        assert.isTrue(yield* driver.commit(owner, 0, write("next", 6)))
        assertSome(Option.getOrThrow((yield* driver.read).entry).session, sessionOf("next"))
      })
    )
  }

  const encryption = { id: "test", key: Redacted.make(Buffer.alloc(32, 7).toString("base64")) }

  it.scopedLive("is set aside if an old encrypted text was put back under a new version, over a tombstone too", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key, yield* SessionCodec.encrypted([encryption]))
      yield* driver.acquire(owner, ifFree)
      yield* driver.commit(owner, 0, write("old", 5))
      const text = yield* redis.call("HGET", entryOf(key), "text")
      yield* driver.commit(owner, 5, write("logged-out", 6, { tombstone: true }))
      assert.isTrue(Option.getOrThrow((yield* driver.read).entry).tombstone)
      yield* redis.call("HSET", entryOf(key), "text", String(text))
      assertNone((yield* driver.read).entry)
    })
  )

  it.scopedLive("is left alone if it is encrypted with another key, and the error names the key and the server", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key, yield* SessionCodec.encrypted([encryption]))
      yield* driver.acquire(owner, ifFree)
      yield* driver.commit(owner, 0, write("held", 5))
      const error = yield* Effect.flip((yield* open(redis, key)).read)
      assert.strictEqual(error.reason, "StoreCodec")
      assert.include(error.message, '"test"')
      assert.include(error.message, `Redis at 127.0.0.1:${redis.port}`)
      assertSome(Option.getOrThrow((yield* driver.read).entry).session, sessionOf("held"))
    })
  )

  it.scopedLive("is the codec's text, and shows nothing else of the session", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis, key, yield* SessionCodec.encrypted([encryption]))
      yield* driver.acquire(owner, ifFree)
      yield* driver.commit(owner, 0, write("the-access-token", 5))
      const fields = (yield* redis.call("HGETALL", entryOf(key))) as ReadonlyArray<string>
      assert.notInclude(fields.join(), "the-access-token")
      assert.include(fields.join(), "aes-256-gcm test ")
      assertSome(Option.getOrThrow((yield* driver.read).entry).session, sessionOf("the-access-token"))
    })
  )
})
