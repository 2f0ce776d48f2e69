import { readFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { Sandbox, type SandboxService, type ServerOptions } from "nomba-auth/sandbox"
import { credentials } from "./support.js"

const pem = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8")

const https: ServerOptions = { tls: { cert: pem("certificate.pem"), key: pem("key.pem") } }

/** A connection of TCP alone, which has sent these bytes, if any. */
const openTcp = (url: string, bytes = ""): Effect.Effect<Socket, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Socket>((resume) => {
      const { hostname, port } = new URL(url)
      const socket = connect(Number(port), hostname, () => socket.write(bytes, () => resume(Effect.succeed(socket))))
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** The same connection, or the one of TLS that it carries, after it has sent these bytes. */
const speak = (tcp: Socket, url: string, bytes: string): Effect.Effect<Socket> =>
  Effect.async<Socket>((resume) => {
    const socket = url.startsWith("https:") ? connectTls({ socket: tcp, rejectUnauthorized: false }) : tcp
    socket.on("error", () => {})
    socket.write(bytes, () => resume(Effect.succeed(socket)))
  })

const open = (url: string, bytes: string): Effect.Effect<Socket, never, Scope.Scope> =>
  Effect.flatMap(openTcp(url), (tcp) => speak(tcp, url, bytes))

/** The first answer on a connection. */
const firstAnswer = (socket: Socket) =>
  Effect.async<string>((resume) => {
    let text = ""
    socket.setEncoding("latin1")
    socket.on("data", (chunk) => {
      text += chunk
      const length = /content-length: (\d+)/i.exec(text)?.[1]
      const start = text.indexOf("\r\n\r\n")
      if (start >= 0 && text.length >= start + 4 + Number(length ?? 0)) resume(Effect.succeed(text))
    })
    socket.on("close", () => resume(Effect.succeed(text)))
  })

const websocket = (url: string, path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: ${new URL(url).host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`

const plain = (url: string, path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: ${new URL(url).host}\r\nConnection: close\r\n\r\n`

const answerTo = (url: string, bytes: string) => Effect.flatMap(open(url, bytes), firstAnswer)

const statusOf = (answer: string) => /^HTTP\/1.1 (\d+) /.exec(answer)?.[1]

const paths = ["/", "/health", "/v1/auth/token/issue", "/v1/auth/authorize", "/v1/accounts/balance", "/_sandbox/state"]

describe.each([
  ["HTTP", {}],
  ["HTTPS", https]
] as const)("a sandbox that serves %s", (_, options) => {
  const serving = <A, E>(use: (sandbox: SandboxService) => Effect.Effect<A, E, Scope.Scope>) =>
    Effect.scoped(Effect.flatMap(Sandbox.makeServer(options), use))

  it.live("answers an upgrade request like a plain one, on every path", () =>
    serving(({ url }) =>
      Effect.forEach(paths, (path) =>
        Effect.gen(function* () {
          const expected = statusOf(yield* answerTo(url, plain(url, path)))
          assert.isDefined(expected)
          assert.strictEqual(statusOf(yield* answerTo(url, websocket(url, path))), expected, path)
        })
      )
    )
  )

  it.live("survives a client that resets the connection of an upgrade request", () =>
    serving(({ counts, url }) =>
      Effect.gen(function* () {
        for (const path of paths) {
          const tcp = yield* openTcp(url)
          yield* speak(tcp, url, websocket(url, path))
          tcp.resetAndDestroy()
        }
        yield* Effect.repeat(counts, { until: ({ authorize }) => authorize.requests > 0 })
        assert.strictEqual(statusOf(yield* answerTo(url, plain(url, "/health"))), "200")
      })
    )
  )

  it.live("stops although a client holds the connection of an upgrade request open", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { url } = yield* Scope.extend(Sandbox.makeServer(options), scope)
        const socket = yield* open(url, websocket(url, "/"))
        yield* firstAnswer(socket)
        yield* Effect.timeout(Scope.close(scope, Exit.void), "5 seconds")
      })
    )
  )

  for (const [what, bytes] of [
    ["says nothing", ""],
    ["stops within a request line or a TLS record", "\x16\x03\x01\x02"],
    ["stops within the head of a request", "GET / HTTP/1.1\r\nHost:"]
  ] as const) {
    it.live(`stops although a client connects and ${what}`, () =>
      Effect.scoped(
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const { url } = yield* Scope.extend(Sandbox.makeServer(options), scope)
          yield* openTcp(url, bytes)
          // The server has accepted the connections before this one.
          yield* answerTo(url, plain(url, "/health"))
          yield* Effect.timeout(Scope.close(scope, Exit.void), "5 seconds")
        })
      )
    )
  }

  it.live("takes a target in absolute form, whose host counts", () =>
    serving(({ url }) =>
      Effect.gen(function* () {
        const ask = (target: string, host: string) =>
          Effect.map(answerTo(url, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`), statusOf)
        const own = new URL(url).host
        assert.strictEqual(yield* ask(`${url}/health?x`, own), "200")
        assert.strictEqual(yield* ask(url, own), "200")
        assert.strictEqual(yield* ask(`${url}/_sandbox/state`, "evil.example"), "200")
        assert.strictEqual(yield* ask("http://evil.example/_sandbox/state", own), "403")
      })
    )
  )

  for (const [client, framing] of [
    ["curl --http2", (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`],
    [
      "a Java HttpClient that sends chunks",
      (body: string) => `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    ]
  ] as const) {
    it.live(`reads the body of ${client}, which offers h2c`, () =>
      serving(({ url }) =>
        Effect.gen(function* () {
          const head =
            "POST /v1/auth/token/issue HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nContent-Type: application/json\r\n"
          const socket = yield* open(url, `${head}${framing(JSON.stringify(credentials))}`)
          assert.match(yield* firstAnswer(socket), /^HTTP\/1.1 200 [\s\S]*"code":"00"/)
        })
      )
    )
  }
})
