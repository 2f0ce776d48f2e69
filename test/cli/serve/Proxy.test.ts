/** What the proxy passes on, what it refuses, and what it makes of the answers, on real sockets. */
import { once } from "node:events"
import { statSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { request, type ServerResponse } from "node:http"
import { createConnection, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buffer } from "node:stream/consumers"
import { brotliCompressSync, gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Either, Exit, Fiber, Redacted, Scope } from "effect"

import * as Keys from "../../../src/cli/serve/Keys.js"
import * as Listener from "../../../src/cli/serve/Listener.js"
import * as Rules from "../../../src/cli/serve/Rules.js"
import { InvalidCredentials, Unavailable, UnexpectedResponse } from "../../../src/schemas/AuthError.js"
import { accept, type Handle, KEY, type Proxied, proxied } from "../../support/proxied.js"
import { closedPort } from "../../support/server.js"
import { fixedCache, scriptedCache } from "../../support/tokenCache.js"

/** Reads the request to its end and tells what it was. */
const echo: Handle = async (incoming, response) => {
  const body = await buffer(incoming)
  response.end(body)
}

/** A 401 for every token but this one. */
const accepting =
  (token: string): Handle =>
  (incoming, response) => {
    response.statusCode = incoming.headers.authorization === `Bearer ${token}` ? 200 : 401
    echo(incoming, response)
  }

const bearers = ({ received }: Proxied): ReadonlyArray<string | undefined> =>
  received.map(({ headers }) => headers.authorization)

const envelopeOf = (body: string): { readonly code: string; readonly description: string } => JSON.parse(body)

const closes = (socket: Socket): Effect.Effect<void> =>
  Effect.async((resume) => void socket.once("close", () => resume(Effect.void)))

/** Waits until something holds, for at most the time of the test. */
const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.flatMap(Effect.sleep("5 millis"), () => until(holds))))

