/** No password, token or encryption key of the Redis store is ever printed. */
import { inspect } from "node:util"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { Redis } from "ioredis"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import * as TokenStoreRedis from "../../src/layers/TokenStoreRedis.js"
import { TokenStore } from "../../src/services/TokenStore.js"
import {
  adoptNone,
  freshKey,
  makeObtain,
  makeRevoke,
  readStored,
  renew,
  sessionOf,
  unsaved
} from "../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../support/describeRedis.js"
import { leaks, printed } from "../support/leaks.js"
import { proxyTo } from "../support/proxy.js"
import { redisServer } from "../support/redis.js"
import { closedPort } from "../support/server.js"

const password = "r3d1s-p4ssw0rd-of-the-user"
const wrong = "wr0ng-p4ssw0rd-of-the-user"
const encryption = Buffer.alloc(32, 9).toString("base64")
const token = "held-access-token"
const secrets = [password, wrong, encryption, token, `${token}-refresh`]

const isSilent = (texts: Parameters<typeof leaks>[0]) => {
  assert.isAbove(texts.length, 5)
  assert.deepStrictEqual(leaks(texts, secrets), [])
}

it.live("the printer sees a password in what a driver fails with", () =>
  Effect.gen(function* () {
    const client = new Redis(`redis://user:${password}@127.0.0.1:${yield* closedPort}`, {
      lazyConnect: true,
      maxRetriesPerRequest: 0
    }).on("error", () => {})
    const texts = yield* printed(Effect.succeed(client))
    client.disconnect()
    assert.isNotEmpty(leaks(texts, secrets))
  })
)

describeRedis("nothing of TokenStoreRedis is printed", () => {
  /** Everything that a store can be asked, whatever comes of it. */
  const useAll = (url: string) =>
    Effect.gen(function* () {
      const codec = SessionCodec.encrypted([{ id: "one", key: Redacted.make(encryption) }])
      const service = yield* TokenStoreRedis.make({ url: Redacted.make(url), codec })
      const store = yield* service.open(yield* freshKey(), Duration.seconds(1))
      const { obtain } = yield* makeObtain(sessionOf(token))
      const { revoke } = yield* makeRevoke()
      const results = yield* Effect.forEach(
        [
          renew(store, adoptNone, obtain),
          readStored(store),
          store.save(unsaved(sessionOf(token), 1)),
          store.logout(revoke)
        ] as ReadonlyArray<Effect.Effect<unknown, unknown>>,
        (step) => Effect.exit(Effect.tapErrorCause(step, (cause) => Effect.logError(cause)))
      )
      return { service, store, results }
    })

  it.scopedLive("while all is well", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      yield* redis.setUser("user", "on", `>${password}`, "~*", "&*", "+@all")
      isSilent(yield* printed(Effect.scoped(useAll(`redis://user:${password}@127.0.0.1:${redis.port}`))))
    })
  )

  it.scopedLive("by a store over a client of the user, or by a fiber that uses it", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      yield* redis.setUser("user", "on", `>${password}`, "~*", "&*", "+@all")
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(redis.port, "127.0.0.1", { username: "user", password, lazyConnect: true })),
        (client) => Effect.sync(() => client.disconnect())
      )
      const service = yield* TokenStoreRedis.makeFromClient({ client, codec: SessionCodec.plain })
      const store = yield* service.open(yield* freshKey(), Duration.seconds(1))
      const { obtain } = yield* makeObtain(sessionOf(token))
      yield* renew(store, adoptNone, obtain)
      isSilent(yield* printed(Effect.succeed({ service, store })))
      const fiber = yield* Effect.fork(Effect.provideService(Effect.never, TokenStore, service))
      yield* Effect.yieldNow()
      assert.deepStrictEqual(leaks([["the fiber", inspect(fiber, { depth: 15 })]], secrets), [])
      assert.strictEqual(
        service.identity,
        (yield* TokenStoreRedis.makeFromClient({ client, codec: SessionCodec.plain })).identity
      )
    })
  )

  it.scopedLive("when Redis is out of reach, silent, or goes away during a command", () =>
    Effect.gen(function* () {
      isSilent(yield* printed(Effect.scoped(useAll(`redis://user:${password}@127.0.0.1:${yield* closedPort}`))))
      const redis = yield* redisServer()
      const wire = yield* proxyTo(redis.port)
      yield* wire.silent(true)
      isSilent(yield* printed(Effect.scoped(useAll(`redis://user:${password}@127.0.0.1:${wire.port}`))))
    })
  )

  it.scopedLive("when Redis refuses the user, a command, or a write", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer()
      yield* redis.call("CONFIG", "SET", "requirepass", password)
      yield* redis.setUser("user", "on", `>${password}`, "~*", "&*", "+@all", "-hset")
      for (const user of [`user:${wrong}@`, `user:${password}@`, ""]) {
        isSilent(yield* printed(Effect.scoped(useAll(`redis://${user}127.0.0.1:${redis.port}`))))
      }
      yield* redis.setUser("user", "+@all")
      yield* redis.call("CONFIG", "SET", "maxmemory", "1")
      isSilent(yield* printed(Effect.scoped(useAll(`redis://user:${password}@127.0.0.1:${redis.port}`))))
    })
  )

  it.scopedLive("when the URL is wrong, by the layer that fails and by the layer that is built", () =>
    Effect.gen(function* () {
      for (const url of [`redis://user:${password}@host:port`, `http://user:${password}@host`]) {
        isSilent(
          yield* printed(
            Effect.scoped(Layer.build(TokenStoreRedis.layer({ url: Redacted.make(url), codec: SessionCodec.plain })))
          )
        )
      }
      const port = yield* closedPort
      const url = Redacted.make(`redis://user:${password}@127.0.0.1:${port}`)
      isSilent(
        yield* printed(TokenStore.pipe(Effect.provide(TokenStoreRedis.layer({ url, codec: SessionCodec.plain }))))
      )
    })
  )
})
