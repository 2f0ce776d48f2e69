/**
 * Commands and answers that are long under way: a session is never given more time than it has. Redis and this process
 * are on one host here, so that they have one clock.
 */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, Redacted, type Scope } from "effect"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as Driver from "../../../src/layers/store/redis/Driver.js"
import * as RedisConnection from "../../../src/layers/store/redis/RedisConnection.js"
import type { StoreDriver, Write } from "../../../src/layers/store/StoreDriver.js"
import type { StoreKey } from "../../../src/schemas/StoreKey.js"
import { freshKey, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../../support/describeRedis.js"
import { redisServer } from "../../support/redis.js"
import { ifFree, ownerOf } from "../../support/storeFaults.js"
import { untilOf } from "./contract.js"

const REMAINING = Duration.toMillis("30 minutes")

/** A write by a process that takes the store's time for `storeTime`. */
const writeAt = (storeTime: number, version = 1): Write => ({
  session: Option.some(sessionOf("held")),
  tombstone: false,
  version,
  remaining: Duration.millis(REMAINING),
  expiresAt: storeTime + REMAINING
})

const owner = ownerOf("owner")

const open = (url: string, key: StoreKey): Effect.Effect<StoreDriver, never, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* Effect.orDie(RedisConnection.fromUrl(Redacted.make(url)))
    const settings = { codec: SessionCodec.plain, commandTimeout: Duration.seconds(1) }
    const connect = yield* Driver.make(connection, settings)
    return yield* connect(key, Duration.seconds(10))
  })

/** Redis and this process share one clock here; `difference` is what the process believes beyond that. */
const put = (driver: StoreDriver, difference = 0) =>
  Effect.zipRight(driver.acquire(owner, ifFree), driver.commit(owner, 0, writeAt(Date.now() + difference)))

describeRedis("a write of TokenStoreRedis that arrives late", (server) => {
  const writeWhileFrozen = (time: Duration.DurationInput) =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const key = yield* freshKey()
      const driver = yield* open(redis.url, key)
      yield* driver.acquire(owner, ifFree)
      yield* redis.freeze
      const asked = Date.now()
      const commit = yield* Effect.fork(driver.commit(owner, 0, writeAt(asked)))
      yield* Effect.sleep(time)
      yield* redis.thaw
      yield* Fiber.await(commit)
      const until = yield* Effect.repeat(untilOf(redis, key), { until: (_) => _ > 0 }).pipe(
        Effect.timeoutFail({ duration: "20 seconds", onTimeout: () => new Error("Redis did not write the session") })
      )
      assert.isAtMost(until, asked + REMAINING)
      assert.isAbove(until, asked + REMAINING - 5_000)
    })

  it.scopedLive("gives a session no more time if the write waits in a Redis that is frozen", () =>
    writeWhileFrozen("400 millis")
  )

  it.scopedLive("gives a session no more time if the write timed out and is applied later", () =>
    writeWhileFrozen("1500 millis")
  )

  it.scopedLive("gives a session no more time if the write arrives at a Redis whose clock is behind", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      yield* put(yield* open(redis.url, key), Duration.toMillis("1 hour"))
      const until = yield* untilOf(redis, key)
      assert.isAtMost(until, Date.now() + REMAINING)
      assert.isAbove(until, Date.now() + REMAINING - 5_000)
    })
  )

  it.scopedLive("keeps the entry if the write arrives at a Redis whose clock is ahead", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis.url, key)
      yield* put(driver, -Duration.toMillis("100 days"))
      const entry = Option.getOrThrow((yield* driver.read).entry)
      assert.deepStrictEqual([Duration.toMillis(entry.remaining), entry.session], [0, Option.some(sessionOf("held"))])
    })
  )
})
