import {
  FetchHttpClient,
  HttpApi,
  HttpApiClient,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpBody,
  HttpClient,
  HttpClientError,
  HttpClientRequest,
  HttpClientResponse,
  type HttpMethod
} from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Redacted, Schema, Stream, TestClock } from "effect"
import { VERSION } from "../../src/layers/http/OutgoingRequest.js"
import { InvalidRequest, Unavailable } from "../../src/schemas/AuthError.js"
import type { NombaConfigService } from "../../src/services/NombaConfig.js"
import { clientOver } from "../support/client.js"
import { accountId, baseUrl } from "../support/config.js"
import { fake, json, script, text, unreachable } from "../support/http.js"
import { fixedCache, scriptedCache } from "../support/tokenCache.js"

const ok = () => json(200, { code: "00" })

/** What every request with the first token carries. */
const common = { authorization: "Bearer token-1", "user-agent": `nomba-auth/${VERSION}` }

describe("a request of NombaClient", () => {
  it.effect("goes to the configured host with the token and the account id", () =>
    Effect.gen(function* () {
      const http = fake(ok)
      const nomba = yield* clientOver(http)
      yield* nomba.get("/v1/accounts/balance", { urlParams: { currency: "NGN" }, headers: { "x-mine": "1" } })
      const [sent] = http.sent
      assert.strictEqual(sent?.url, `${baseUrl}/v1/accounts/balance`)
      assert.deepStrictEqual(sent?.request.urlParams, [["currency", "NGN"]])
      assert.deepStrictEqual(sent?.headers, { ...common, accountid: accountId, "x-mine": "1" })
    })
  )

  it.effect("goes below the path of the base URL", () =>
    Effect.gen(function* () {
      const http = fake(ok)
      const nomba = yield* clientOver(http, undefined, { baseUrl: "https://proxy.example/nomba" })
      yield* nomba.get("/v1/accounts/balance?x=1#y")
      yield* nomba.get("https://proxy.example/nomba/v1/accounts")
      yield* nomba.get(new URL("https://proxy.example:443/nomba/v1/a%20b?c=d"))
      assert.deepStrictEqual(
        http.sent.map(({ url }) => url),
        [
          "https://proxy.example/nomba/v1/accounts/balance?x=1#y",
          "https://proxy.example/nomba/v1/accounts",
          "https://proxy.example/nomba/v1/a%20b"
        ]
      )
    })
  )

  it.effect("may name another account, but no other token", () =>
    Effect.gen(function* () {
      const http = fake(ok)
      const nomba = yield* clientOver(http)
      yield* nomba.get("/v1/x", { headers: { accountId: "mine", Authorization: "Bearer mine" } })
      assert.deepStrictEqual(http.sent[0]?.headers, { ...common, accountid: "mine" })
    })
  )

  const inMemory = HttpBody.text("{}", "application/json")
  const bodies: ReadonlyArray<readonly [string, HttpMethod.HttpMethod, HttpBody.HttpBody, string | undefined]> = [
    ["no length of a body in memory", "POST", inMemory, undefined],
    ["no length of a body in memory", "PUT", inMemory, undefined],
    ["no length of a body in memory", "PATCH", inMemory, undefined],
    ["the length of a body that node:http would not state", "DELETE", inMemory, "2"],
    ["no length of a raw body in memory", "POST", HttpBody.raw("{}", { contentLength: 2 }), undefined],
    ["no length of no body", "POST", HttpBody.empty, undefined],
    ["the length of a stream", "POST", HttpBody.stream(Stream.empty, "application/json", 2), "2"]
  ]
  it.effect.each(bodies)("states %s (%s)", ([, method, body, length]) =>
    Effect.gen(function* () {
      const http = fake(ok)
      const nomba = yield* clientOver(http)
      const request = HttpClientRequest.setBody(HttpClientRequest.make(method)("/v1/x"), body)
      yield* nomba.execute(HttpClientRequest.setHeader(request, "Content-Length", "2"))
      assert.strictEqual(http.sent[0]?.headers["content-length"], length)
    })
  )

  it.effect("carries no account id if none is configured", () =>
    Effect.gen(function* () {
      const http = fake(ok)
      const nomba = yield* clientOver(http, undefined, { accountId: Option.none() })
      yield* nomba.get("/v1/x")
      assert.deepStrictEqual(http.sent[0]?.headers, common)
    })
  )

  it.effect("carries the current token, not the first one", () =>
    Effect.gen(function* () {
      const http = fake(ok)
      let serial = 0
      const nomba = yield* clientOver(http, { layer: fixedCache(Effect.sync(() => Redacted.make(`t-${++serial}`))) })
      yield* nomba.get("/v1/x")
      yield* nomba.get("/v1/x")
      assert.deepStrictEqual(
        http.sent.map(({ headers }) => headers["authorization"]),
        ["Bearer t-1", "Bearer t-2"]
      )
    })
  )

  it.effect("carries no trace header, and other requests still do", () =>
    Effect.gen(function* () {
      const http = fake(ok)
      const nomba = yield* clientOver(http)
      yield* nomba.get("/v1/x").pipe(Effect.withSpan("the caller's"))
      assert.notProperty(http.sent[0]?.headers, "traceparent")
      assert.notProperty(http.sent[0]?.headers, "b3")
      yield* http.client.get("https://elsewhere.example")
      assert.property(http.sent[1]?.headers, "traceparent")
    })
  )

  it.effect("is changed by transformClient before it is sent", () =>
    Effect.gen(function* () {
      const http = fake(ok)
      const nomba = yield* clientOver(http, undefined, {
        transformClient: HttpClient.mapRequest(HttpClientRequest.setHeader("x-app", "shop"))
      })
      yield* nomba.get("/v1/x")
      assert.strictEqual(http.sent[0]?.headers["x-app"], "shop")
    })
  )

  it.effect("is not sent if there is no token", () =>
    Effect.gen(function* () {
      const http = fake(ok)
      const failure = new Unavailable({ operation: "issue", reason: "RateLimited" })
      const nomba = yield* clientOver(http, { layer: fixedCache(Effect.fail(failure)) })
      assert.strictEqual(yield* Effect.flip(nomba.get("/v1/x")), failure)
      assert.strictEqual(http.sent.length, 0)
    })
  )

  it.effect("is not sent with a token that a header cannot carry, and the token is not quoted", () =>
    Effect.gen(function* () {
      const http = fake(ok)
      const nomba = yield* clientOver(http, { layer: fixedCache(Effect.succeed(Redacted.make("hunter2\r\nx: y"))) })
      const error = yield* Effect.flip(nomba.get("/v1/x"))
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.notInclude(JSON.stringify(error) + String(error), "hunter2")
      assert.strictEqual(http.sent.length, 0)
    })
  )

  for (const [path, problem] of [
    ["//evil.example/x", "its URL leaves the configured base URL"],
    ["/\\evil.example", "its URL leaves the configured base URL"],
    ["https://evil.example/x", "its URL leaves the configured base URL"],
    ["https://[", "its URL leaves the configured base URL"],
    ["@evil.example/x", "its path does not begin with a slash"],
    ["\\\\evil.example\\x", "its path does not begin with a slash"],
    ["v1/accounts", "its path does not begin with a slash"],
    ["v1/accounts:search", "its path does not begin with a slash"],
    ["", "its path does not begin with a slash"]
  ] as const) {
    it.effect(`to ${JSON.stringify(path)} is an InvalidRequest; no token is asked for and nothing is sent`, () =>
      Effect.gen(function* () {
        const http = fake(ok)
        const nomba = yield* clientOver(http, { layer: fixedCache(Effect.dieMessage("asked for a token")) })
        const error = yield* Effect.flip(nomba.get(path))
        assert.deepStrictEqual(
          error,
          new InvalidRequest({
            operation: "request",
            errors: [problem],
            hint: `Begin the path with one slash, or give an absolute URL below ${baseUrl}/.`
          })
        )
        assert.strictEqual(http.sent.length, 0)
      })
    )
  }

  it.effect("is not sent with an invalid header, which is named and not quoted", () =>
    Effect.gen(function* () {
      const http = fake(ok)
      const nomba = yield* clientOver(http, { layer: fixedCache(Effect.dieMessage("asked for a token")) })
      const error = yield* Effect.flip(
        nomba.get("/v1/x", { headers: { "x-good": "Zoë", "x-name": "Zoë✓", "x-line": "a\nb" } })
      )
      const problem = "has characters that a header cannot carry"
      assert.deepStrictEqual(
        error,
        new InvalidRequest({
          operation: "request",
          errors: [`header x-name: ${problem}`, `header x-line: ${problem}`]
        })
      )
      assert.strictEqual(http.sent.length, 0)
    })
  )

  it.effect("is an InvalidRequest if the caller's mapRequest gives it another host", () =>
    Effect.gen(function* () {
      const http = fake(ok)
      const nomba = HttpClient.mapRequest(yield* clientOver(http), HttpClientRequest.prependUrl("https://evil.example"))
      assert.strictEqual((yield* Effect.flip(nomba.get("/x")))._tag, "InvalidRequest")
      assert.strictEqual(http.sent.length, 0)
    })
  )
})