describe("a request", () => {
  it.scopedLive("is sent with the token, the account id and the base URL's path, and without the key", () =>
    Effect.gen(function* () {
      const proxied_ = yield* proxied(echo, { accountId: "the-account", base: "/nomba" })
      const { body, status } = yield* proxied_.ask("/v1/checkout/order?a=%2F&b", {
        method: "POST",
        headers: { "content-type": "application/json", accountId: "another", "x-idempotency-key": "once" },
        body: '{"amount":"1"}'
      })
      assert.strictEqual(status, 200)
      assert.strictEqual(body, '{"amount":"1"}')
      const [received] = proxied_.received
      assert.strictEqual(received?.method, "POST")
      assert.strictEqual(received?.url, "/nomba/v1/checkout/order?a=%2F&b")
      assert.deepInclude(received?.headers, {
        authorization: "Bearer token-1",
        accountid: "the-account",
        "content-type": "application/json",
        "x-idempotency-key": "once",
        "content-length": "14"
      })
      assert.match(received?.headers["user-agent"] ?? "", /^nomba-auth\//)
      assert.notInclude(JSON.stringify(received), KEY)
    })
  )

  it.scopedLive("keeps the caller's account id and User-Agent if the proxy has no account id", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* proxied()
      yield* ask("/v1/x", { headers: { accountId: "mine", "user-agent": "php" } })
      assert.deepInclude(received[0]?.headers, { accountid: "mine", "user-agent": "php" })
    })
  )

  it.scopedLive("loses credentials, cookies, ranges, hop-by-hop, proxy, trace and routing headers on the way", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* proxied()
      const dropped = {
        authorization: `Bearer ${KEY}`,
        cookie: "a=b",
        "keep-alive": "timeout=5",
        te: "trailers",
        "proxy-authorization": "Basic x",
        "proxy-connection": "keep-alive",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        tracestate: "a=b",
        baggage: "a=b",
        b3: "0",
        "x-b3-traceid": "0",
        "sentry-trace": "0",
        "x-forwarded-for": "10.0.0.1",
        forwarded: "for=10.0.0.1",
        "x-real-ip": "10.0.0.1",
        "client-ip": "10.0.0.1",
        "x-client-ip": "10.0.0.1",
        "x-cluster-client-ip": "10.0.0.1",
        "fastly-client-ip": "10.0.0.1",
        "true-client-ip": "10.0.0.1",
        "cf-connecting-ip": "10.0.0.1",
        "cf-connecting-ipv6": "fd00::1",
        range: "bytes=0-10",
        "if-range": '"1"',
        "x-http-method-override": "DELETE",
        "x-original-url": "/v1/transfers",
        "x-rewrite-url": "/v1/transfers",
        content_length: "3",
        referer: "http://127.0.0.1/",
        "accept-encoding": "gzip",
        "x-private": "1"
      }
      yield* ask("/v1/x", { headers: { ...dropped, connection: "X-Private, keep-alive", "x-kept": "2" } })
      const headers = received[0]?.headers ?? {}
      assert.deepInclude(headers, { authorization: "Bearer token-1", "accept-encoding": "identity", "x-kept": "2" })
      const { authorization: _, "accept-encoding": __, ...others } = dropped
      for (const name of Object.keys(others)) assert.notProperty(headers, name)
    })
  )

  it.scopedLive("is refused without the right key, before its body is read, and nothing is sent", () =>
    Effect.gen(function* () {
      const { handled, port, received, talk } = yield* proxied()
      const answer = yield* talk(
        `POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nx-nomba-key: wrong\r\nContent-Length: 99999999\r\n\r\n`,
        true
      )
      assert.match(answer, /^HTTP\/1\.1 401 /)
      assert.strictEqual(received.length, 0)
      assert.strictEqual(handled[0]?.key, "-")
    })
  )

  it.scopedLive("is answered 401 with the reason if its key is missing or wrong", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* proxied()
      for (const headers of [{ "x-nomba-key": "wrong-key-0123456789" }, { "x-nomba-key": "" }]) {
        const { body, status, tag } = yield* ask("/v1/x", { headers })
        assert.strictEqual(status, 401)
        assert.strictEqual(tag, "InvalidKey")
        assert.include(envelopeOf(body).description, "x-nomba-key")
      }
      assert.strictEqual(received.length, 0)
    })
  )

  it.scopedLive("takes what is in the path for one thing: what is checked is what is sent", () =>
    Effect.gen(function* () {
      const rule = Either.getOrThrow(Rules.parseRule("GET /v1/accounts/**"))
      const { ask, received } = yield* proxied(accept, { rules: [rule] })
      for (const path of [
        "/v1/accounts/../transfers",
        "/v1/accounts/%2e%2e/transfers",
        "/v1/accounts/..%2ftransfers",
        "/v1/accounts/..;/transfers",
        "/v1/accounts/..\\transfers",
        "/v1/accounts/%252e%252e/transfers",
        "/v1/accounts//../../transfers"
      ]) {
        assert.strictEqual((yield* ask(path)).status, 400, path)
      }
      assert.strictEqual((yield* ask("/v1/transfers")).tag, "NotAllowed")
      assert.strictEqual((yield* ask("/v1/accounts/x", { method: "POST" })).tag, "NotAllowed")
      assert.strictEqual((yield* ask("/v1/%61ccounts/x%20y?q=../..")).status, 200)
      assert.deepStrictEqual(
        received.map(({ url }) => url),
        ["/v1/accounts/x%20y?q=../.."]
      )
    })
  )

  it.scopedLive("has to pass the rules for all keys and those of its own", () =>
    Effect.gen(function* () {
      const rules = ["GET /v1/**"].map((text) => Either.getOrThrow(Rules.parseRule(text)))
      const own = ["* /v1/accounts/**"].map((text) => Either.getOrThrow(Rules.parseRule(text)))
      const keys = [
        Keys.make("all", Redacted.make("key-of-everything")),
        Keys.make("accounts", Redacted.make("key-of-the-accounts"), own)
      ]
      const { ask } = yield* proxied(accept, { rules, keys })
      const status = (key: string, path: string, method = "GET") =>
        Effect.map(ask(path, { method, headers: { "x-nomba-key": key } }), ({ status }) => status)
      assert.strictEqual(yield* status("key-of-everything", "/v1/transfers"), 200)
      assert.strictEqual(yield* status("key-of-everything", "/v1/transfers", "POST"), 403)
      assert.strictEqual(yield* status("key-of-the-accounts", "/v1/accounts/x"), 200)
      assert.strictEqual(yield* status("key-of-the-accounts", "/v1/accounts/x", "POST"), 403)
      assert.strictEqual(yield* status("key-of-the-accounts", "/v1/transfers"), 403)
    })
  )

  it.scopedLive("for a token operation is refused in every spelling", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* proxied()
      for (const path of [
        "/v1/auth/token/issue",
        "/v1/auth/token/revoke?x",
        "/V1/AUTH/token/refresh",
        "/v1/%61uth/token/issue",
        "/v2/auth/token/issue",
        "/auth/token/issue",
        "/v1/auth./token/issue",
        "/v1/auth%20/token/issue"
      ]) {
        const { body, status, tag } = yield* ask(path, { method: "POST" })
        assert.strictEqual(status, 403, path)
        assert.strictEqual(tag, "NotAllowed")
        assert.include(body, "obtains the token itself")
      }
      assert.strictEqual(received.length, 0)
    })
  )

  it.scopedLive("of another method than the API's is refused", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* proxied()
      for (const method of ["TRACE", "OPTIONS", "PROPFIND"]) {
        assert.strictEqual((yield* ask("/v1/x", { method })).status, 405)
      }
      assert.strictEqual(received.length, 0)
    })
  )

  it.scopedLive("is not answered with CORS headers, for any origin", () =>
    Effect.gen(function* () {
      const { ask } = yield* proxied((_, response) => {
        response.setHeader("access-control-allow-origin", "*")
        response.end()
      })
      const allowed = yield* ask("/v1/x")
      const refused = yield* ask("/v1/x", { headers: { origin: "https://evil.example" } })
      assert.strictEqual(refused.tag, "ForeignPage")
      for (const { headers } of [allowed, refused]) {
        assert.notInclude(Object.keys(headers).join(), "access-control")
      }
    })
  )
})

const lines = (...header: ReadonlyArray<string>): string =>
  [header[0], "Host: HOST", `x-nomba-key: ${KEY}`, ...header.slice(1), "", ""].join("\r\n")

