import { assert, it } from "@effect/vitest"
import { Duration, Effect, Option, Redacted } from "effect"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as Driver from "../../../src/layers/store/redis/Driver.js"
import * as RedisConnection from "../../../src/layers/store/redis/RedisConnection.js"
import * as SessionStore from "../../../src/layers/store/SessionStore.js"
import { freshKey, put, readStored, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../../support/describeRedis.js"
import { proxyTo } from "../../support/proxy.js"
import { untilOf } from "./contract.js"

describeRedis("a process that stalls during a Redis command", (server) => {
  it.scopedLive("takes the answer that arrived meanwhile, and counts its age", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const wire = yield* proxyTo(redis.port)
      const connection = yield* RedisConnection.fromUrl(Redacted.make(`redis://127.0.0.1:${wire.port}`))
      const connect = yield* Driver.make(connection, { codec: SessionCodec.plain, commandTimeout: Duration.seconds(1) })
      const key = yield* freshKey()
      const store = yield* SessionStore.fromDriver(connect).open(key, Duration.seconds(1))
      yield* put(store, sessionOf("held"))
      const until = yield* untilOf(redis, key)
      yield* wire.stallAfter(1_100)
      const asked = Date.now()
      const { remaining } = Option.getOrThrow(yield* readStored(store))
      assert.isAtMost(Duration.toMillis(remaining), until - asked - 1_000)
    })
  )
})
