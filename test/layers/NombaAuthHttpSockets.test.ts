import type { ServerResponse } from "node:http"
import { FetchHttpClient, HttpClient } from "@effect/platform"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Redacted } from "effect"
import type { AuthError } from "../../src/schemas/AuthError.js"
import type { NombaConfigService } from "../../src/services/NombaConfig.js"
import { once } from "../support/auth.js"
import { operations } from "../support/operations.js"
import { closedPort, serve, serveTcp } from "../support/server.js"

type Changes = Partial<NombaConfigService>

const overFetch = (baseUrl: string, changes: Changes = {}, layer = FetchHttpClient.layer) =>
  once({ layer }, { baseUrl, requestTimeout: Duration.seconds(5), ...changes })

/** The connections of `node:http` end with the layer. */
const inScope = <A>(layer: Layer.Layer<A>) => Effect.map(Layer.build(layer), Layer.succeedContext)

const issueError = (baseUrl: string, changes?: Changes): Effect.Effect<AuthError, unknown> =>
  Effect.flatMap(overFetch(baseUrl, changes), (auth) => Effect.flip(auth.issue))

const brief: Changes = { requestTimeout: Duration.millis(300) }

const grant = (response: ServerResponse): void => {
  response.writeHead(200, { "content-type": "application/json" })
  response.end(JSON.stringify({ code: "00", data: { access_token: "t", expires_in: 60 } }))
}

/** Writes for as long as it is read, and counts. */
const pour = (response: ServerResponse, bytes: number): { written: number } => {
  const count = { written: 0 }
  const chunk = Buffer.alloc(65_536, 32)
  const write = (): void => {
    while (!response.destroyed && count.written < bytes) {
      count.written += chunk.length
      if (!response.write(chunk)) return void response.once("drain", write)
    }
    if (count.written >= bytes) response.end()
  }
  write()
  return count
}