describe("what one server may read in two ways", () => {
  const smuggled = "GET /v1/smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n"
  it.each([
    ["two Content-Length", `${lines("POST /v1/x HTTP/1.1", "Content-Length: 3", "Content-Length: 4")}abcd`],
    ["two equal Content-Length", `${lines("POST /v1/x HTTP/1.1", "Content-Length: 3", "Content-Length: 3")}abc`],
    ["a list of lengths", `${lines("POST /v1/x HTTP/1.1", "Content-Length: 3, 3")}abc`],
    [
      "Content-Length and Transfer-Encoding",
      `${lines("POST /v1/x HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked")}0\r\n\r\n${smuggled}`
    ],
    [
      "Transfer-Encoding and Content-Length",
      `${lines("POST /v1/x HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 5")}0\r\n\r\n${smuggled}`
    ],
    [
      "an unknown Transfer-Encoding",
      `${lines("POST /v1/x HTTP/1.1", "Transfer-Encoding: xchunked")}0\r\n\r\n${smuggled}`
    ],
    [
      "a second Transfer-Encoding",
      `${lines("POST /v1/x HTTP/1.1", "Transfer-Encoding: identity", "Transfer-Encoding: chunked")}0\r\n\r\n${smuggled}`
    ],
    [
      "a compressed Transfer-Encoding",
      `${lines("POST /v1/x HTTP/1.1", "Transfer-Encoding: gzip, chunked")}0\r\n\r\n${smuggled}`
    ],
    ["chunks in HTTP/1.0", `${lines("POST /v1/x HTTP/1.0", "Transfer-Encoding: chunked")}0\r\n\r\n${smuggled}`],
    ["a space before the colon", `${lines("POST /v1/x HTTP/1.1", "Content-Length : 3")}abc`],
    ["a folded header", lines("GET /v1/x HTTP/1.1", "X-A: b", " c")],
    ["a folded Transfer-Encoding", `${lines("POST /v1/x HTTP/1.1", "Transfer-Encoding:", " chunked")}0\r\n\r\n`],
    ["a line that ends with LF", lines("GET /v1/x HTTP/1.1").replaceAll("\r\n", "\n")],
    ["a bare CR", lines("GET /v1/x HTTP/1.1", "X-A: b\rX-B: c")],
    ["a NUL", lines("GET /v1/x HTTP/1.1", "X-A: b\0")],
    ["a signed length", `${lines("POST /v1/x HTTP/1.1", "Content-Length: +3")}abc`],
    [
      "a chunk size in another notation",
      `${lines("POST /v1/x HTTP/1.1", "Transfer-Encoding: chunked")}0x3\r\nabc\r\n0\r\n\r\n`
    ],
    ["two Host headers", lines("GET /v1/x HTTP/1.1", "Host: evil.example")],
    ["no Host header", `GET /v1/x HTTP/1.1\r\nx-nomba-key: ${KEY}\r\n\r\n`],
    ["an absolute URL", lines("GET http://evil.example/v1/x HTTP/1.1")],
    ["an absolute URL of its own", lines("GET http://HOST/v1/x HTTP/1.1")],
    ["an asterisk", lines("OPTIONS * HTTP/1.1")],
    ["CONNECT", lines("CONNECT api.nomba.com:443 HTTP/1.1")],
    ["a space in the path", lines("GET /v1/x y HTTP/1.1")],
    ["another version", lines("GET /v1/x HTTP/1.2")],
    ["headers over 16 KiB", lines("GET /v1/x HTTP/1.1", `X-A: ${"a".repeat(17_000)}`)]
  ])("%s is refused, and nothing is passed on", (_, bytes) =>
    Effect.gen(function* () {
      const { handled, port, proxy, received, talk } = yield* proxied()
      const answer = yield* talk(bytes.replaceAll("HOST", `127.0.0.1:${port}`))
      assert.match(answer, /^HTTP\/1\.1 4\d\d /)
      yield* until(() => handled.length > 0 && proxy.metrics.inFlight === 0)
      assert.deepStrictEqual(
        handled.map(({ status }) => status),
        [Number(answer.slice(9, 12))]
      )
      assert.match(answer, /x-nomba-auth: InvalidRequest/)
      assert.match(answer, /connection: close/i)
      assert.deepStrictEqual(received, [])
    }).pipe(Effect.scoped, Effect.runPromise)
  )

  it.scopedLive("an upgrade is a plain request without the offer", () =>
    Effect.gen(function* () {
      const { port, received, talk } = yield* proxied()
      const answer = yield* talk(
        lines(
          "GET /v1/x HTTP/1.1",
          "Connection: Upgrade, HTTP2-Settings, close",
          "Upgrade: websocket, h2c",
          "HTTP2-Settings: AAA"
        ).replaceAll("HOST", `127.0.0.1:${port}`),
        true
      )
      assert.match(answer, /^HTTP\/1\.1 200 /)
      assert.deepStrictEqual(
        Object.keys(received[0]?.headers ?? {}).filter((name) => /upgrade|http2/.test(name)),
        []
      )
    })
  )

  it.scopedLive("an expectation that HTTP does not know is a plain request without it", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* proxied()
      assert.strictEqual((yield* ask("/v1/x", { headers: { expect: "more" } })).status, 200)
      assert.notProperty(received[0]?.headers, "expect")
      const unkeyed = yield* ask("/v1/x", { headers: { expect: "more", "x-nomba-key": "wrong" } })
      assert.deepInclude(unkeyed, { status: 401, tag: "InvalidKey" })
    })
  )

  it.scopedLive("two requests in one packet are two requests, and the second needs a key of its own", () =>
    Effect.gen(function* () {
      const { port, received, talk } = yield* proxied()
      const [first, second] = [
        lines("POST /v1/a HTTP/1.1", "Content-Length: 3"),
        "GET /v1/b HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"
      ]
      const answer = yield* talk(`${first}abc${second}`.replaceAll("HOST", `127.0.0.1:${port}`), true)
      assert.deepStrictEqual(
        [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
        ["200", "401"]
      )
      assert.deepStrictEqual(
        received.map(({ url }) => url),
        ["/v1/a"]
      )
    })
  )
})

describe("a connection with several requests", () => {
  const closing = [
    ["is refused as malformed", lines("GET /v1/../x HTTP/1.1"), "400"],
    ["asks for the end of the connection", lines("GET /v1/first HTTP/1.1", "Connection: close"), "200"],
    ["is of HTTP/1.0", lines("GET /v1/first HTTP/1.0", "Connection: keep-alive"), "200"]
  ] as const

  it.scopedLive.each(closing)("is done with after one that %s", ([, first, status]) =>
    Effect.gen(function* () {
      const { handled, port, proxy, received, talk } = yield* proxied()
      const second = lines("POST /v1/second HTTP/1.1", "Content-Length: 0")
      const answer = yield* talk((first + second).replaceAll("HOST", `127.0.0.1:${port}`), true)
      assert.deepStrictEqual(answer.match(/(?<=HTTP\/1\.1 )\d+/g), [status])
      yield* until(() => proxy.metrics.inFlight === 0)
      assert.notInclude(
        received.map(({ url }) => url),
        "/v1/second"
      )
      assert.isAtMost(handled.length, 1)
    })
  )

  it.scopedLive("that is lost ends them all, also those that wait for the response before their own", () =>
    Effect.gen(function* () {
      const { connect, handled, port, proxy, received } = yield* proxied(() => {})
      const socket = yield* connect
      const requests = ["/v1/1", "/v1/2", "/v1/3"].map((path) => lines(`GET ${path} HTTP/1.1`))
      socket.write(requests.join("").replaceAll("HOST", `127.0.0.1:${port}`))
      yield* until(() => received.length === 3)
      assert.strictEqual(proxy.metrics.inFlight, 3)
      socket.destroy()
      yield* until(() => handled.length === 3)
      assert.deepStrictEqual(
        handled.map(({ path, status }) => [path, status]),
        [
          ["/v1/1", 499],
          ["/v1/2", 499],
          ["/v1/3", 499]
        ]
      )
      assert.strictEqual(proxy.metrics.inFlight, 0)
    })
  )
})

