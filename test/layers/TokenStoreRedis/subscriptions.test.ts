/** The connection that listens: its subscriptions keep their order, and a silent one is replaced. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Exit, Queue, Redacted, Scope, Stream, TestClock } from "effect"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as TokenStoreRedis from "../../../src/layers/TokenStoreRedis.js"
import type { SessionStore } from "../../../src/services/TokenStore.js"
import { freshKey, put, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../../support/describeRedis.js"
import { proxyTo } from "../../support/proxy.js"
import { type RedisServerService, redisServer } from "../../support/redis.js"

const make = (port: number) =>
  TokenStoreRedis.make({ url: Redacted.make(`redis://127.0.0.1:${port}`), codec: SessionCodec.plain })

const listen = (store: SessionStore) =>
  Effect.gen(function* () {
    const heard = yield* Queue.unbounded<number>()
    yield* Effect.forkScoped(Stream.runForEach(yield* store.changes, (version) => Queue.offer(heard, version)))
    return heard
  })

const hears = (heard: Queue.Dequeue<number>, version: number) =>
  Effect.repeat(Queue.take(heard), { until: (_) => _ === version })

/** The ids of the connections that are subscribed. */
const subscribers = ({ call }: RedisServerService) =>
  Effect.map(call("CLIENT", "LIST", "TYPE", "pubsub"), (list) =>
    Array.from(String(list).matchAll(/^id=(\d+)/gm), ([, id]) => id)
  )

describeRedis("the subscriptions of TokenStoreRedis", (server) => {
  it.scopedLive("end subscribed after a key was closed and opened in one tick, many times", () =>
    Effect.gen(function* () {
      const { port } = yield* server
      const key = yield* freshKey()
      const service = yield* make(port)
      const writer = yield* Effect.flatMap(make(port), (_) => _.open(key, Duration.seconds(1)))
      for (let round = 0; round < 5; round++) {
        const scope = yield* Scope.make()
        const first = yield* Scope.extend(Effect.flatMap(service.open(key, Duration.seconds(1)), listen), scope)
        yield* Queue.take(first)
        yield* Scope.close(scope, Exit.void)
        const heard = yield* Effect.flatMap(service.open(key, Duration.seconds(1)), listen)
        yield* Queue.take(heard)
        const { version } = yield* put(writer, sessionOf(`${round}`))
        yield* hears(heard, version)
      }
    })
  )

  it.scopedLive("end with the last subscriber", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const service = yield* make(redis.port)
      const channels = redis.call("PUBSUB", "CHANNELS", "*")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const heard = yield* Effect.flatMap(service.open(yield* freshKey(), Duration.seconds(1)), listen)
          yield* Queue.take(heard)
          assert.lengthOf((yield* channels) as ReadonlyArray<string>, 1)
        })
      )
      yield* Effect.repeat(channels, { until: (_) => Array.isArray(_) && _.length === 0 })
    })
  )

  it.scoped("move to a new connection if the old one is silent, as behind a load balancer that dropped it", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const wire = yield* proxyTo(redis.port)
      const key = yield* freshKey()
      const service = yield* make(wire.port)
      const heard = yield* Effect.flatMap(service.open(key, Duration.seconds(1)), listen)
      yield* Queue.take(heard)
      const [before] = yield* subscribers(redis)
      yield* wire.silent(true)
      yield* TestClock.adjust("30 seconds")
      yield* TestClock.adjust("1 second")
      yield* wire.silent(false)
      yield* Effect.repeat(Effect.zipRight(TestClock.adjust("1 second"), subscribers(redis)), {
        until: (ids) => ids.length === 1 && ids[0] !== before
      })
      const writer = yield* Effect.flatMap(make(redis.port), (_) => _.open(key, Duration.seconds(1)))
      const { version } = yield* put(writer, sessionOf("held"))
      yield* hears(heard, version)
    })
  )

  it.scoped("keep a connection that answers the heartbeat", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const key = yield* freshKey()
      const service = yield* make(redis.port)
      const heard = yield* Effect.flatMap(service.open(key, Duration.seconds(1)), listen)
      yield* Queue.take(heard)
      const before = yield* subscribers(redis)
      const pings = Effect.map(redis.call("INFO", "commandstats"), (stats) =>
        Number(/cmdstat_subscribe:calls=(\d+)/.exec(String(stats))?.[1])
      )
      for (const expected of [2, 3]) {
        yield* TestClock.adjust("30 seconds")
        yield* Effect.repeat(pings, { until: (_) => _ === expected })
      }
      assert.deepStrictEqual(yield* subscribers(redis), before)
    })
  )
})
