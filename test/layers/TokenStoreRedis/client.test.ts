/** Over a connection that the program has already. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Exit, Queue, Redacted, Scope, Stream } from "effect"
import { Cluster, Redis } from "ioredis"
import * as Six from "ioredis6"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import type { RedisClient } from "../../../src/layers/store/redis/RedisClient.js"
import * as TokenStoreRedis from "../../../src/layers/TokenStoreRedis.js"
import type { StoreKey } from "../../../src/schemas/StoreKey.js"
import type { SessionStore } from "../../../src/services/TokenStore.js"
import { freshKey, holds, holdsNothing, put, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../../support/describeRedis.js"
import { redisCluster, redisServer } from "../../support/redis.js"
import { commandTimeout, describeContract, entryOf } from "./contract.js"

type Client = RedisClient & { readonly disconnect: () => void; readonly ping: () => Promise<unknown> }

type ConnectionOptions = { readonly keyPrefix?: string; readonly db?: number }

const codec = SessionCodec.plain

const connected = <A extends Client>(connect: () => A): Effect.Effect<A, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(connect), (client) => Effect.sync(() => client.disconnect()))

const fromClient = (connect: () => Client) =>
  Effect.flatMap(connected(connect), (client) => TokenStoreRedis.makeFromClient({ client, codec, commandTimeout }))

const open = (connect: () => Client, key: StoreKey) =>
  Effect.flatMap(fromClient(connect), (_) => _.open(key, Duration.seconds(1)))

/** The versions that are announced to a holder. A place that has nothing yet is no news. */
const hear = ({ changes }: SessionStore): Effect.Effect<Queue.Dequeue<number>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const heard = yield* Queue.unbounded<number>()
    const versions = Stream.filter(yield* changes, (version) => version > 0)
    yield* Effect.forkScoped(Stream.runForEach(versions, (version) => Queue.offer(heard, version)))
    return heard
  })

/** The options that a queue consumer such as BullMQ sets, and numbers as text. */
const bullOptions = { maxRetriesPerRequest: null, enableReadyCheck: false, stringNumbers: true }

const atMost = "2 seconds"
describeContract("TokenStoreRedis keeps the contract over a connection of ioredis 5", {
  make: ({ port }) => fromClient(() => new Redis(port, "127.0.0.1", bullOptions)),
  atMost
})
describeContract("TokenStoreRedis keeps the contract over a connection of ioredis 6", {
  make: ({ port }) => fromClient(() => new Six.Redis(port, "127.0.0.1", bullOptions)),
  atMost
})

describeRedis("TokenStoreRedis over a connection that the program has already", (server) => {
  it.scopedLive("leaves it open when it closes, and closes the one that it added", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const name = `shared-${yield* freshKey()}`.replace(/\W/g, "").slice(-30)
      const client = yield* connected(() => new Redis(redis.port, "127.0.0.1", { connectionName: name }))
      const scope = yield* Scope.make()
      const key = yield* freshKey()
      const store = yield* Scope.extend(
        Effect.flatMap(TokenStoreRedis.makeFromClient({ client, codec }), (_) => _.open(key, Duration.seconds(1))),
        scope
      )
      yield* put(store, sessionOf("held"))
      const named = Effect.map(redis.call("CLIENT", "LIST"), (list) => String(list).split(`name=${name} `).length - 1)
      yield* Effect.repeat(named, { until: (connections) => connections === 2 })
      yield* Scope.close(scope, Exit.void)
      yield* Effect.repeat(named, { until: (connections) => connections === 1 })
      assert.strictEqual(yield* Effect.promise(() => client.ping()), "PONG")
      assert.strictEqual(client.listenerCount("error"), 0)
    })
  )

  for (const [version, client] of [
    [5, (port: number, place: ConnectionOptions) => new Redis(port, "127.0.0.1", place)],
    [6, (port: number, place: ConnectionOptions) => new Six.Redis(port, "127.0.0.1", place)]
  ] as const) {
    it.scopedLive(`keeps prefixes and databases apart, their announcements too, with ioredis ${version}`, () =>
      Effect.gen(function* () {
        const { port } = yield* server
        const key = yield* freshKey()
        const places: ReadonlyArray<ConnectionOptions> = [
          {},
          { keyPrefix: "a:" },
          { keyPrefix: "b:" },
          { db: 1 },
          { keyPrefix: "a:", db: 1 }
        ]
        const openAll = Effect.forEach(places, (place) => open(() => client(port, place), key))
        const [stores, others] = [yield* openAll, yield* openAll]
        const heard = yield* Effect.forEach(others, hear)
        const versions: Array<number> = []
        for (const [index, store] of stores.entries()) {
          for (const later of stores.slice(index)) yield* holdsNothing(later)
          versions.push((yield* put(store, sessionOf(`${index}`))).version)
          for (const [before, other] of others.slice(0, index + 1).entries())
            yield* holds(other, sessionOf(`${before}`))
        }
        for (const [index, announced] of heard.entries()) {
          const all = [yield* Queue.take(announced), ...(yield* Queue.takeAll(announced))]
          assert.deepStrictEqual([...new Set(all)], [versions[index]])
        }
      })
    )
  }

  it.scopedLive("stays in the database that the connection names, whichever it is in at the moment", () =>
    Effect.gen(function* () {
      const { port } = yield* server
      const key = yield* freshKey()
      const connect = () => new Redis(port, "127.0.0.1", { db: 3 })
      const client = yield* connected(connect)
      const service = yield* TokenStoreRedis.makeFromClient({ client, codec })
      const store = yield* service.open(key, Duration.seconds(1))
      yield* Effect.promise(() => client.select(4))
      yield* put(store, sessionOf("held"))
      yield* holds(yield* open(connect, key), sessionOf("held"))
      assert.strictEqual(yield* Effect.promise(() => client.dbsize()), 0)
    })
  )

  it.scopedLive("serves a cluster: all keys of a command are in one slot, and announcements arrive", () =>
    Effect.gen(function* () {
      const redis = yield* redisCluster
      const nodes = [{ host: "127.0.0.1", port: redis.port }]
      const slotOf = (name: string) => redis.call("CLUSTER", "KEYSLOT", name)
      for (const connect of [() => new Cluster(nodes), () => new Six.Cluster(nodes)]) {
        const key = yield* freshKey()
        const a = yield* open(connect, key)
        const b = yield* open(connect, key)
        const announced = yield* hear(b)
        const { version } = yield* put(a, sessionOf("held"))
        yield* holds(b, sessionOf("held"))
        assert.strictEqual(yield* Queue.take(announced), version)
        assert.strictEqual(yield* slotOf(entryOf(key)), yield* slotOf(`${entryOf(key)}:lease`))
      }
    })
  )

  it.scopedLive("gets announcements again after an outage, first for what it has missed", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const key = yield* freshKey()
      const url = Redacted.make(redis.url)
      const make = Effect.flatMap(TokenStoreRedis.make({ url, codec }), (_) => _.open(key, Duration.seconds(1)))
      const [a, b] = [yield* make, yield* make]
      const announced = yield* hear(b)
      const hears = (version: number) => Effect.repeat(Queue.take(announced), { until: (_) => _ === version })
      yield* hears((yield* put(a, sessionOf("one"))).version)
      yield* redis.call("CLIENT", "KILL", "TYPE", "pubsub")
      const missed = yield* put(a, sessionOf("two"))
      yield* hears(missed.version)
      yield* hears((yield* put(a, sessionOf("three"))).version)
    })
  )
})