it.scopedLive("a request that was passed on gets Nomba's response, although what follows it is not HTTP", () =>
  Effect.gen(function* () {
    const held = yield* Deferred.make<ServerResponse>()
    const { port, received, talk } = yield* proxied((incoming, response) => {
      incoming.resume()
      Deferred.unsafeDone(held, Effect.succeed(response))
    })
    // Its Content-Length counts characters, and so leaves the end of the body out.
    const request = `${lines("POST /v1/transfers/bank HTTP/1.1", "Content-Length: 3")}abcd\r\n\r\n`
    const talking = yield* Effect.fork(talk(request.replaceAll("HOST", `127.0.0.1:${port}`), true))
    const response = yield* Deferred.await(held)
    response.end("booked")
    const answer = yield* Fiber.join(talking)
    assert.match(answer, /^HTTP\/1\.1 200 /)
    assert.match(answer, /connection: close/i)
    assert.include(answer, "booked")
    assert.strictEqual(received.length, 1)
  })
)

it.scopedLive("what follows an answered request and is not HTTP closes the connection without an answer", () =>
  Effect.gen(function* () {
    const { connect, port, received } = yield* proxied()
    const socket = yield* connect
    let answer = ""
    const answered = yield* Deferred.make<void>()
    socket.setEncoding("utf8").on("data", (text: string) => {
      answer += text
      if (/^HTTP\/1\.1 200 .*\r\n\r\n/s.test(answer)) Deferred.unsafeDone(answered, Effect.void)
    })
    socket.write(lines("GET /v1/x HTTP/1.1").replaceAll("HOST", `127.0.0.1:${port}`))
    yield* Deferred.await(answered)
    socket.write("this is not HTTP\r\n\r\n")
    yield* closes(socket)
    assert.lengthOf(answer.match(/HTTP\/1\.1 /g) ?? [], 1)
    assert.strictEqual(received.length, 1)
  })
)

describe("a slow caller", () => {
  const limits = { headers: 200, request: 600 }

  it.scopedLive("that does not finish its headers is cut off", () =>
    Effect.gen(function* () {
      const { handled, received, talk } = yield* proxied(accept, { limits })
      const answer = yield* talk("GET /v1/x HTTP/1.1\r\nHost: a\r\nX-A: ", true)
      assert.match(answer, /^HTTP\/1\.1 408 /)
      assert.deepStrictEqual(
        handled.map(({ key, method, path, status }) => [key, method, path, status]),
        [["-", "-", "-", 408]]
      )
      assert.strictEqual(received.length, 0)
    })
  )

  it.scopedLive("that never ends its body is cut off, and so is the request to Nomba", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      const { connect, handled, port } = yield* proxied(
        (incoming) => {
          incoming.on("error", () => {}).on("close", () => Deferred.unsafeDone(closed, Effect.void))
          incoming.resume()
        },
        { limits }
      )
      const socket = yield* connect
      socket.write(lines("POST /v1/x HTTP/1.1", "Transfer-Encoding: chunked").replaceAll("HOST", `127.0.0.1:${port}`))
      const drip = setInterval(() => socket.write("1\r\na\r\n"), 20)
      yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(drip)))
      yield* closes(socket)
      yield* Deferred.await(closed)
      yield* until(() => handled.length > 0)
      assert.deepStrictEqual(
        handled.map(({ path, status }) => [path, status]),
        [["/v1/x", 408]]
      )
    })
  )
})