describe("token requests over fetch and sockets", () => {
  it.scopedLive("issue a session, and keep the connection", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => grant(response))
      const auth = yield* overFetch(server.url)
      for (let n = 0; n < 3; n++) assert.strictEqual(Redacted.value((yield* auth.issue).accessToken), "t")
      assert.deepStrictEqual(server.seen, Array(3).fill("POST /v1/auth/token/issue"))
    })
  )

  for (const status of [301, 302, 303, 307, 308]) {
    it.scopedLive(
      `a ${status} to a second host is not followed, with any RequestInit, and that host gets nothing`,
      () =>
        Effect.gen(function* () {
          const second = yield* serve((_, response) => grant(response))
          const first = yield* serve((_, response) => {
            response.writeHead(status, { location: `${second.url}/stolen` })
            response.end()
          })
          const follow = Layer.succeed(FetchHttpClient.RequestInit, { redirect: "follow", credentials: "include" })
          const inLayer = FetchHttpClient.layer.pipe(Layer.provide(follow))
          const inTransform: Changes = {
            transformClient: HttpClient.transformResponse(Effect.provide(follow))
          }
          const replaced = yield* HttpClient.HttpClient.pipe(Effect.provide(FetchHttpClient.layer))
          const following: Changes = { transformClient: HttpClient.followRedirects(3) }
          for (const auth of [
            yield* overFetch(first.url),
            yield* overFetch(first.url, {}, inLayer),
            yield* overFetch(first.url, inTransform),
            yield* overFetch(first.url, following),
            yield* overFetch(first.url, { transformClient: () => replaced })
          ]) {
            for (const { run } of operations) {
              for (const call of [run(auth), Effect.provide(run(auth), follow)]) {
                const error = yield* Effect.flip(call)
                assert.deepInclude(error, { _tag: "UnexpectedResponse", reason: "Redirect", status })
              }
            }
          }
          assert.deepStrictEqual(second.seen, [])
        })
    )
  }

  it.scopedLive("the other options of the RequestInit are kept", () =>
    Effect.gen(function* () {
      let seen: string | string[] | undefined
      const server = yield* serve((request, response) => {
        seen = request.headers["x-of-the-user"]
        grant(response)
      })
      const init = Layer.succeed(FetchHttpClient.RequestInit, { headers: { "x-of-the-user": "kept" } })
      yield* (yield* overFetch(server.url)).issue.pipe(Effect.provide(init))
      assert.strictEqual(seen, "kept")
      seen = undefined
      yield* (yield* overFetch(server.url, {}, FetchHttpClient.layer.pipe(Layer.provide(init)))).issue
      assert.strictEqual(seen, "kept")
    })
  )

  it.scopedLive("slow headers: Unavailable, and the connection is closed", () =>
    Effect.gen(function* () {
      const server = yield* serve(() => {})
      const error = yield* issueError(server.url, brief)
      assert.deepInclude(error, { _tag: "Unavailable", reason: "Timeout", processed: "unknown" })
      assert.notProperty(error, "status")
      yield* server.closed
    })
  )

  it.scopedLive(
    "a slow body: Unavailable on a success, the status's meaning otherwise, and the connection is let go",
    () =>
      Effect.gen(function* () {
        const timedOut = { _tag: "Unavailable", reason: "Timeout", status: 200 }
        for (const [status, length, layer, expected] of [
          [200, {}, FetchHttpClient.layer, timedOut],
          [200, { "content-length": "1000" }, FetchHttpClient.layer, timedOut],
          [200, { "content-length": "1000" }, NodeHttpClient.layer, timedOut],
          [401, {}, FetchHttpClient.layer, { _tag: "InvalidCredentials", status: 401, description: "known" }]
        ] as const) {
          const server = yield* serve((_, response) => {
            response.writeHead(status, { "content-type": "application/json", ...length })
            response.write('{"code":"401","description":"known"}')
          })
          const auth = yield* overFetch(server.url, { requestTimeout: Duration.seconds(3) }, yield* inScope(layer))
          assert.deepInclude<object>(yield* Effect.flip(auth.issue), expected)
          yield* server.closed
        }
      })
  )

  it.scopedLive("a body cut off: Unavailable, maybe processed", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": "1000" })
        response.write('{"code":"00","data":{"access_token":"t"', () => response.destroy())
      })
      for (const layer of [FetchHttpClient.layer, yield* inScope(NodeHttpClient.layer)]) {
        const error = yield* Effect.flip((yield* overFetch(server.url, {}, layer)).issue)
        assert.deepInclude(error, { _tag: "Unavailable", reason: "Network", processed: "unknown", status: 200 })
        assert.match(String("detail" in error && error.detail), /^(UND_ERR_SOCKET|ECONNRESET)$/)
      }
    })
  )

  it.scopedLive("a body cut off on an error status: the status decides", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.writeHead(403, { "content-type": "application/json", "content-length": "1000" })
        response.write('{"code":', () => response.destroy())
      })
      assert.deepInclude(yield* issueError(server.url), { _tag: "InvalidCredentials", status: 403 })
    })
  )

  for (const [what, headers, status, expected] of [
    ["200 MB that say so", { "content-length": "200000000" }, 200, { _tag: "UnexpectedResponse", reason: "TooLarge" }],
    ["200 MB that do not say so", {}, 200, { _tag: "UnexpectedResponse", reason: "TooLarge" }],
    ["200 MB of an error", { "content-length": "200000000" }, 401, { _tag: "InvalidCredentials" }],
    ["an endless body of an error", {}, 503, { _tag: "Unavailable", reason: "ServerError" }]
  ] as const) {
    it.scopedLive(`${what}: nothing is read past 1 MiB, and the connection is closed`, () =>
      Effect.gen(function* () {
        let count = { written: 0 }
        const server = yield* serve((_, response) => {
          response.writeHead(status, { "content-type": "application/json", ...headers })
          count = pour(response, what.includes("endless") ? Number.POSITIVE_INFINITY : 200_000_000)
        })
        assert.deepInclude<object>(yield* issueError(server.url), expected)
        yield* server.closed
        assert.isBelow(count.written, 20_000_000)
      })
    )
  }

  it.scopedLive("a closed port: not processed", () =>
    Effect.gen(function* () {
      const error = yield* issueError(`http://127.0.0.1:${yield* closedPort}`)
      assert.deepInclude(error, { _tag: "Unavailable", reason: "Network", detail: "ECONNREFUSED", processed: "no" })
    })
  )

  it.scopedLive("a server without TLS: not processed", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => grant(response))
      const error = yield* issueError(server.url.replace("http:", "https:"))
      assert.deepInclude(error, { _tag: "Unavailable", reason: "Network", processed: "no" })
      assert.deepStrictEqual(server.seen, [])
    })
  )

  it.scopedLive("a connection that is reset after the request: maybe processed", () =>
    Effect.gen(function* () {
      const server = yield* serveTcp((socket) => void socket.once("data", () => socket.resetAndDestroy()))
      const error = yield* issueError(server.url)
      assert.deepInclude(error, { _tag: "Unavailable", reason: "Network", processed: "unknown" })
      assert.match(String("detail" in error && error.detail), /^(UND_ERR_SOCKET|ECONNRESET)$/)
    })
  )

  it.scopedLive("bytes that are not HTTP: maybe processed", () =>
    Effect.gen(function* () {
      const server = yield* serveTcp((socket) => void socket.once("data", () => socket.end("SSH-2.0-junk\r\n")))
      assert.deepInclude(yield* issueError(server.url), {
        _tag: "Unavailable",
        reason: "Network",
        processed: "unknown"
      })
    })
  )

  it.scopedLive("an interruption closes the connection", () =>
    Effect.gen(function* () {
      const server = yield* serve(() => {})
      const fiber = yield* Effect.fork((yield* overFetch(server.url)).issue)
      yield* Effect.repeat(Effect.yieldNow(), { until: () => server.seen.length === 1 })
      yield* Fiber.interrupt(fiber)
      yield* server.closed
    })
  )
})