describe("a response of NombaClient", () => {
  it.effect("has the caller's own request", () =>
    Effect.gen(function* () {
      const http = fake(() => json(201, { a: 1 }, { "x-request-id": "7", "set-cookie": "a=b" }))
      const nomba = yield* clientOver(http)
      const request = HttpClientRequest.post("/v1/x", { headers: { "x-mine": "1" } })
      const response = yield* nomba.execute(request)
      assert.strictEqual(response.request, request)
      assert.strictEqual(response.status, 201)
      assert.strictEqual(response.headers["x-request-id"], "7")
      assert.strictEqual(response.cookies.cookies["a"]?.value, "b")
      assert.deepStrictEqual(response.remoteAddress, Option.none())
      assert.deepStrictEqual(yield* response.json, { a: 1 })
      assert.strictEqual(yield* response.text, '{"a":1}')
    })
  )

  it.effect("can be read as text, form, bytes and stream", () =>
    Effect.gen(function* () {
      const nomba = yield* clientOver(
        fake(() => text(200, "a=1", { "content-type": "application/x-www-form-urlencoded" }))
      )
      const get = nomba.get("/v1/x")
      assert.strictEqual(yield* Effect.flatMap(get, (response) => response.text), "a=1")
      assert.deepStrictEqual(yield* Effect.flatMap(get, (response) => response.urlParamsBody), [["a", "1"]])
      assert.strictEqual((yield* Effect.flatMap(get, (response) => response.arrayBuffer)).byteLength, 3)
      assert.strictEqual((yield* Effect.flatMap(get, (response) => response.formData)).get("a"), "1")
      assert.strictEqual(yield* Stream.mkString(Stream.decodeText(HttpClientResponse.stream(get))), "a=1")
    })
  )

  for (const status of [200, 204, 304, 400, 403, 404, 409, 422, 429, 500, 503]) {
    it.effect(`with status ${status} is not a failure`, () =>
      Effect.gen(function* () {
        const http = fake(() => text(status, null))
        assert.strictEqual((yield* (yield* clientOver(http)).get("/v1/x")).status, status)
        assert.strictEqual(http.sent.length, 1)
      })
    )
  }

  it.effect("is not a failure although transformClient filters by status", () =>
    Effect.gen(function* () {
      const http = fake(() => json(404, { code: "404" }))
      const nomba = yield* clientOver(http, undefined, { transformClient: HttpClient.filterStatusOk })
      const response = yield* nomba.get("/v1/x")
      assert.strictEqual(response.status, 404)
      assert.strictEqual(response.request.url, "/v1/x")
    })
  )

  for (const status of [301, 302, 303, 307, 308]) {
    it.effect(`with status ${status} is a failure, also under followRedirects`, () =>
      Effect.gen(function* () {
        const http = fake(() => text(status, null, { location: "https://evil.example/" }))
        for (const transformClient of [(client: HttpClient.HttpClient) => client, HttpClient.followRedirects(5)]) {
          const nomba = yield* clientOver(http, undefined, { transformClient })
          const error = yield* Effect.flip(HttpClient.followRedirects(nomba).get("/v1/x"))
          assert.deepInclude(error, { _tag: "UnexpectedResponse", operation: "request", reason: "Redirect", status })
        }
        assert.strictEqual(http.sent.length, 2)
      })
    )
  }

  it.effect("is a failure without a status if a browser hides it because it is a redirect", () =>
    Effect.gen(function* () {
      const nomba = yield* clientOver(fake(() => Response.error()))
      const error = yield* Effect.flip(nomba.get("/v1/x"))
      assert.deepInclude(error, { _tag: "UnexpectedResponse", reason: "Redirect" })
      assert.notInclude(error.message, "HTTP 0")
    })
  )

  it.effect("fails to be read with the caller's own request and without a cause", () =>
    Effect.gen(function* () {
      const nomba = yield* clientOver(fake(() => text(200, "<html>secret", { "content-type": "application/json" })))
      const response = yield* nomba.get("/v1/x")
      for (const read of [response.json, response.formData]) {
        const error = yield* Effect.flip(read)
        assert.strictEqual(error._tag, "ResponseError")
        assert.strictEqual(error.request, response.request)
        assert.strictEqual(error.response, response)
        assert.strictEqual(error.reason, "Decode")
        assert.isUndefined(error.cause)
      }
    })
  )

  it.effect("fails with the caller's own request if transformClient could not read it", () =>
    Effect.gen(function* () {
      const nomba = yield* clientOver(
        fake(() => text(200, "secret")),
        undefined,
        { transformClient: HttpClient.tap((response) => response.json) }
      )
      const request = HttpClientRequest.get("/v1/x")
      const error = yield* Effect.flip(nomba.execute(request))
      assert(error._tag === "ResponseError")
      assert.deepStrictEqual([error.reason, error.cause], ["Decode", undefined])
      assert.strictEqual(error.request, request)
      assert.strictEqual(error.response.request, request)
    })
  )

  it.effect("without a body fails to stream with EmptyBody", () =>
    Effect.gen(function* () {
      const nomba = yield* clientOver(fake(() => text(204, null)))
      const response = yield* nomba.get("/v1/x")
      const error = yield* Effect.flip(Stream.runDrain(response.stream))
      assert.strictEqual(error.reason, "EmptyBody")
      assert.strictEqual(error.response, response)
    })
  )
})