describe("a 401", () => {
  it.scopedLive("is followed by one renewal and the same request once more", () =>
    Effect.gen(function* () {
      const cache = scriptedCache("nomba")
      const proxied_ = yield* proxied(accepting("token-2"), { cache })
      const { body, status } = yield* proxied_.ask("/v1/transfers/bank", {
        method: "POST",
        headers: { "x-idempotency-key": "once" },
        body: "a payment"
      })
      assert.strictEqual(status, 200)
      assert.strictEqual(body, "a payment")
      assert.deepStrictEqual(bearers(proxied_), ["Bearer token-1", "Bearer token-2"])
      const [first, second] = proxied_.received.map(({ headers: { authorization: _, ...headers } }) => headers)
      assert.deepStrictEqual(first, second)
      assert.deepStrictEqual(cache.told, ["invalidate token-1", "session", "confirm token-2"])
      assert.strictEqual(cache.requests[0]?.route, "POST /v1/transfers/bank")
      yield* until(() => proxied_.handled.length === 1)
      assert.deepInclude(proxied_.handled[0], {
        key: "test",
        status: 200,
        isReplayed: true,
        path: "/v1/transfers/bank"
      })
    })
  )

  it.scopedLive("with another body counts as another call of the route", () =>
    Effect.gen(function* () {
      const cache = scriptedCache()
      cache.rejections.push("None", "None", "None")
      const { ask } = yield* proxied(accepting("token-2"), { cache })
      for (const body of ["one", "two", "one"]) yield* ask("/v1/transfers/bank", { method: "POST", body })
      const [one, two, again] = cache.requests.map(({ resource }) => resource)
      assert.isDefined(one)
      assert.notStrictEqual(one, two)
      assert.strictEqual(one, again)
    })
  )

  it.scopedLive("to a renewed token goes to the caller with the reason", () =>
    Effect.gen(function* () {
      const proxied_ = yield* proxied(accepting("token-9"), { cache: scriptedCache("nomba") })
      const { headers, status, tag } = yield* proxied_.ask("/v1/x")
      assert.strictEqual(status, 401)
      assert.strictEqual(tag, "NotReplayed")
      assert.include(String(headers["x-nomba-auth-detail"]), "account id")
      assert.strictEqual(proxied_.received.length, 2)
    })
  )

  it.scopedLive("is replayed once with the same token if the cache says so", () =>
    Effect.gen(function* () {
      const cache = scriptedCache()
      cache.rejections.push("SameToken")
      let requests = 0
      const proxied_ = yield* proxied(
        (incoming, response) => {
          requests += 1
          response.statusCode = requests === 1 ? 401 : 200
          accept(incoming, response)
        },
        { cache }
      )
      assert.strictEqual((yield* proxied_.ask("/v1/x")).status, 200)
      assert.deepStrictEqual(bearers(proxied_), ["Bearer token-1", "Bearer token-1"])
    })
  )

  it.scopedLive.each([1_048_576, 1_048_577])("to a body of %i bytes", (size) =>
    Effect.gen(function* () {
      const proxied_ = yield* proxied(
        async (incoming, response) => {
          const { length } = await buffer(incoming)
          response.statusCode = incoming.headers.authorization === "Bearer token-2" ? 200 : 401
          response.end(String(length))
        },
        { cache: scriptedCache("nomba") }
      )
      const { body, headers, status, tag } = yield* proxied_.ask("/v1/x", { method: "POST", body: Buffer.alloc(size) })
      assert.strictEqual(body, String(size))
      if (size <= 1_048_576) {
        assert.strictEqual(status, 200)
        assert.strictEqual(proxied_.received.length, 2)
      } else {
        assert.strictEqual(status, 401)
        assert.strictEqual(tag, "NotReplayed")
        assert.include(String(headers["x-nomba-auth-detail"]), "larger than 1 MiB")
        assert.strictEqual(proxied_.received.length, 1)
      }
    })
  )

  it.scopedLive("before the body is here is replayed with the whole body", () =>
    Effect.gen(function* () {
      const proxied_ = yield* proxied(
        (incoming, response) => {
          if (incoming.headers.authorization === "Bearer token-2") return echo(incoming, response)
          response.statusCode = 401
          response.end()
        },
        { cache: scriptedCache("nomba") }
      )
      const socket = yield* proxied_.connect
      const answer = buffer(socket)
      const head = lines("POST /v1/x HTTP/1.1", "Connection: close", "Transfer-Encoding: chunked")
      socket.write(`${head.replaceAll("HOST", `127.0.0.1:${proxied_.port}`)}5\r\nfirst\r\n`)
      yield* until(() => proxied_.received.length === 2)
      socket.write("5\r\n then\r\n0\r\n\r\n")
      assert.include((yield* Effect.promise(() => answer)).toString(), "first then")
    })
  )

  it.scopedLive("is what a 500 means that says that the bearer has expired, and only a GET is sent again", () =>
    Effect.gen(function* () {
      const expired: Handle = (incoming, response) => {
        response.statusCode = incoming.headers.authorization === "Bearer token-2" ? 200 : 500
        incoming.resume().on("end", () => response.end('{"description":"JWT expired at 2026-11-27"}'))
      }
      const get = yield* proxied(expired, { cache: scriptedCache("nomba") })
      assert.strictEqual((yield* get.ask("/v1/x")).status, 200)
      const post = yield* proxied(expired, { cache: scriptedCache("nomba") })
      const { headers, status, tag } = yield* post.ask("/v1/x", { method: "POST", body: "{}" })
      assert.strictEqual(status, 500)
      assert.strictEqual(tag, "NotReplayed")
      assert.include(String(headers["x-nomba-auth-detail"]), "only GET and HEAD")
      assert.deepStrictEqual(post.cache.told, ["invalidate token-1"])
    })
  )

  it.scopedLive("whose renewal fails is answered with the failure, and never with a bare 401", () =>
    Effect.gen(function* () {
      for (const [error, status, retryAfter] of [
        [new InvalidCredentials({ operation: "issue", status: 401 }), 502],
        [
          new Unavailable({
            operation: "issue",
            reason: "RateLimited",
            status: 429,
            retryAfter: Duration.millis(2_100)
          }),
          429,
          "3"
        ],
        [new Unavailable({ operation: "issue", reason: "RateLimited", status: 429 }), 429, "1"],
        [new Unavailable({ operation: "issue", reason: "ServerError", status: 503 }), 503, "1"],
        [new Unavailable({ operation: "store", reason: "Store", target: "Redis at cache:6379" }), 503, "1"],
        [new Unavailable({ operation: "request", reason: "SessionContested" }), 503, "1"],
        [new UnexpectedResponse({ operation: "issue", reason: "RenewalIneffective" }), 502]
      ] as const) {
        const { ask } = yield* proxied(accepting("token-2"), { cache: scriptedCache(error) })
        const answer = yield* ask("/v1/x")
        assert.strictEqual(answer.status, status)
        assert.strictEqual(answer.tag, error._tag)
        assert.deepStrictEqual(JSON.parse(answer.body), { code: String(status), description: error.message })
        assert.strictEqual(answer.headers["retry-after"], retryAfter)
      }
    })
  )
})

/** Sends the half of a response. */
const breaking: Handle = (_, response) => {
  response.writeHead(200)
  response.write("half", () => response.destroy())
}

