import { assert, it } from "@effect/vitest"
import { Chunk, Duration, Effect, Redacted, Stream } from "effect"
import * as Driver from "../../../src/layers/store/redis/Driver.js"
import * as RedisConnection from "../../../src/layers/store/redis/RedisConnection.js"
import { describeRedis } from "../../support/describeRedis.js"
import { codecs, holder, key, readGolden, texts, version, writeGolden } from "../../support/storedTexts.js"
import { ifFree, ownerOf } from "../../support/storeFaults.js"

const entry = `nomba-auth:{${key}}`

/** One test, because its parts share a key. */
describeRedis("an entry of format 1 in Redis", (server) => {
  it.scopedLive("is read, written, leased and announced as processes of another version expect", () =>
    Effect.gen(function* () {
      const { call, url } = yield* server
      const connection = yield* RedisConnection.fromUrl(Redacted.make(url))
      const open = (codec: "plain" | "encrypted") =>
        Effect.gen(function* () {
          const connect = yield* Driver.make(connection, {
            codec: yield* codecs[codec],
            commandTimeout: Duration.seconds(2)
          })
          return yield* connect(key, Duration.seconds(13))
        })
      const forget = call("DEL", entry, `${entry}:lease`, `${entry}:failure`)

      for (const codec of ["plain", "encrypted"] as const) {
        yield* forget
        yield* call("HSET", entry, ...Object.entries<string>(texts.redis[codec]).flat())
        yield* call("SET", `${entry}:failure`, texts.redisFailure)
        yield* readGolden(yield* open(codec))
      }

      yield* forget
      const driver = yield* open("plain")
      yield* writeGolden(driver, Date.now())
      const names = (yield* call("HKEYS", entry)) as Array<string>
      assert.deepStrictEqual(names.sort(), Object.keys(texts.redis.plain).sort())
      const written = yield* call("HMGET", entry, "version", "text", "flag", "by")
      assert.deepStrictEqual(written, [String(version), texts.plain.session, "", texts.redisLease])
      assert.strictEqual(yield* call("GET", `${entry}:lease`), texts.redisLease)
      yield* call("SET", `${entry}:lease`, texts.redisLease, "PX", "13000")
      assert.isFalse((yield* driver.acquire(ownerOf("another"), ifFree)).held)
      assert.isTrue(yield* driver.extend(holder))

      yield* forget
      // The stored version comes first, once the subscription is made.
      const announced = yield* Stream.runCollect(
        Stream.tap(Stream.take(yield* driver.changes, 2), (heard) =>
          heard === 0 ? call("PUBLISH", texts.redisChannel, String(version)) : Effect.void
        )
      )
      assert.deepStrictEqual(Chunk.toReadonlyArray(announced), [0, version])
    })
  )
})