describe("a request of NombaClient without a response", () => {
  it.effect("fails as the caller's own, with a system code and no cause", () =>
    Effect.gen(function* () {
      const cause = new TypeError("fetch failed", {
        cause: Object.assign(new Error("hunter2"), { code: "ECONNREFUSED" })
      })
      const nomba = yield* clientOver(fake((sent) => unreachable(sent, cause)))
      const request = HttpClientRequest.get("/v1/x")
      const error = yield* Effect.flip(nomba.execute(request))
      assert(error instanceof HttpClientError.RequestError)
      assert.strictEqual(error.request, request)
      assert.strictEqual(
        error.message,
        "Transport: Cannot connect to nomba.test (options.environment): ECONNREFUSED (GET /v1/x)"
      )
      assert.isUndefined(error.cause)
    })
  )

  it.effect("is interrupted with its caller", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const http = fake(() => Effect.onInterrupt(Effect.never, () => Effect.sync(() => ++interrupted)))
      const nomba = yield* clientOver(http)
      const fiber = yield* Effect.fork(nomba.get("/v1/x"))
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(interrupted, 1)
    })
  )
})

describe("the RequestInit of NombaClient", () => {
  const fakeFetch = () => {
    const seen: Array<RequestInit | undefined> = []
    const layer = Layer.succeed(FetchHttpClient.Fetch, async (_, init) => {
      seen.push(init)
      return new Response()
    })
    const over = (http: Layer.Layer<HttpClient.HttpClient>, changes?: Partial<NombaConfigService>) =>
      clientOver({ layer: Layer.provide(http, layer) }, undefined, changes)
    return { over, last: () => seen.at(-1) }
  }

  it.effect("is the layer's, except for redirects and credentials", () =>
    Effect.gen(function* () {
      const { last, over } = fakeFetch()
      const mine = Layer.succeed(FetchHttpClient.RequestInit, {
        redirect: "follow",
        credentials: "include",
        cache: "no-store"
      })
      const nomba = yield* over(Layer.provide(FetchHttpClient.layer, mine))
      yield* nomba.get("/v1/x")
      assert.deepInclude(last(), { redirect: "manual", credentials: "omit", cache: "no-store" })
    })
  )

  it.effect("is merged from the request's and the layer's", () =>
    Effect.gen(function* () {
      const { last, over } = fakeFetch()
      const ofLayer = Layer.succeed(FetchHttpClient.RequestInit, { cache: "no-store", keepalive: false })
      const nomba = yield* over(Layer.provide(FetchHttpClient.layer, ofLayer))
      yield* Effect.provideService(nomba.get("/v1/x"), FetchHttpClient.RequestInit, {
        redirect: "follow",
        keepalive: true
      })
      assert.deepInclude(last(), { redirect: "manual", credentials: "omit", cache: "no-store", keepalive: true })
    })
  )

  it.effect("follows no redirects although transformClient sets that", () =>
    Effect.gen(function* () {
      const { last, over } = fakeFetch()
      const nomba = yield* over(FetchHttpClient.layer, {
        transformClient: HttpClient.transformResponse(
          Effect.provideService(FetchHttpClient.RequestInit, { redirect: "follow", keepalive: true })
        )
      })
      yield* nomba.get("/v1/x")
      assert.deepInclude(last(), { redirect: "manual", credentials: "omit", keepalive: true })
    })
  )

  it.effect("applies also to another client that transformClient returns", () =>
    Effect.gen(function* () {
      const { last, over } = fakeFetch()
      const other = yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)
      const nomba = yield* over(FetchHttpClient.layer, { transformClient: () => other })
      yield* Effect.provideService(nomba.get("/v1/x"), FetchHttpClient.Fetch, async (_, init) => {
        assert.deepInclude(init, { redirect: "manual", credentials: "omit" })
        return new Response(null, { status: 302 })
      }).pipe(
        Effect.flip,
        Effect.map((error) => assert.strictEqual(error._tag, "UnexpectedResponse"))
      )
      assert.isUndefined(last())
    })
  )

  it.effect("is restored after the request", () =>
    Effect.gen(function* () {
      const mine = { cache: "no-store" } as const
      const after = yield* Effect.gen(function* () {
        const nomba = yield* fakeFetch().over(FetchHttpClient.layer)
        yield* nomba.get("/v1/x")
        yield* Effect.ignore(nomba.get("//evil.example"))
        return yield* FetchHttpClient.RequestInit
      }).pipe(Effect.provideService(FetchHttpClient.RequestInit, mine))
      assert.strictEqual(after, mine)
    })
  )
})

