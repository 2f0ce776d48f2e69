/** A Redis that speaks TLS, here by a way in front of it. */
import { once } from "node:events"
import { readFileSync } from "node:fs"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import { Redis } from "ioredis"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as TokenStoreRedis from "../../../src/layers/TokenStoreRedis.js"
import { freshKey, holds, put, readStored, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { describeRedis } from "../../support/describeRedis.js"

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/tls/${name}`, import.meta.url))
const certificate = fixture("certificate.pem")
const codec = SessionCodec.plain

const inFrontOf = (port: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const options = { cert: certificate, key: fixture("key.pem") }
        const server = Tls.createServer(options, (client) => {
          const redis = Net.connect(port, "127.0.0.1")
          for (const socket of [client, redis]) socket.on("error", () => {})
          client.pipe(redis)
          redis.pipe(client)
        })
        server.on("tlsClientError", () => {})
        await once(server.listen(0, "127.0.0.1"), "listening")
        return server
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => (server.address() as Net.AddressInfo).port
  )

const failsWith = (url: string, detail: string, hint: RegExp) =>
  Effect.gen(function* () {
    const service = yield* TokenStoreRedis.make({ url: Redacted.make(url), codec })
    const store = yield* service.open(yield* freshKey(), Duration.seconds(1))
    const error = yield* Effect.flip(readStored(store))
    assert.deepStrictEqual([error.reason, error.detail], ["Store", detail])
    assert.match(error.message, hint)
  })

describeRedis("TokenStoreRedis over TLS", (server) => {
  it.scopedLive("stores a session if the server's certificate is trusted", () =>
    Effect.gen(function* () {
      const port = yield* inFrontOf((yield* server).port)
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(`rediss://127.0.0.1:${port}`, { tls: { ca: certificate } })),
        (client) => Effect.sync(() => client.disconnect())
      )
      const service = yield* TokenStoreRedis.makeFromClient({ client, codec })
      const store = yield* service.open(yield* freshKey(), Duration.seconds(1))
      yield* put(store, sessionOf("held"))
      yield* holds(store, sessionOf("held"))
    })
  )

  it.scopedLive("says what to do if the certificate is not trusted", () =>
    Effect.gen(function* () {
      const port = yield* inFrontOf((yield* server).port)
      yield* failsWith(`rediss://127.0.0.1:${port}`, "DEPTH_ZERO_SELF_SIGNED_CERT", /NODE_EXTRA_CA_CERTS/)
    })
  )

  it.scopedLive("times out if the server speaks no TLS and waits for the rest of a command", () =>
    Effect.gen(function* () {
      yield* failsWith(`rediss://127.0.0.1:${(yield* server).port}`, "ETIMEDOUT", /Cannot connect to Redis/)
    })
  )

  it.scopedLive("says what to do if the server speaks only TLS", () =>
    Effect.gen(function* () {
      const port = yield* inFrontOf((yield* server).port)
      yield* failsWith(`redis://127.0.0.1:${port}`, "ECONNRESET", /rediss:\/\//)
    })
  )
})
