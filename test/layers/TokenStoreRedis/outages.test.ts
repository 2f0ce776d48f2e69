/** What becomes of the store's steps when Redis is gone, silent, full, or refuses. */
import { assert, it } from "@effect/vitest"
import { Array, Duration, Effect, Exit, Redacted, Scope } from "effect"
import { Redis } from "ioredis"
import * as Six from "ioredis6"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import type { RedisClient } from "../../../src/layers/store/redis/RedisClient.js"
import * as TokenStoreRedis from "../../../src/layers/TokenStoreRedis.js"
import type { Unavailable } from "../../../src/schemas/AuthError.js"
import type { SessionStore, TokenStoreService } from "../../../src/services/TokenStore.js"
import {
  adoptAny,
  adoptNone,
  freshKey,
  holds,
  makeObtain,
  put,
  readStored,
  renew,
  sessionOf,
  unsaved
} from "../../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../../support/describeRedis.js"
import { proxyTo } from "../../support/proxy.js"
import { redisServer } from "../../support/redis.js"
import { closedPort } from "../../support/server.js"

const codec = SessionCodec.plain
const own = (port: number, user = "") =>
  TokenStoreRedis.make({ url: Redacted.make(`redis://${user}127.0.0.1:${port}`), codec })

const opened = <E>(
  make: Effect.Effect<TokenStoreService, E, Scope.Scope>
): Effect.Effect<SessionStore, E, Scope.Scope> =>
  Effect.gen(function* () {
    return yield* (yield* make).open(yield* freshKey(), Duration.seconds(1))
  })

const fails = (effect: Effect.Effect<unknown, Unavailable>, detail: string) =>
  Effect.gen(function* () {
    const [took, error] = yield* Effect.timed(Effect.flip(effect))
    assert.strictEqual(error._tag, "Unavailable")
    assert.deepStrictEqual([error.reason, error.detail], ["Store", detail])
    assert.isBelow(Duration.toMillis(took), 10_000)
    return error
  })

/** Until it succeeds: the driver finds out by itself that the server is back. */
const eventually = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.retry(effect, { times: 40 }).pipe(Effect.tapErrorCause(Effect.logError))