describe("a response", () => {
  it.scopedLive("shows the token nowhere", () =>
    Effect.gen(function* () {
      const token = "Bearer an-opaque-access-token-0123456789"
      const cache = {
        ...scriptedCache(),
        layer: fixedCache(Effect.succeed(Redacted.make("an-opaque-access-token-0123456789")))
      }
      const { ask } = yield* proxied(
        (incoming, response) => {
          const { authorization = "" } = incoming.headers
          response.writeHead(418, { "x-echo": authorization, "content-length": authorization.length })
          response.write(authorization.slice(0, 20))
          setTimeout(() => response.end(authorization.slice(20)), 20)
        },
        { cache }
      )
      const { body, headers } = yield* ask("/v1/x")
      assert.strictEqual(body.length, token.length)
      assert.strictEqual(body, `Bearer ${"*".repeat(token.length - 7)}`)
      assert.strictEqual(headers["x-echo"], body)
    })
  )

  it.scopedLive("shows it in no encoding either: the response is decoded", () =>
    Effect.gen(function* () {
      const text = "Bearer an-opaque-access-token-0123456789"
      for (const [encoding, body] of [
        ["gzip", gzipSync(text)],
        ["br", brotliCompressSync(text)]
      ] as const) {
        const cache = {
          ...scriptedCache(),
          layer: fixedCache(Effect.succeed(Redacted.make("an-opaque-access-token-0123456789")))
        }
        const { ask } = yield* proxied(
          (_, response) => {
            response.writeHead(200, { "content-encoding": encoding, "content-length": body.length })
            response.end(body)
          },
          { cache }
        )
        const answer = yield* ask("/v1/x")
        assert.strictEqual(answer.body, `Bearer ${"*".repeat(text.length - 7)}`)
        assert.notProperty(answer.headers, "content-encoding")
      }
      const { ask } = yield* proxied((_, response) => {
        response.writeHead(200, { "content-encoding": "zstd" })
        response.end("?")
      })
      const unknown = yield* ask("/v1/x")
      assert.deepInclude(unknown, { status: 502, tag: "UnexpectedResponse" })
      assert.include(unknown.body, "content-encoding: is none that this proxy can decode")
    })
  )

  it.scopedLive("that redirects becomes a 502 with the reason", () =>
    Effect.gen(function* () {
      for (const status of [301, 302, 303, 307, 308]) {
        const { ask } = yield* proxied((_, response) => {
          response.writeHead(status, { location: "https://evil.example/" })
          response.end()
        })
        const answer = yield* ask("/v1/x")
        assert.strictEqual(answer.status, 502)
        assert.strictEqual(answer.tag, "UnexpectedResponse")
        assert.include(answer.body, "redirect")
        assert.notProperty(answer.headers, "location")
      }
    })
  )

  it.scopedLive("loses cookies, hop-by-hop headers and what speaks in the name of the proxy", () =>
    Effect.gen(function* () {
      const { ask } = yield* proxied((_, response) => {
        response.writeHead(200, {
          "set-cookie": ["a=b", "c=d"],
          "proxy-authenticate": "Basic",
          "alt-svc": 'h3=":443"',
          "x-nomba-auth": "InvalidCredentials",
          "x-private": "1",
          connection: "x-private",
          "x-kept": ["1", "2"]
        })
        response.end("ok")
      })
      const { body, headers, tag } = yield* ask("/v1/x")
      assert.strictEqual(body, "ok")
      assert.isUndefined(tag)
      assert.strictEqual(headers["x-kept"], "1, 2")
      for (const name of ["set-cookie", "proxy-authenticate", "alt-svc", "x-private"]) assert.notProperty(headers, name)
    })
  )

  it.scopedLive.each([204, 304])("without a body (%i) has none", (status) =>
    Effect.gen(function* () {
      const { ask } = yield* proxied((_, response) => {
        response.statusCode = status
        response.end()
      })
      assert.deepInclude(yield* ask("/v1/x"), { status, body: "" })
    })
  )

  it.scopedLive("to HEAD has the length and no body", () =>
    Effect.gen(function* () {
      const { ask } = yield* proxied((_, response) => {
        response.writeHead(200, { "content-length": 1_234 })
        response.end()
      })
      const { body, headers } = yield* ask("/v1/x", { method: "HEAD" })
      assert.strictEqual(headers["content-length"], "1234")
      assert.strictEqual(body, "")
    })
  )

  it.scopedLive("of an unreachable Nomba is a 502 that names the host", () =>
    Effect.gen(function* () {
      const port = yield* closedPort
      const { ask } = yield* proxied(accept, { baseUrl: `http://127.0.0.1:${port}` })
      const { body, status, tag } = yield* ask("/v1/x")
      assert.deepInclude({ status, tag }, { status: 502, tag: "Unavailable" })
      assert.include(body, `Cannot connect to 127.0.0.1:${port}`)
      assert.include(body, "ECONNREFUSED")
    })
  )

  it.scopedLive("that does not come is a 502, and a POST is not sent again", () =>
    Effect.gen(function* () {
      const { ask, received } = yield* proxied((incoming) => incoming.socket.destroy())
      assert.deepInclude(yield* ask("/v1/x", { method: "POST", body: "{}" }), { status: 502, tag: "Unavailable" })
      assert.strictEqual(received.length, 1)
    })
  )

  it.scopedLive("an unrequested 101 is a 502", () =>
    Effect.gen(function* () {
      const { ask } = yield* proxied((incoming) => {
        incoming.socket.end("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
      })
      assert.deepInclude(yield* ask("/v1/x"), { status: 502, tag: "Unavailable" })
    })
  )

  it.scopedLive("on a connection that the server has just closed is asked for once more, unless it is a POST", () =>
    Effect.gen(function* () {
      for (const [method, status, sent] of [
        ["GET", 200, 3],
        ["POST", 502, 2]
      ] as const) {
        let requests = 0
        const { ask, received } = yield* proxied((incoming, response) => {
          requests += 1
          if (requests === 2) incoming.socket.destroy()
          else accept(incoming, response)
        })
        assert.strictEqual((yield* ask("/v1/x")).status, 200)
        assert.strictEqual((yield* ask("/v1/x", { method })).status, status)
        assert.strictEqual(received.length, sent)
      }
    })
  )

  it.scopedLive("that breaks off breaks off for the caller too, and is a 502 in the log", () =>
    Effect.gen(function* () {
      const { handled, port, talk } = yield* proxied(breaking)
      const answer = yield* talk(lines("GET /v1/x HTTP/1.1").replaceAll("HOST", `127.0.0.1:${port}`), true)
      assert.match(answer, /^HTTP\/1\.1 200 /)
      assert.include(answer, "half")
      assert.notInclude(answer, "\r\n0\r\n\r\n")
      yield* until(() => handled.length === 1)
      assert.strictEqual(handled[0]?.status, 502)
    })
  )

  it.scopedLive("that breaks off resets a connection of HTTP/1.0, whose end would be the end of the body", () =>
    Effect.gen(function* () {
      const { connect, handled, port } = yield* proxied(breaking)
      const socket = yield* connect
      const failed = yield* Effect.fork(
        Effect.promise(() => once(socket.resume(), "error") as Promise<[NodeJS.ErrnoException]>)
      )
      socket.write(lines("GET /v1/x HTTP/1.0").replaceAll("HOST", `127.0.0.1:${port}`))
      const [error] = yield* Fiber.join(failed)
      assert.strictEqual(error.code, "ECONNRESET")
      yield* until(() => handled.length === 1)
      assert.strictEqual(handled[0]?.status, 502)
    })
  )

  it.scopedLive("that is not compressed as it says is a 502", () =>
    Effect.gen(function* () {
      for (const status of [200, 404, 500]) {
        for (const text of ["plain text", "x".repeat(100_000)]) {
          const { ask } = yield* proxied((_, response) => {
            response.writeHead(status, { "content-encoding": "gzip", "content-length": text.length })
            response.end(text)
          })
          const answer = yield* ask("/v1/x")
          assert.deepInclude(answer, { status: 502, tag: "UnexpectedResponse" })
          assert.include(answer.body, "body: is not what its content-encoding says")
        }
      }
      const { ask } = yield* proxied((_, response) => {
        response.writeHead(200, { "content-encoding": "gzip", "content-length": 0 })
        response.end()
      })
      assert.deepInclude(yield* ask("/v1/x"), { status: 200, body: "" })
    })
  )

  it.scopedLive("is passed on while it comes, without waiting for its end", () =>
    Effect.gen(function* () {
      const more = yield* Deferred.make<ServerResponse>()
      const { connect, port } = yield* proxied((_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write("data: 1\n\n")
        Deferred.unsafeDone(more, Effect.succeed(response))
      })
      const socket = yield* connect
      socket.write(lines("GET /v1/x HTTP/1.1").replaceAll("HOST", `127.0.0.1:${port}`))
      yield* seen(socket, "data: 1\n\n")
      const response = yield* Deferred.await(more)
      response.write("data: 2\n\n")
      yield* seen(socket, "data: 2\n\n")
      response.end()
    })
  )
})

/** Waits for a text on a socket. */
const seen = (socket: Socket, text: string): Effect.Effect<void> =>
  Effect.async((resume) => {
    let content = ""
    const read = (chunk: Buffer): void => {
      content += chunk.toString("latin1")
      if (!content.includes(text)) return
      socket.off("data", read)
      resume(Effect.void)
    }
    socket.on("data", read)
  })

describe("large bodies", () => {
  it.scopedLive("go up and down while they come, each part before the next one is sent", () =>
    Effect.gen(function* () {
      const { connect, port } = yield* proxied((incoming, response) => void incoming.pipe(response))
      const socket = yield* connect
      const length = 64 * 1024
      const parts = Array.from({ length: 32 }, (_, index) => String.fromCharCode(65 + index).repeat(length))
      socket.write(
        lines("POST /v1/x HTTP/1.1", `Content-Length: ${parts.length * length}`).replaceAll("HOST", `127.0.0.1:${port}`)
      )
      for (const part of parts) {
        const returned = count(socket, part[0] ?? "", length)
        socket.write(part)
        yield* returned
      }
    })
  )

  it.scopedLive("are not read faster than Nomba takes them", () =>
    Effect.gen(function* () {
      // Who does not read does not see either that the caller has gone.
      const limits = { drain: 0 }
      const { connect, port, received } = yield* proxied((incoming) => void incoming.pause(), { limits })
      const socket = yield* connect
      const size = 64 * 1024 * 1024
      socket.write(lines("POST /v1/x HTTP/1.1", `Content-Length: ${size}`).replaceAll("HOST", `127.0.0.1:${port}`))
      const piece = Buffer.alloc(64 * 1024)
      let taken = 0
      const count = (): void => {
        taken += piece.length
      }
      for (let sent = 0; sent < size; sent += piece.length) socket.write(piece, count)
      yield* until(() => received.length === 1 && taken > 0)
      // Until nothing is taken for half a second.
      for (let before = 0; before < taken; yield* Effect.sleep("500 millis")) before = taken
      assert.isBelow(taken, size / 2)
    })
  )
})

/** Waits for so many of a letter on a socket. */
const count = (socket: Socket, letter: string, wanted: number): Effect.Effect<void> =>
  Effect.async((resume) => {
    let found = 0
    const read = (chunk: Buffer): void => {
      found += chunk.toString("latin1").split(letter).length - 1
      if (found < wanted) return
      socket.off("data", read)
      resume(Effect.void)
    }
    socket.on("data", read)
  })

describe("a caller that goes", () => {
  it.scopedLive("in the middle of an upload is a 499 in the log", () =>
    Effect.gen(function* () {
      const { connect, handled, port, received } = yield* proxied()
      const socket = yield* connect
      const head = lines("POST /v1/x HTTP/1.1", "Content-Length: 9").replaceAll("HOST", `127.0.0.1:${port}`)
      socket.write(`${head}half`)
      yield* until(() => received.length === 1)
      socket.destroy()
      yield* until(() => handled.length > 0)
      assert.deepStrictEqual(
        handled.map(({ path, status }) => [path, status]),
        [["/v1/x", 499]]
      )
    })
  )

  it.scopedLive("before the response ends the request to Nomba", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      const { connect, handled, port, received } = yield* proxied((_, response) => {
        response.on("close", () => Deferred.unsafeDone(closed, Effect.void))
      })
      const socket = yield* connect
      socket.write(lines("GET /v1/x HTTP/1.1").replaceAll("HOST", `127.0.0.1:${port}`))
      yield* until(() => received.length === 1)
      socket.destroy()
      yield* Deferred.await(closed)
      yield* until(() => handled.length === 1)
      assert.strictEqual(handled[0]?.status, 499)
    })
  )

  it.scopedLive("in the middle of a download ends the request to Nomba", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      const { connect, handled, port } = yield* proxied((_, response) => {
        response.on("close", () => Deferred.unsafeDone(closed, Effect.void)).on("error", () => {})
        response.write("data: 1\n\n")
      })
      const socket = yield* connect
      socket.write(lines("GET /v1/x HTTP/1.1").replaceAll("HOST", `127.0.0.1:${port}`))
      yield* seen(socket, "data: 1")
      socket.destroy()
      yield* Deferred.await(closed)
      yield* until(() => handled.length === 1)
      assert.strictEqual(handled[0]?.status, 499)
    })
  )
})

