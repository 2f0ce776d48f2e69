/** The rights that docs/fleet.md gives the store's user are enough, and it needs each of them. */
import { readFileSync } from "node:fs"
import { assert } from "@effect/vitest"
import { Duration, Effect, Queue, Redacted, Stream } from "effect"
import * as Six from "ioredis6"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as TokenStoreRedis from "../../../src/layers/TokenStoreRedis.js"
import {
  adoptNone,
  freshKey,
  holds,
  holdsNothing,
  makeMint,
  makeRevoke,
  put,
  sessionOf
} from "../../../src/testing/tokenStore/Kit.js"
import { describeRedis } from "../../support/describeRedis.js"
import { redisServer } from "../../support/redis.js"
import { entryOf } from "./contract.js"

const page = readFileSync(new URL("../../../docs/fleet.md", import.meta.url), "utf8")
const [, name = "", ...rights] = (/^ACL SETUSER .*$/m.exec(page)?.[0] ?? "").split(" ").slice(1)
const codec = SessionCodec.plain

describeRedis("the rights of the page about fleets", (it) => {
  const userOf = (extra: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const password = "password-of-the-user"
      yield* redis.call(
        "ACL",
        "SETUSER",
        name,
        ...rights.map((_) => (_.startsWith(">") ? `>${password}` : _)),
        ...extra
      )
      return { redis, url: `redis://${name}:${password}@127.0.0.1:${redis.port}` }
    })

  it.scoped("are enough for a store of its own and for one over ioredis 6", () =>
    Effect.gen(function* () {
      const { redis, url } = yield* userOf([])
      assert.strictEqual(name, "nomba-auth")
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => new Six.Redis(url, { disableClientInfo: true })),
        (client) => Effect.sync(() => client.disconnect())
      )
      const key = yield* freshKey()
      const make = [
        TokenStoreRedis.make({ url: Redacted.make(url), codec }),
        TokenStoreRedis.makeFromClient({ client, codec })
      ]
      const [a, b] = yield* Effect.all(make.map(Effect.flatMap((_) => _.open(key, Duration.seconds(1)))))
      assert.isDefined(a)
      assert.isDefined(b)
      const heard = yield* Queue.unbounded<number>()
      yield* Effect.forkScoped(Stream.runForEach(yield* b.changes, (version) => Queue.offer(heard, version)))
      const { version } = yield* put(a, sessionOf("held"))
      yield* Effect.repeat(Queue.take(heard), { until: (_) => _ === version })
      yield* holds(b, sessionOf("held"))
      const { revoke } = yield* makeRevoke()
      yield* b.clear(revoke)
      yield* holdsNothing(a)
      assert.deepStrictEqual(yield* redis.call("ACL", "LOG"), [])
    })
  )

  it.scoped("are asked for before a session that could not be written is granted", () =>
    Effect.gen(function* () {
      const { redis, url } = yield* userOf(["-hset"])
      const service = yield* TokenStoreRedis.make({ url: Redacted.make(url), codec })
      const key = yield* freshKey()
      const store = yield* service.open(key, Duration.seconds(1))
      const { mint, runs } = yield* makeMint(sessionOf("never"))
      const error = yield* Effect.flip(store.renew(adoptNone, mint))
      assert.strictEqual(error._tag, "Unavailable")
      assert.strictEqual(runs(), 0)
      assert.strictEqual(yield* redis.call("EXISTS", `${entryOf(key)}:lease`), 0)
    })
  )

  for (const right of rights.filter((_) => _.startsWith("+") && !/^\+(hello|info|unsubscribe)$/.test(_))) {
    it.scoped(`need ${right}`, () =>
      Effect.gen(function* () {
        const { redis, url } = yield* userOf([`-${right.slice(1)}`])
        const service = yield* TokenStoreRedis.make({ url: Redacted.make(url), codec })
        const store = yield* service.open(yield* freshKey(), Duration.seconds(1))
        yield* Effect.forkScoped(Stream.runDrain(yield* store.changes))
        yield* Effect.ignore(put(store, sessionOf("held")))
        const { mint } = yield* makeMint(sessionOf("next"), { beforeGate: (lease) => lease.spend })
        yield* Effect.ignore(store.renew(adoptNone, mint))
        const { revoke } = yield* makeRevoke()
        yield* Effect.ignore(store.clear(revoke))
        const isRefused = Effect.map(redis.call("ACL", "LOG"), (log) => (log as ReadonlyArray<unknown>).length > 0)
        yield* Effect.timeout(Effect.repeat(isRefused, { until: (_) => _ }), "10 seconds")
      })
    )
  }
})
