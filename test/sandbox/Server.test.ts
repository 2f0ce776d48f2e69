import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Logger, LogLevel, Redacted, Scope, Tracer } from "effect"
import { Sandbox, type SandboxService, type ServerOptions } from "nomba-auth/sandbox"
import { credentials, secretOf } from "./support.js"

const issue = (url: string, body: string = JSON.stringify(credentials), headers: Record<string, string> = {}) =>
  Effect.promise(() =>
    fetch(`${url}/v1/auth/token/issue`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body
    })
  )

// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever came
const json = (response: Response): Effect.Effect<any> => Effect.promise(() => response.json())

const serving = <A, E>(use: (sandbox: SandboxService) => Effect.Effect<A, E, Scope.Scope>, options?: ServerOptions) =>
  Effect.scoped(Effect.flatMap(Sandbox.makeServer(options), use))

/** Everything the server says to bytes sent as they are. */
const raw = (url: string, bytes: string) =>
  Effect.async<string>((resume) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    let text = ""
    socket.on("data", (chunk) => {
      text += chunk
      if (/\r\n\r\n[\s\S]*}$/.test(text)) socket.end()
    })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(text)))
  })

describe("a sandbox on a socket", () => {
  it.live("issues, refreshes, answers a resource and revokes", () =>
    serving(({ counts, url }) =>
      Effect.gen(function* () {
        assert.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
        const issued = yield* issue(url)
        assert.strictEqual(issued.status, 200)
        assert.isBelow(Math.abs(Date.parse(issued.headers.get("date") ?? "") - Date.now()), 60_000)
        const first = (yield* json(issued)).data

        const call = (path: string, init: RequestInit) => Effect.promise(() => fetch(`${url}${path}`, init))
        const balance = (token: string) =>
          Effect.map(call("/v1/accounts/balance", { headers: { authorization: `Bearer ${token}` } }), (r) => r.status)
        assert.strictEqual(yield* balance(first.access_token), 200)

        const post = (path: string, token: string, body: unknown) =>
          call(`/v1/auth/token/${path}`, {
            method: "POST",
            headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
            body: JSON.stringify(body)
          })
        const refreshed = yield* post("refresh", first.access_token, {
          grant_type: "refresh_token",
          refresh_token: first.refresh_token
        })
        const second = (yield* json(refreshed)).data
        assert.strictEqual(yield* balance(first.access_token), 401)
        assert.strictEqual(yield* balance(second.access_token), 200)
        const revoked = yield* post("revoke", second.access_token, { token: second.access_token })
        assert.strictEqual(revoked.status, 200)
        assert.strictEqual(yield* balance(second.access_token), 401)
        assert.include(yield* counts, { issued: 1, refreshed: 1, revoked: 1 })
      })
    )
  )

  it.live("can be called in process as well, with the same state", () =>
    serving(({ client, counts, url }) =>
      Effect.gen(function* () {
        yield* issue(url)
        yield* client.post(`${url}/v1/auth/token/issue`)
        assert.strictEqual((yield* counts).issue.requests, 2)
      })
    )
  )

  it.live("uses the envelope for invalid JSON, a 404, a 405, a form and a body that is too large", () =>
    serving(({ url }) =>
      Effect.gen(function* () {
        const call = (path: string, init: RequestInit) => Effect.promise(() => fetch(`${url}${path}`, init))
        const answers = yield* Effect.all([
          issue(url, "{"),
          issue(url, ""),
          issue(url, JSON.stringify({ ...credentials, client_secret: "SENTINEL" })),
          call("/nowhere", {}),
          call("/v1/auth/token/issue", {}),
          call("/v1/auth/token/issue", { method: "POST", body: new URLSearchParams(credentials) }),
          issue(url, JSON.stringify({ pad: "x".repeat(3_000_000) }))
        ])
        assert.deepStrictEqual(
          answers.map(({ status }) => status),
          [400, 400, 401, 404, 405, 415, 413]
        )
        for (const answer of answers) {
          const text = yield* Effect.promise(() => answer.text())
          assert.sameMembers(Object.keys(JSON.parse(text)), ["code", "description", "errors"])
          assert.notInclude(text, "SENTINEL")
        }
      })
    )
  )

  it.live("reads a chunked body, and rejects one that is too large", () =>
    serving(({ url }) =>
      Effect.gen(function* () {
        const head = "POST /v1/auth/token/issue HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
        const chunked = (...texts: ReadonlyArray<string>) =>
          raw(url, `${head}transfer-encoding: chunked\r\n\r\n${[...texts, ""].map(chunk).join("")}`)
        assert.include(yield* chunked(...JSON.stringify(credentials)), '"code":"00"')
        assert.include(yield* chunked(...Array.from({ length: 24 }, () => " ".repeat(0x8000))), '"code":"413"')
      })
    )
  )

  it.live("sends the headers of a fault", () =>
    serving(({ fault, url }) =>
      Effect.gen(function* () {
        yield* fault("issue", { answer: { status: 503, headers: { "x-a": "a\n", "X-B": " \tb c\r\n " } } })
        const { headers, status } = yield* issue(url)
        assert.strictEqual(status, 503)
        assert.deepStrictEqual([headers.get("x-a"), headers.get("x-b")], ["a", "b c"])
      })
    )
  )

  it.live("resets a connection for a fault, and serves the next one", () =>
    serving(({ counts, fault, url }) =>
      Effect.gen(function* () {
        yield* fault("issue", { answer: "connectionReset", processed: true })
        const dropped = yield* Effect.exit(
          Effect.tryPromise(() => fetch(`${url}/v1/auth/token/issue`, { method: "POST", body: "{}" }))
        )
        assert.isTrue(Exit.isFailure(dropped))
        assert.strictEqual((yield* issue(url)).status, 200)
        assert.strictEqual((yield* counts).issue.faulted, 1)
      })
    )
  )

  it.live("truncates a response for a fault, and serves the next one", () =>
    serving(({ configure, counts, fault, setTime, url }) =>
      Effect.gen(function* () {
        yield* setTime("2030-01-01T00:00:00Z")
        yield* configure({ rateLimit: "regular" })
        yield* fault("issue", { answer: "truncated" })
        const body = JSON.stringify(credentials)
        const head = "POST /v1/auth/token/issue HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        const heard = yield* raw(url, `${head}content-length: ${body.length}\r\n\r\n${body}`)
        const announced = Number(/content-length: (\d+)/i.exec(heard)?.[1])
        const [, received = ""] = heard.split("\r\n\r\n")
        assert.match(heard, /^HTTP\/1.1 200 /)
        assert.strictEqual(received.length, Math.floor(announced / 2))
        assert.isTrue(received.startsWith('{"code":"00"'))
        assert.match(heard, /^cache-control: no-store\r$/im)
        assert.match(heard, /^access-control-allow-origin: \*\r$/im)
        assert.match(heard, /^x-rate-limit-limit: 15\r$/im)
        assert.match(heard, /^date: Tue, 01 Jan 2030 00:00:\d\d GMT\r$/im)

        yield* fault("issue", { answer: "truncated" })
        const cut = yield* issue(url)
        assert.strictEqual(cut.status, 200)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.tryPromise(() => cut.text()))))
        assert.strictEqual((yield* issue(url)).status, 200)
        assert.include((yield* counts).issue, { requests: 3, faulted: 2, succeeded: 1 })
        assert.strictEqual((yield* counts).issued, 3)
      })
    )
  )

  it.live("sends an invalid body, a late response and no response", () =>
    serving(({ counts, fault, url }) =>
      Effect.gen(function* () {
        yield* fault("issue", { answer: "invalidBody" })
        const garbage = yield* issue(url)
        assert.strictEqual(garbage.status, 200)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.tryPromise(() => garbage.json()))))
        yield* fault("issue", { answer: { status: 502 }, processed: true, latency: "50 millis" })
        const [took, lost] = yield* Effect.timed(issue(url))
        assert.strictEqual(lost.status, 502)
        assert.isAtLeast(Duration.toMillis(took), 49)
        assert.strictEqual((yield* counts).issued, 1)
      })
    )
  )

  it.live("listens on the given host and port, or says why it cannot", () =>
    serving(({ url }) =>
      Effect.gen(function* () {
        const port = Number(new URL(url).port)
        const error = yield* Effect.flip(Sandbox.makeServer({ port }))
        assert.strictEqual(error.reason, "Listen")
        assert.include(error.message, `Port ${port} is already in use on 127.0.0.1`)
        assert.include(error.message, "EADDRINUSE")
        const everywhere = yield* Sandbox.makeServer({ host: "0.0.0.0" })
        assert.strictEqual((yield* issue(everywhere.url)).status, 200)
      })
    )
  )

  it.live("stops with its scope, even with open connections and a response due in an hour", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { counts, fault, url } = yield* Scope.extend(Sandbox.makeServer(), scope)
      yield* issue(url)
      yield* fault("issue", { latency: "1 hour" })
      const waiting = fetch(`${url}/v1/auth/token/issue`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(credentials)
      }).then(
        () => "answered",
        () => "truncated"
      )
      yield* Effect.repeat(counts, { until: ({ issued }) => issued === 2 })
      yield* Effect.timeout(Scope.close(scope, Exit.void), "5 seconds")
      assert.strictEqual(yield* Effect.promise(() => waiting), "truncated")
      const refused = yield* Effect.exit(Effect.tryPromise(() => fetch(url)))
      assert.isTrue(Exit.isFailure(refused))
    })
  )

  it.live("logs nothing and traces nothing", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => seen.push(String(message)))
      )
      const tracer = Tracer.make({
        span: (name) => {
          seen.push(name)
          throw new Error("a span")
        },
        context: (run) => run()
      })
      yield* serving(({ fault, url }) =>
        Effect.gen(function* () {
          yield* issue(url)
          yield* issue(url, "{")
          yield* fault("issue", { answer: { status: 500 } })
          yield* issue(url, undefined, { authorization: `Bearer ${secretOf}` })
        })
      ).pipe(Effect.provide(logger), Effect.withTracer(tracer), Logger.withMinimumLogLevel(LogLevel.All))
      assert.deepStrictEqual(seen, [])
    })
  )

  it.live("is available as a layer", () =>
    Effect.gen(function* () {
      const { counts, url } = yield* Sandbox
      yield* issue(url)
      assert.strictEqual((yield* counts).issued, 1)
    }).pipe(Effect.provide(Sandbox.layerServer()))
  )

  it.live("does not know the client of another sandbox", () =>
    serving(
      ({ url }) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* issue(url)).status, 401)
        }),
      { clients: [{ clientId: "c", clientSecret: Redacted.make("s") }] }
    )
  )
})