describe("NombaClient as an HttpClient", () => {
  it.effect("works under filterStatusOk, and the failure has the caller's request", () =>
    Effect.gen(function* () {
      const nomba = HttpClient.filterStatusOk(yield* clientOver(fake(() => json(404, { code: "404" }))))
      const error = yield* Effect.flip(nomba.get("/v1/x"))
      assert(error._tag === "ResponseError")
      assert.strictEqual(error.message, "StatusCode: non 2xx status code (404 GET /v1/x)")
      assert.deepStrictEqual(yield* error.response.json, { code: "404" })
    })
  )

  it.effect("works under mapRequest, tapRequest and retry", () =>
    Effect.gen(function* () {
      const http = script(
        () => text(503, null),
        () => text(503, null),
        () => json(200, {})
      )
      const seen: Array<string> = []
      const nomba = (yield* clientOver(http)).pipe(
        HttpClient.mapRequest(HttpClientRequest.prependUrl("/v1")),
        HttpClient.tapRequest((request) => Effect.sync(() => seen.push(JSON.stringify(request)))),
        HttpClient.retryTransient({ times: 2 })
      )
      assert.strictEqual((yield* nomba.get("/x")).status, 200)
      assert.strictEqual(http.sent.at(-1)?.url, `${baseUrl}/v1/x`)
      assert.notInclude(seen.join(), "token-1")
    })
  )

  it.scoped("works under withScope", () =>
    Effect.gen(function* () {
      const nomba = HttpClient.withScope(yield* clientOver(fake(() => json(200, { a: 1 }))))
      assert.deepStrictEqual(yield* (yield* nomba.get("/v1/x")).json, { a: 1 })
    })
  )

  class Balance extends Schema.Class<Balance>("Balance")({ amount: Schema.Number }) {}
  class Missing extends Schema.TaggedError<Missing>()("Missing", { id: Schema.String }) {}
  const Api = HttpApi.make("shop").add(
    HttpApiGroup.make("accounts")
      .add(
        HttpApiEndpoint.get("balance", "/v1/accounts/:id/balance")
          .setPath(Schema.Struct({ id: Schema.String }))
          .addSuccess(Balance)
          .addError(Missing, { status: 404 })
      )
      .add(HttpApiEndpoint.post("open", "/v1/accounts").setPayload(Balance).addSuccess(Balance, { status: 201 }))
  )

  it.effect("can be the client of HttpApiClient.makeWith", () =>
    Effect.gen(function* () {
      const cache = scriptedCache("nomba")
      const http = script(
        () => json(200, { amount: 7 }),
        () => text(401, null),
        ({ json: body }) => json(201, body()),
        () => json(404, { _tag: "Missing", id: "3" })
      )
      const api = yield* HttpApiClient.makeWith(Api, { httpClient: yield* clientOver(http, cache) })
      assert.deepStrictEqual(yield* api.accounts.balance({ path: { id: "1" } }), new Balance({ amount: 7 }))
      assert.deepStrictEqual(
        yield* api.accounts.open({ payload: new Balance({ amount: 9 }) }),
        new Balance({ amount: 9 })
      )
      assert.deepStrictEqual(yield* Effect.flip(api.accounts.balance({ path: { id: "3" } })), new Missing({ id: "3" }))
      assert.deepStrictEqual(
        http.sent.map(({ method, url, headers }) => [method, url, headers["authorization"]]),
        [
          ["GET", `${baseUrl}/v1/accounts/1/balance`, "Bearer token-1"],
          ["POST", `${baseUrl}/v1/accounts`, "Bearer token-1"],
          ["POST", `${baseUrl}/v1/accounts`, "Bearer token-2"],
          ["GET", `${baseUrl}/v1/accounts/3/balance`, "Bearer token-2"]
        ]
      )
    })
  )
})
