import { it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import * as Driver from "../../../src/layers/store/redis/Driver.js"
import * as RedisConnection from "../../../src/layers/store/redis/RedisConnection.js"
import { describeRedis } from "../../support/describeRedis.js"
import { codecs, key, readGolden, texts } from "../../support/storedTexts.js"

describeRedis("an entry of format 1 in Redis", (server) => {
  it.scopedLive("is read, plain and encrypted", () =>
    Effect.gen(function* () {
      const { call, url } = yield* server
      const entry = `nomba-auth:{${key}}`
      const connection = yield* RedisConnection.fromUrl(Redacted.make(url))
      for (const name of ["plain", "encrypted"] as const) {
        const settings = { codec: yield* codecs[name], commandTimeout: Duration.seconds(2) }
        const connect = yield* Driver.make(connection, settings)
        yield* call("DEL", entry)
        yield* call("HSET", entry, ...Object.entries<string>(texts.redis[name]).flat())
        yield* call("SET", `${entry}:failure`, texts.redisFailure)
        yield* readGolden(yield* connect(key, Duration.seconds(13)))
      }
    })
  )
})
