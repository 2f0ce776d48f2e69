/** The rights that docs/fleet.md gives the store's user are enough, and it needs each of them. */
import { readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { Array, type ConfigError, Duration, Effect, Queue, Redacted, type Scope, Stream } from "effect"
import { Cluster, Redis } from "ioredis"
import * as Six from "ioredis6"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as TokenStoreRedis from "../../../src/layers/TokenStoreRedis.js"
import { Unavailable } from "../../../src/schemas/AuthError.js"
import type { TokenStoreService } from "../../../src/services/TokenStore.js"
import {
  adoptNone,
  freshKey,
  holds,
  holdsNothing,
  makeObtain,
  makeRevoke,
  put,
  renew,
  sessionOf
} from "../../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../../support/describeRedis.js"
import { hasChannelRights } from "../../support/programs.js"
import { type RedisServerService, redisCluster, redisServer } from "../../support/redis.js"
import { entryOf } from "./contract.js"

const page = readFileSync(new URL("../../../docs/fleet.md", import.meta.url), "utf8")
const [, name = "", ...rights] = (/^ACL SETUSER .*$/m.exec(page)?.[0] ?? "").split(" ").slice(1)
const { onCluster = "", withDatabase = "" } =
  /Add `(?<withDatabase>[^`]+)` if the URL names a\sdatabase, and `(?<onCluster>[^`]+)` on a cluster/.exec(page)
    ?.groups ?? {}
const codec = SessionCodec.plain

type Make = Effect.Effect<TokenStoreService, ConfigError.ConfigError, Scope.Scope>

/** Without it a lease expires and is not freed, or no process gets announcements. */
const leavesCallersAlone = new Set(["+del", "+hget", "+subscribe"])

describeRedis("the rights of the page about fleets", () => {
  const password = "password-of-the-user"
  const give = (redis: RedisServerService, extra: ReadonlyArray<string>) =>
    redis.setUser(name, ...rights.map((_) => (_.startsWith(">") ? `>${password}` : _)), ...extra)

  const userOf = (extra: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      yield* give(redis, extra)
      return { redis, url: `redis://${name}:${password}@127.0.0.1:${redis.port}` }
    })

  /**
   * What Redis refused. What ioredis tells of itself to the nodes of a cluster, whatever it is set to, is known since 7.2 and
   * may be refused; before 7.0 the log does not name the subcommand.
   */
  const refusals = (redis: RedisServerService) =>
    Effect.map(redis.call("ACL", "LOG"), (log) =>
      (log as ReadonlyArray<ReadonlyArray<unknown>>)
        .map((entry) => entry[entry.indexOf("object") + 1])
        .filter((object) => object !== "client|setinfo" && object !== "client")
    )

  const connected = <A extends { readonly disconnect: () => void }>(connect: () => A) =>
    Effect.acquireRelease(Effect.sync(connect), (client) => Effect.sync(() => client.disconnect()))

  /** Two holders take a session from each other, get the announcements and end it, and Redis denies nothing. */
  const serve = (redis: RedisServerService, makeA: Make, makeB: Make) =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      const open = Effect.flatMap((_: TokenStoreService) => _.open(key, Duration.seconds(1)))
      const [a, b] = yield* Effect.all([open(makeA), open(makeB)])
      const heard = yield* Queue.unbounded<number>()
      yield* Effect.forkScoped(Stream.runForEach(yield* b.changes, (version) => Queue.offer(heard, version)))
      const { version } = yield* put(a, sessionOf("held"))
      yield* Effect.repeat(Queue.take(heard), { until: (_) => _ === version })
      yield* holds(b, sessionOf("held"))
      const { revoke } = yield* makeRevoke()
      yield* b.logout(revoke)
      yield* holdsNothing(a)
      assert.deepStrictEqual(yield* refusals(redis), [])
    })

  it.scopedLive("are enough for a store of its own and for one over ioredis 6", () =>
    Effect.gen(function* () {
      const { redis, url } = yield* userOf([])
      assert.strictEqual(name, "nomba-auth")
      const client = yield* connected(() => new Six.Redis(url, { disableClientInfo: true }))
      yield* serve(
        redis,
        TokenStoreRedis.make({ url: Redacted.make(url), codec }),
        TokenStoreRedis.makeFromClient({ client, codec })
      )
    })
  )

  it.scopedLive("are all that the user has, whatever it had before", () =>
    Effect.gen(function* () {
      const { redis } = yield* userOf([])
      const now = redis.call("ACL", "GETUSER", name)
      const fresh = yield* now
      yield* redis.setUser(name, ">former-password", "~*", "&*", "+@all")
      yield* give(redis, [])
      assert.deepStrictEqual(yield* now, fresh)
    })
  )

  it.scopedLive("are enough on a cluster, with those that the page adds for one", () =>
    Effect.gen(function* () {
      const redis = yield* redisCluster
      yield* give(redis, onCluster.split(" "))
      const nodes = [{ host: "127.0.0.1", port: redis.port }]
      const redisOptions = { username: name, password, disableClientInfo: true }
      const [five, six] = yield* Effect.all([
        connected(() => new Cluster(nodes, { redisOptions })),
        connected(() => new Six.Cluster(nodes, { redisOptions }))
      ])
      yield* serve(
        redis,
        TokenStoreRedis.makeFromClient({ client: five, codec }),
        TokenStoreRedis.makeFromClient({ client: six, codec })
      )
    })
  )

  it.scopedLive("are enough in a database, with the one that the page adds, and without it nothing is written", () =>
    Effect.gen(function* () {
      const { redis, url } = yield* userOf([])
      const client = yield* connected(() => new Redis(`${url}/3`, { disableClientInfo: true }).on("error", () => {}))
      const make = [
        TokenStoreRedis.make({ url: Redacted.make(`${url}/3`), codec }),
        TokenStoreRedis.makeFromClient({ client, codec })
      ] as const
      for (const service of yield* Effect.all(make)) {
        const store = yield* service.open(yield* freshKey(), Duration.seconds(1))
        const error = yield* Effect.flip(put(store, sessionOf("held")))
        assert.strictEqual(error instanceof Unavailable && error.detail, "NOPERM")
      }
      const keyspace = Effect.map(redis.call("INFO", "keyspace"), String)
      assert.notMatch(yield* keyspace, /^db/m)
      yield* give(redis, withDatabase.split(" "))
      yield* redis.call("ACL", "LOG", "RESET")
      yield* serve(redis, ...make)
      assert.deepStrictEqual((yield* keyspace).match(/^db\d+/gm), ["db3"])
    })
  )

  const losses = [
    ["written", "-hset"],
    ["announced", "-publish"],
    ...(hasChannelRights ? [["announced on its channel", "resetchannels"] as const] : [])
  ] as const
  for (const [without, lost] of losses) {
    it.scopedLive(`are asked for before a session that could not be ${without} is granted`, () =>
      Effect.gen(function* () {
        const { redis, url } = yield* userOf([lost])
        const service = yield* TokenStoreRedis.make({ url: Redacted.make(url), codec })
        const key = yield* freshKey()
        const store = yield* service.open(key, Duration.seconds(1))
        const { obtain, runs } = yield* makeObtain(sessionOf("never"))
        const error = yield* Effect.flip(renew(store, adoptNone, obtain))
        assert.deepStrictEqual([error._tag, error instanceof Unavailable && error.detail], ["Unavailable", "NOPERM"])
        assert.strictEqual(runs(), 0)
        assert.strictEqual(yield* redis.call("EXISTS", entryOf(key), `${entryOf(key)}:lease`), 0)
      })
    )
  }

  for (const right of rights.filter((_) => _.startsWith("+") && !/^\+(hello|info|unsubscribe)$/.test(_))) {
    it.scopedLive(`need ${right}`, () =>
      Effect.gen(function* () {
        const { redis, url } = yield* userOf([`-${right.slice(1)}`])
        const service = yield* TokenStoreRedis.make({ url: Redacted.make(url), codec })
        const store = yield* service.open(yield* freshKey(), Duration.seconds(1))
        yield* Effect.forkScoped(Stream.runDrain(yield* store.changes))
        const { obtain } = yield* makeObtain(sessionOf("next"), { beforeGate: (lease) => lease.beginRefresh })
        const { revoke } = yield* makeRevoke()
        const steps = [put(store, sessionOf("held")), renew(store, adoptNone, obtain), store.logout(revoke)]
        const refused = Array.filter(
          Array.getLefts(yield* Effect.forEach(steps, Effect.either<unknown, unknown, never>)),
          (_) => _ instanceof Unavailable
        )
        for (const error of refused) {
          assert.strictEqual(error.detail, "NOPERM")
          assert.include(error.message, "lacks a right")
        }
        if (!leavesCallersAlone.has(right)) assert.isNotEmpty(refused)
        const isRefused = Effect.map(redis.call("ACL", "LOG"), (log) => (log as ReadonlyArray<unknown>).length > 0)
        yield* Effect.timeout(Effect.repeat(isRefused, { until: (_) => _ }), "10 seconds")
      })
    )
  }
})