describeRedis("TokenStoreRedis in an outage", (server) => {
  it.scopedLive("subscribes again itself, and causes no unhandled rejection in the driver", () =>
    Effect.gen(function* () {
      const { port } = yield* server
      const connected = Effect.sync(() => new Redis(port, "127.0.0.1", { lazyConnect: true }))
      const client = yield* Effect.acquireRelease(connected, (_) => Effect.sync(() => _.disconnect()))
      const listening: Array<Redis> = []
      const watched: RedisClient = {
        options: client.options,
        eval: (script, numberOfKeys, ...args) => client.eval(script, numberOfKeys, ...args),
        duplicate: () => {
          const subscriber = client.duplicate()
          listening.push(subscriber)
          return subscriber
        }
      }
      const store = yield* opened(TokenStoreRedis.makeFromClient({ client: watched, codec }))
      yield* Effect.asVoid(store.changes)
      yield* readStored(store)
      assert.deepStrictEqual(
        listening.map((_) => _.options.autoResubscribe),
        [false]
      )
      assert.isTrue(client.options.autoResubscribe)
    })
  )

  it.scopedLive("fails with the system's code if the port is closed", () =>
    Effect.gen(function* () {
      const store = yield* opened(own(yield* closedPort))
      for (const _ of [1, 2, 3]) yield* fails(readStored(store), "ECONNREFUSED")
    })
  )

  it.scopedLive("fails while the server is down, works again when it is back, and requests no token meanwhile", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const store = yield* opened(own(redis.port))
      yield* put(store, sessionOf("before"))
      yield* redis.kill
      const { obtain, runs } = yield* makeObtain(sessionOf("after"))
      yield* fails(readStored(store), "ECONNREFUSED")
      yield* Effect.flip(renew(store, adoptAny, obtain))
      assert.strictEqual(runs(), 0)
      yield* redis.restart
      yield* eventually(readStored(store))
      yield* renew(store, adoptAny, obtain)
      yield* holds(store, sessionOf("after"))
    })
  )

  it.scopedLive("does not mention TLS if a server closes accepted connections", () =>
    Effect.gen(function* () {
      const wire = yield* proxyTo((yield* server).port)
      const store = yield* opened(own(wire.port))
      yield* put(store, sessionOf("held"))
      yield* wire.disconnect
      // Between one attempt to connect and the next the driver is silent for longer than a read waits.
      for (const _ of [1, 2, 3]) assert.isUndefined((yield* fails(readStored(store), "ECONNRESET")).hint)
      yield* wire.reconnect
      yield* eventually(holds(store, sessionOf("held")))
    })
  )

  it.scopedLive("does not mention the URL of a client that the program made", () =>
    Effect.gen(function* () {
      const wire = yield* proxyTo((yield* server).port)
      yield* wire.disconnect
      const client = yield* Effect.acquireRelease(
        Effect.sync(() =>
          new Redis(wire.port, "127.0.0.1", { maxRetriesPerRequest: 1, lazyConnect: true }).on("error", () => {})
        ),
        (client) => Effect.sync(() => client.disconnect())
      )
      const store = yield* opened(TokenStoreRedis.makeFromClient({ client, codec }))
      assert.isUndefined((yield* fails(readStored(store), "ECONNRESET")).hint)
    })
  )

  it.scopedLive("fails while the server is frozen, and works again afterwards", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const store = yield* opened(own(redis.port))
      yield* put(store, sessionOf("held"))
      yield* redis.freeze
      yield* fails(readStored(store), "ETIMEDOUT")
      yield* fails(Effect.uninterruptible(readStored(store)), "ETIMEDOUT")
      yield* fails(store.save(unsaved(sessionOf("never"), 0)), "ETIMEDOUT")
      yield* redis.thaw
      yield* eventually(holds(store, sessionOf("held")))
      yield* put(store, sessionOf("after"))
    })
  )

  it.scopedLive("leaves no lease behind that was asked for while the server was frozen", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const store = yield* opened(own(redis.port))
      yield* readStored(store)
      yield* redis.freeze
      const { obtain } = yield* makeObtain(sessionOf("held"))
      yield* Effect.flip(renew(store, adoptNone, obtain))
      yield* redis.thaw
      yield* eventually(put(store, sessionOf("held")))
    })
  )

  it.scopedLive("replaces a connection through which nothing arrives", () =>
    Effect.gen(function* () {
      const { port } = yield* server
      const wire = yield* proxyTo(port)
      const store = yield* opened(own(wire.port))
      yield* put(store, sessionOf("held"))
      yield* wire.silent(true)
      yield* fails(readStored(store), "ETIMEDOUT")
      yield* wire.silent(false)
      yield* eventually(holds(store, sessionOf("held")))
    })
  )

  it.scopedLive("closes within two seconds if the server is frozen, and at once if it never was used", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      const scope = yield* Scope.make()
      const store = yield* Scope.extend(opened(own(redis.port)), scope)
      yield* put(store, sessionOf("held"))
      yield* redis.freeze
      const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
      assert.isBelow(Duration.toMillis(took), 2_000)
      const [unused] = yield* Effect.timed(Effect.scoped(own(redis.port)))
      assert.isBelow(Duration.toMillis(unused), 500)
    })
  )

  it.scopedLive("writes nothing if Redis is out of memory, and still frees the lease", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer("--maxmemory-policy", "noeviction")
      const store = yield* opened(own(redis.port))
      yield* put(store, sessionOf("held"))
      const { arrived, obtain, open } = yield* makeObtain(sessionOf("granted"), { gated: true })
      const renewal = yield* Effect.fork(renew(store, adoptNone, obtain))
      yield* arrived
      yield* redis.call("CONFIG", "SET", "maxmemory", "1")
      yield* open
      const stored = yield* renewal
      assert.isFalse(stored.saved)
      const error = yield* Effect.flip(store.save(stored))
      assert.strictEqual(error.detail, "OOM")
      yield* holds(store, sessionOf("held"))
      yield* redis.call("CONFIG", "SET", "maxmemory", "0")
      yield* store.save(stored)
      yield* holds(store, sessionOf("granted"))
    })
  )

  it.scopedLive("names the right that Redis denies", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      yield* redis.call("CONFIG", "SET", "requirepass", "secret-password")
      yield* redis.call("ACL", "SETUSER", "reader", "on", ">right-password", "~*", "+hget", "+hello", "+info")
      yield* fails(readStored(yield* opened(own(redis.port, "reader:wrong-password@"))), "WRONGPASS")
      yield* fails(readStored(yield* opened(own(redis.port, "reader:right-password@"))), "NOPERM")
      const error = yield* fails(readStored(yield* opened(own(redis.port))), "NOAUTH")
      assert.include(error.message, "password")
      assert.notInclude(error.message, "secret-password")
    })
  )

  const patientClient = (port: number, connect: typeof Redis = Redis) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        new connect(port, "127.0.0.1", { maxRetriesPerRequest: null, lazyConnect: true }).on("error", () => {})
      ),
      (client) => Effect.sync(() => client.disconnect())
    )

  const comesTo = (client: Redis, status: "reconnecting" | "end") =>
    Effect.async<void>((resume) => {
      if (client.status === status) resume(Effect.void)
      else client.once(status, () => resume(Effect.void))
    })

  it.scopedLive("times out a command on a client that would wait for ever", () =>
    Effect.gen(function* () {
      const client = yield* patientClient(yield* closedPort)
      const store = yield* opened(TokenStoreRedis.makeFromClient({ client, codec }))
      yield* fails(readStored(store), "ETIMEDOUT")
      yield* Effect.flip(put(store, sessionOf("never")))
    })
  )

  for (const [version, connect] of [
    [5, Redis],
    [6, Six.Redis as unknown as typeof Redis]
  ] as const) {
    it.scopedLive(`leaves nothing behind in a client of ioredis ${version} that keeps commands for later`, () =>
      Effect.gen(function* () {
        const redis = yield* redisServer()
        const client = yield* patientClient(redis.port, connect)
        let sent = 0
        const watched: RedisClient = {
          options: client.options,
          get status() {
            return client.status
          },
          eval: (script, numberOfKeys, ...args) => {
            sent += 1
            return client.eval(script, numberOfKeys, ...args)
          },
          duplicate: () => client.duplicate()
        }
        const store = yield* opened(TokenStoreRedis.makeFromClient({ client: watched, codec }))
        yield* put(store, sessionOf("held"))
        assert.isAbove(sent, 0)
        yield* redis.kill
        yield* comesTo(client, "reconnecting")
        sent = 0
        yield* Effect.all(
          Array.makeBy(20, () => fails(readStored(store), "ETIMEDOUT")),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(sent, 0)
        yield* redis.restart
        yield* eventually(put(store, sessionOf("after")))
      })
    )

    it.scopedLive(`waits for a connection of ioredis ${version} that is made again, and not for one that is not`, () =>
      Effect.gen(function* () {
        const redis = yield* server
        const client = yield* patientClient(redis.port, connect)
        const store = yield* opened(TokenStoreRedis.makeFromClient({ client, codec }))
        yield* put(store, sessionOf("held"))
        client.stream.destroy()
        yield* comesTo(client, "reconnecting")
        yield* holds(store, sessionOf("held"))
        client.disconnect()
        yield* comesTo(client, "end")
        const [took] = yield* Effect.timed(Effect.flip(readStored(store)))
        assert.isBelow(Duration.toMillis(took), 500)
      })
    )
  }
})
