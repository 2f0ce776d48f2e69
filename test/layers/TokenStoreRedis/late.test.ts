/**
 * Commands and answers that are long under way: a session is never given more time than it has. Redis and this process
 * are on one host here, so that they have one clock.
 */
import { assert, it } from "@effect/vitest"
import { assertNone } from "@effect/vitest/utils"
import { Duration, Effect, Fiber, Option, Redacted, type Scope } from "effect"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as Driver from "../../../src/layers/store/redis/Driver.js"
import * as Link from "../../../src/layers/store/redis/Link.js"
import type { RedisClient } from "../../../src/layers/store/redis/RedisClient.js"
import type { Next, StoreDriver } from "../../../src/layers/store/StoreDriver.js"
import type { StoreKey } from "../../../src/schemas/StoreKey.js"
import { freshKey, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../../support/describeRedis.js"
import { redisServer } from "../../support/redis.js"
import { untilOf } from "./contract.js"

const REMAINING = Duration.toMillis("30 minutes")

const next: Next = { session: Option.some(sessionOf("held")), tombstone: false, remaining: Duration.millis(REMAINING) }

const open = (
  url: string,
  key: StoreKey,
  change: (client: RedisClient) => RedisClient = (client) => client
): Effect.Effect<StoreDriver, never, Scope.Scope> =>
  Effect.gen(function* () {
    const link = yield* Link.own(Redacted.make(url))
    const settings = { codec: SessionCodec.plain, commandTimeout: Duration.seconds(1) }
    const connect = yield* Driver.make({ ...link, client: change(link.client) }, settings)
    return yield* connect(key, Duration.seconds(10))
  })

const put = (driver: StoreDriver) => Effect.zipRight(driver.acquire("owner"), driver.commit("owner", 0, next))

/** The client hears a time of Redis that differs by so much, as of another server that takes its place afterwards. */
const hearing =
  (difference: number) =>
  (client: RedisClient): RedisClient => ({
    ...client,
    eval: async (...args) => {
      const answer = await client.eval(...args)
      if (!Array.isArray(answer) || answer.length !== 3) return answer
      const [held, now, entry] = answer
      return [held, String(Number(now) + difference), entry]
    }
  })

describeRedis("what is long on its way between TokenStoreRedis and Redis", (server) => {
  const writeWhileFrozen = (time: Duration.DurationInput) =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const key = yield* freshKey()
      const driver = yield* open(redis.url, key)
      yield* driver.acquire("owner")
      yield* redis.freeze
      const asked = Date.now()
      const commit = yield* Effect.fork(driver.commit("owner", 0, next))
      yield* Effect.sleep(time)
      yield* redis.thaw
      yield* Fiber.await(commit)
      const until = yield* Effect.repeat(untilOf(redis, key), { until: (_) => _ > 0 }).pipe(
        Effect.timeoutFail({ duration: "20 seconds", onTimeout: () => new Error("Redis did not write the session") })
      )
      assert.isAtMost(until, asked + REMAINING)
      assert.isAbove(until, asked + REMAINING - 5_000)
    })

  it.scopedLive("gives a session no more time where the write waits in a Redis that is frozen", () =>
    writeWhileFrozen("400 millis")
  )

  it.scopedLive("gives a session no more time where the write was given up, and is done all the same", () =>
    writeWhileFrozen("1500 millis")
  )

  it.scopedLive("gives a session no more time where the write comes to a Redis whose clock is behind", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      yield* put(yield* open(redis.url, key, hearing(Duration.toMillis("1 hour"))))
      const until = yield* untilOf(redis, key)
      assert.isAtMost(until, Date.now() + REMAINING)
      assert.isAbove(until, Date.now() + REMAINING - 5_000)
    })
  )

  it.scopedLive("keeps the entry where the write comes to a Redis whose clock is ahead", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const key = yield* freshKey()
      const driver = yield* open(redis.url, key, hearing(-Duration.toMillis("100 days")))
      yield* put(driver)
      const entry = Option.getOrThrow(yield* driver.read)
      assert.deepStrictEqual([Duration.toMillis(entry.remaining), entry.session], [0, next.session])
    })
  )

  it.scopedLive("writes nothing that was never told of a lease", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      const key = yield* freshKey()
      yield* (yield* open(url, key)).acquire("owner")
      assertNone(yield* (yield* open(url, key)).commit("owner", 0, next))
    })
  )
})