describe("a proxy that closes", () => {
  it.live("finishes the requests in flight, and takes no new connection", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const held = yield* Deferred.make<ServerResponse>()
      const { ask, port } = yield* proxied((incoming, response) => {
        if (incoming.url === "/v1/slow") Deferred.unsafeDone(held, Effect.succeed(response))
        else accept(incoming, response)
      }).pipe(Scope.extend(scope))
      assert.strictEqual((yield* ask("/v1/quick")).status, 200)
      const slow = yield* Effect.fork(ask("/v1/slow"))
      const response = yield* Deferred.await(held)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* until(() => closing.unsafePoll() !== null).pipe(Effect.timeoutOption("100 millis"))
      const refused = createConnection(port, "127.0.0.1")
      yield* closes(refused.on("error", () => {}))
      response.end("done")
      const answer = yield* slow
      assert.deepInclude(answer, { status: 200, body: "done" })
      assert.strictEqual(answer.headers.connection, "close")
      yield* closing
    })
  )

  it.live("closes connections without a whole request at once", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      // Longer than a test may take.
      const limits = { drain: 600_000 }
      const { ask, connect } = yield* proxied(accept, { limits }).pipe(Scope.extend(scope))
      const silent = yield* connect
      const begun = yield* connect
      begun.write("GET /v1/x HT")
      assert.strictEqual((yield* ask("/v1/x")).status, 200)
      yield* Effect.all([closes(silent), closes(begun), Scope.close(scope, Exit.void)], { concurrency: "unbounded" })
    }).pipe(Effect.scoped)
  )

  it.live("answers all requests of a connection before it closes it", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const held: Array<ServerResponse> = []
      const { port, proxy, talk } = yield* proxied((_, response) => void held.push(response)).pipe(Scope.extend(scope))
      const two = lines("GET /v1/1 HTTP/1.1") + lines("GET /v1/2 HTTP/1.1")
      const talking = yield* Effect.fork(talk(two.replaceAll("HOST", `127.0.0.1:${port}`), true))
      yield* until(() => held.length === 2)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* until(proxy.isClosing)
      for (const response of held) response.end("done")
      assert.lengthOf((yield* Fiber.join(talking)).match(/ 200 OK/g) ?? [], 2)
      yield* closing
    })
  )
})

