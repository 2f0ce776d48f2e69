import { FetchHttpClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Stream } from "effect"
import type { NombaConfigService } from "../../src/services/NombaConfig.js"
import { clientOver } from "../support/client.js"
import { closedPort, serve } from "../support/server.js"
import { scriptedCache } from "../support/tokenCache.js"

const clients: ReadonlyArray<readonly [string, Layer.Layer<HttpClient.HttpClient>]> = [
  ["fetch", FetchHttpClient.layer],
  ["undici", NodeHttpClient.layerUndici],
  ["node:http", NodeHttpClient.layer]
]

const over = (
  layer: Layer.Layer<HttpClient.HttpClient>,
  baseUrl: string,
  cache = scriptedCache("nomba"),
  changes: Partial<NombaConfigService> = {}
) =>
  Effect.flatMap(Layer.build(layer), (context) =>
    clientOver({ layer: Layer.succeedContext(context) }, cache, { baseUrl, ...changes })
  )

describe.each(clients)("over %s and sockets", (name, layer) => {
  for (const status of [301, 302, 303, 307, 308]) {
    it.scopedLive(`a ${status} to a second host is not followed, and that host gets nothing`, () =>
      Effect.gen(function* () {
        const second = yield* serve((_, response) => response.end())
        const first = yield* serve((_, response) =>
          response.writeHead(status, { location: `${second.url}/stolen` }).end("moved")
        )
        const nomba = yield* over(layer, first.url)
        const follow = { redirect: "follow", credentials: "include" } as const
        const error = yield* nomba
          .get("/v1/x")
          .pipe(Effect.provideService(FetchHttpClient.RequestInit, follow), Effect.flip)
        assert.deepInclude(error, { _tag: "UnexpectedResponse", reason: "Redirect", status })
        assert.deepStrictEqual([first.seen, second.seen], [["GET /v1/x"], []])
      })
    )
  }

  it.scopedLive("a redirect within the host is not followed either", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.writeHead(302, { location: "/v1/y" }).end())
      const nomba = yield* over(layer, server.url)
      assert.strictEqual((yield* Effect.flip(nomba.get("/v1/x")))._tag, "UnexpectedResponse")
      assert.deepStrictEqual(server.seen, ["GET /v1/x"])
    })
  )

  it.scopedLive("no path sends a request to a second host", () =>
    Effect.gen(function* () {
      const second = yield* serve((_, response) => response.end())
      const first = yield* serve((_, response) => response.end())
      const nomba = yield* over(layer, first.url)
      const { host } = new URL(second.url)
      for (const path of [
        `@${host}/x`,
        `//${host}/x`,
        `/\\${host}/x`,
        `\\\\${host}\\x`,
        `${second.url}/x`,
        `/\t/${host}`
      ]) {
        assert.strictEqual((yield* Effect.flip(nomba.get(path)))._tag, "InvalidRequest", path)
      }
      assert.deepStrictEqual([first.seen, second.seen], [[], []])
    })
  )

  it.scopedLive("a 401 is replayed with the new token and the same body", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const server = yield* serve((request, response) => {
        seen.push(request.headers.authorization)
        const known = request.headers.authorization === "Bearer token-2"
        response.writeHead(known ? 200 : 401, { "content-type": "application/json" }).end('{"code":"00"}')
      })
      const nomba = yield* over(layer, server.url)
      const response = yield* nomba.execute(
        HttpClientRequest.post("/v1/x").pipe(HttpClientRequest.bodyUnsafeJson({ amount: 1 }))
      )
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(yield* response.json, { code: "00" })
      assert.deepStrictEqual(seen, ["Bearer token-1", "Bearer token-2"])
    })
  )

  for (const method of ["POST", "PUT", "PATCH", "DELETE"] as const) {
    // The fetch client of @effect/platform 0.95 cannot send this one through a new undici.
    if (name === "fetch" && method === "DELETE") continue
    it.scopedLive(`a ${method} arrives with its body, and as one request`, () =>
      Effect.gen(function* () {
        const heard: Array<string> = []
        const server = yield* serve((_, response, body) => {
          heard.push(body)
          response.end("{}")
        })
        const nomba = yield* over(layer, server.url)
        const send = (body: string) =>
          nomba.execute(HttpClientRequest.make(method)("/v1/x").pipe(HttpClientRequest.bodyText(body)))
        const hidden = "GET /v1/hidden HTTP/1.1\r\nhost: x\r\n\r\n"
        assert.strictEqual((yield* send(hidden)).status, 200)
        assert.strictEqual((yield* send("second")).status, 200)
        assert.deepStrictEqual(heard, [hidden, "second"])
        assert.deepStrictEqual(server.seen, [`${method} /v1/x`, `${method} /v1/x`])
      })
    )
  }

  for (const stated of [true, false]) {
    it.scopedLive(`a 401 with a body over 1 MiB is cancelled, ${stated ? "with" : "without"} a stated length`, () =>
      Effect.gen(function* () {
        const size = 8 * 1024 * 1024
        const ended = yield* Deferred.make<void>()
        const server = yield* serve((request, response) => {
          if (request.headers.authorization === "Bearer token-2") return response.end("{}")
          response.once("close", () => Deferred.unsafeDone(ended, Effect.void))
          response.writeHead(401, stated ? { "content-length": size } : {})
          // It never ends: only the client can let go of it.
          return response.write("x".repeat(size - 1))
        })
        // A response that is garbage-collected lets go of its connection too, but much later.
        const held: Array<unknown> = []
        const transformClient: NombaConfigService["transformClient"] = HttpClient.tap((response) =>
          Effect.sync(() => held.push(response))
        )
        const nomba = yield* over(layer, server.url, scriptedCache("nomba"), { transformClient })
        assert.strictEqual((yield* nomba.get("/v1/x")).status, 200)
        yield* Deferred.await(ended)
        assert.lengthOf(held, 2)
      })
    )
  }

  it.scopedLive("a stream is sent once", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.writeHead(401).end("no"))
      const nomba = yield* over(layer, server.url)
      const response = yield* nomba.execute(
        HttpClientRequest.post("/v1/x").pipe(HttpClientRequest.bodyStream(Stream.make(new Uint8Array([97]))))
      )
      assert.strictEqual(response.status, 401)
      assert.strictEqual(yield* response.text, "no")
      assert.deepStrictEqual(server.seen, ["POST /v1/x"])
    })
  )

  it.scopedLive("an interruption before the response aborts the request", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const server = yield* serve(() => Deferred.unsafeDone(arrived, Effect.void))
      const nomba = yield* over(layer, server.url)
      const fiber = yield* Effect.fork(nomba.get("/v1/x"))
      yield* Deferred.await(arrived)
      yield* Fiber.interrupt(fiber)
      yield* server.closed
    })
  )

  it.scopedLive("an interruption while the body is read aborts the request", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.writeHead(200).write("x"))
      const nomba = yield* over(layer, server.url)
      const reading = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(
        Effect.flatMap(nomba.get("/v1/x"), (response) =>
          Stream.runForEach(response.stream, () => Deferred.succeed(reading, undefined))
        )
      )
      yield* Deferred.await(reading)
      yield* Fiber.interrupt(fiber)
      yield* server.closed
    })
  )

  it.scopedLive("a closed port is a failure with its system code", () =>
    Effect.gen(function* () {
      const host = `127.0.0.1:${yield* closedPort}`
      const nomba = yield* over(layer, `http://${host}`)
      const error = yield* Effect.flip(nomba.get("/v1/x"))
      assert.strictEqual(
        error.message,
        `Transport: Cannot connect to ${host} (options.environment): ECONNREFUSED (GET /v1/x)`
      )
    })
  )
})