describe("a Unix socket", () => {
  const folder = Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "nomba-auth-socket-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const start = (socket: string) => proxied(accept, { place: { socket }, keys: "none" })
  const ask = (socketPath: string): Effect.Effect<number | undefined> =>
    Effect.promise(async () => {
      const sent = request({ socketPath, path: "/v1/x", headers: { host: "nomba" }, agent: false }).end()
      const [response] = await once(sent, "response")
      response.resume()
      return response.statusCode
    })

  it.scopedLive("is open to its user and group, needs no key and goes with the proxy", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "proxy.sock")
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* start(path)
          assert.strictEqual(statSync(path).mode & 0o777, 0o660)
          assert.strictEqual(yield* ask(path), 200)
        })
      )
      assert.throws(() => statSync(path))
    })
  )

  it.scopedLive("that another process has left is replaced; one that is in use and any other file are not", () =>
    Effect.gen(function* () {
      const inside = yield* folder
      const [used, file] = [join(inside, "used.sock"), join(inside, "file")]
      yield* start(used)
      const second = yield* Effect.either(start(used))
      assert.include(Either.getOrThrow(Either.flip(second)).message, "in use")
      yield* Effect.promise(() => writeFile(file, "mine"))
      const onFile = yield* Effect.either(start(file))
      assert.include(Either.getOrThrow(Either.flip(onFile)).message, "not a socket")
    })
  )
})

it.scopedLive("a port that is in use is named", () =>
  Effect.gen(function* () {
    const { port } = yield* proxied()
    const second = yield* Effect.either(proxied(accept, { place: { host: "127.0.0.1", port } }))
    const error = Either.getOrThrow(Either.flip(second))
    assert.instanceOf(error, Listener.ListenError)
    assert.include(error.message, `Port ${port} is already in use on 127.0.0.1: use --port 0`)
  })
)
