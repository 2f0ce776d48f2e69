import { HttpBody, HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck, Logger, Runtime, Stream, Tracer } from "effect"
import { Sandbox } from "nomba-auth/sandbox"
import {
  assertRefused,
  balance,
  bearer,
  credentials,
  issue,
  login,
  post,
  refresh,
  revoke,
  secretOf,
  send
} from "./support.js"

const sandbox = Effect.provide(Sandbox.layer())
const paths = ["/v1/auth/token/issue", "/v1/auth/token/refresh", "/v1/auth/token/revoke"]

/** Posts to each operation with a live bearer, so that nothing but the body can be refused. */
const postEverywhere = (body: string, contentType?: string) =>
  Effect.gen(function* () {
    const { client, url } = yield* Sandbox
    const { access } = yield* login
    return yield* Effect.forEach(paths, (path) =>
      send(client, `${url}${path}`, "POST", { headers: bearer(access), body, ...(contentType && { contentType }) })
    )
  })

describe("a body", () => {
  it.effect("that is not JSON is a 400", () =>
    Effect.forEach(["{", "", "undefined", '{"a":1}}', "<html></html>", "\u0000", "{'a':1}"], (body) =>
      Effect.gen(function* () {
        for (const answer of yield* postEverywhere(body)) assertRefused(answer, 400)
      })
    ).pipe(sandbox)
  )

  it.effect("that is JSON and not an object is a 400", () =>
    Effect.forEach(["null", "[]", "7", '"text"', "[[[]]]"], (body) =>
      Effect.gen(function* () {
        for (const answer of yield* postEverywhere(body)) assertRefused(answer, 400, "body: must be an object")
      })
    ).pipe(sandbox)
  )

  it.effect("that is nested too deep is a 400, not a crash", () =>
    Effect.gen(function* () {
      const deep = (open: string, close: string, n: number) => open.repeat(n) + close.repeat(n)
      for (const body of [
        deep("[", "]", 30_000),
        `{"client_id":${deep("[", "]", 30_000)}}`,
        deep('{"a":', "}", 9_000)
      ]) {
        for (const answer of yield* postEverywhere(body)) assertRefused(answer, 400)
      }
    }).pipe(sandbox)
  )

  it.effect("that is not UTF-8 is a 400", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      const request = HttpClientRequest.post(`${url}/v1/auth/token/issue`).pipe(
        HttpClientRequest.setBody(HttpBody.uint8Array(new Uint8Array([0x22, 0xff, 0x22]), "application/json"))
      )
      assert.strictEqual((yield* client.execute(request)).status, 400)
    }).pipe(sandbox)
  )

  it.effect("that is not declared as JSON is a 415, whatever it contains", () =>
    Effect.gen(function* () {
      const form = new URLSearchParams(credentials).toString()
      for (const [body, contentType] of [
        [JSON.stringify(credentials), "text/plain"],
        [JSON.stringify(credentials), "application/jsonp"],
        [JSON.stringify(credentials), "multipart/form-data; boundary=application/json"],
        [form, "application/x-www-form-urlencoded"]
      ] as const) {
        for (const answer of yield* postEverywhere(body, contentType)) {
          assertRefused(answer, 415, "content-type: must be application/json")
        }
      }
    }).pipe(sandbox)
  )

  it.effect("without a content type is a 415", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      const response = yield* client.post(`${url}/v1/auth/token/issue`)
      assert.strictEqual(response.status, 415)
    }).pipe(sandbox)
  )

  it.effect("may have a charset and a type in capitals", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      const answer = yield* send(client, `${url}${paths[0]}`, "POST", {
        body: JSON.stringify(credentials),
        contentType: "Application/JSON ; charset=utf-8"
      })
      assert.strictEqual(answer.status, 200)
    }).pipe(sandbox)
  )

  const padded = (bytes: number) => {
    const body = JSON.stringify({ ...credentials, pad: "" })
    return body.replace('"pad":""', `"pad":"${"x".repeat(bytes - body.length)}"`)
  }

  it.effect("of 64 KiB is read, and of one byte more is a 413", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* issue(padded(64 * 1024))).status, 200)
      assertRefused(yield* issue(padded(64 * 1024 + 1)), 413, "body: must be at most 64 KiB")
    }).pipe(sandbox)
  )

  it.effect("with a content length that is too small is still a 413", () =>
    Effect.gen(function* () {
      assertRefused(yield* issue(padded(64 * 1024 + 1), { "content-length": "10" }), 413)
    }).pipe(sandbox)
  )

  it.effect("that never ends is not read forever", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      let sent = 0
      const endless = Stream.repeatEffect(Effect.sync(() => new Uint8Array(1024).fill(++sent && 32)))
      const request = HttpClientRequest.post(`${url}/v1/auth/token/issue`).pipe(
        HttpClientRequest.bodyStream(endless, { contentType: "application/json" })
      )
      assert.strictEqual((yield* client.execute(request)).status, 413)
      assert.isBelow(sent, 2000)
    }).pipe(sandbox)
  )

  it.effect("that is streamed and small enough is accepted", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      const bytes = Stream.fromIterable(JSON.stringify(credentials)).pipe(Stream.encodeText)
      const request = HttpClientRequest.post(`${url}/v1/auth/token/issue`).pipe(
        HttpClientRequest.bodyStream(bytes, { contentType: "application/json" })
      )
      assert.strictEqual((yield* client.execute(request)).status, 200)
    }).pipe(sandbox)
  )
})

describe("an unknown path or method", () => {
  it.effect("is a 404 that lists what there is, after the bearer token under /v1/ and /v2/", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      const { access } = yield* login
      for (const path of ["/v1", "/auth/token/issue", "/V1/auth/token/issue", "/sandbox/v1/auth/token/issue"]) {
        assertRefused(yield* send(client, `${url}${path}`, "POST", { body: JSON.stringify(credentials) }), 404)
      }
      for (const path of [
        "/v1/auth/token/issue/",
        "/v1/auth/token/issue/x",
        "/v1//auth/token/issue",
        "/v1/auth/token/%69ssue",
        "/v2/nowhere"
      ]) {
        assertRefused(yield* send(client, `${url}${path}`, "POST"), 401, "Authorization: is missing")
        const answer = yield* send(client, `${url}${path}`, "POST", { headers: bearer(access) })
        assertRefused(answer, 404)
        assert.include(answer.json.errors, "there is: GET /v1/accounts/balance")
        assert.include(answer.text, "POST /_sandbox/resources")
      }
    }).pipe(sandbox)
  )

  it.effect("is a 405 that says what is allowed", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      const { access } = yield* login
      for (const method of ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] as const) {
        const answer = yield* send(client, `${url}/v1/auth/token/issue`, method)
        assertRefused(answer, 405, "the path allows only POST")
        assert.strictEqual(answer.headers["allow"], "POST")
      }
      const answer = yield* send(client, `${url}/v1/accounts/balance`, "POST", { headers: bearer(access) })
      assertRefused(answer, 405, "the path allows only GET, HEAD")
      assert.strictEqual(answer.headers["allow"], "GET, HEAD")
      const { requests } = yield* (yield* Sandbox).view
      assert.strictEqual(requests[0]?.why, "the path allows only GET, HEAD")
    }).pipe(sandbox)
  )

  it.effect("is counted as other", () =>
    Effect.gen(function* () {
      const { client, counts, url } = yield* Sandbox
      yield* send(client, `${url}/nowhere`, "GET")
      yield* send(client, `${url}/v1/auth/token/issue`, "GET")
      const { issue, other } = yield* counts
      assert.strictEqual(other.requests, 2)
      assert.strictEqual(issue.requests, 0)
    }).pipe(sandbox)
  )

  it.effect("may have a query", () =>
    Effect.gen(function* () {
      const answer = yield* post("/v1/auth/token/issue?x=1", credentials)
      assert.strictEqual(answer.status, 200)
    }).pipe(sandbox)
  )
})

describe("no request data", () => {
  const sentinel = "SENTINEL-9f2c"

  const everyRefusal = Effect.gen(function* () {
    const { client, url } = yield* Sandbox
    const { access } = yield* login
    const members = ["grant_type", "client_id", "client_secret", "refresh_token", "token", "access_token", "clientId"]
    const shapes: ReadonlyArray<unknown> = [sentinel, [sentinel], { [sentinel]: sentinel }, { a: { b: sentinel } }]
    const bodies = [
      sentinel,
      `"${sentinel}"`,
      `{"${sentinel}":`,
      `["${sentinel}"]`,
      ...shapes.flatMap((shape) => members.map((member) => JSON.stringify({ ...credentials, [member]: shape }))),
      ...shapes.map((shape) => JSON.stringify(Object.fromEntries(members.map((member) => [member, shape]))))
    ]
    const headers: ReadonlyArray<Record<string, string>> = [
      bearer(access),
      bearer(sentinel),
      { authorization: sentinel },
      { ...bearer(access), accountId: sentinel }
    ]
    const posts = yield* Effect.forEach(paths, (path) =>
      Effect.forEach(bodies, (body) => Effect.forEach(headers, (header) => post(path, body, header)))
    )
    const others = yield* Effect.all([
      balance(bearer(sentinel)),
      send(client, `${url}/${sentinel}?${sentinel}`, "GET"),
      send(client, `${url}/v1/auth/token/issue?${sentinel}`, "PUT"),
      send(client, `${url}/v1/auth/token/issue`, "POST", { body: sentinel, contentType: `text/${sentinel}` }),
      issue(credentials, { accountId: sentinel }),
      issue({ ...credentials, client_secret: secretOf.slice(0, -1) }),
      refresh(sentinel),
      revoke(access, { token: sentinel })
    ])
    return [...posts.flat(2), ...others].filter(({ status }) => status >= 400)
  })

  it.effect("is echoed in an error response, logged or put into a span", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const spans: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make((entry) => logged.push(entry.message))
      )
      const tracer = Tracer.make({
        span: (name, parent, context, links, startTime, kind) => {
          spans.push(kind)
          return {
            _tag: "Span",
            name,
            parent,
            context,
            links,
            kind,
            status: { _tag: "Started", startTime },
            spanId: "1",
            traceId: "1",
            sampled: true,
            attributes: new Map(),
            end: () => {},
            attribute: () => {},
            event: () => {},
            addLinks: () => {}
          }
        },
        context: (run) => run()
      })
      const refusals = yield* everyRefusal.pipe(Effect.provide(logger), Effect.withTracer(tracer))
      assert.isAbove(refusals.length, 200)
      for (const { headers, json, status, text } of refusals) {
        assert.notInclude(text, sentinel)
        assert.notInclude(text, secretOf.slice(0, -1))
        assert.notInclude(JSON.stringify(headers), sentinel)
        assert.isBelow(status, 500)
        assert.sameMembers(Object.keys(json), ["code", "description", "errors"])
      }
      assert.deepStrictEqual(logged, [])
      assert.deepStrictEqual(
        spans.filter((kind) => kind !== "client"),
        []
      )
    }).pipe(sandbox)
  )
})

describe("any POST body", () => {
  const json = FastCheck.jsonValue({ maxDepth: 4 })
  const member = FastCheck.constantFrom(
    "grant_type",
    "client_id",
    "client_secret",
    "refresh_token",
    "token",
    "clientId"
  )
  const body = FastCheck.oneof(
    FastCheck.string({ unit: "binary" }),
    FastCheck.uint8Array().map((bytes) => Buffer.from(bytes).toString("latin1")),
    json.map((value) => JSON.stringify(value)),
    FastCheck.dictionary(
      member,
      FastCheck.oneof(json, FastCheck.constantFrom("client_credentials", "refresh_token"))
    ).map((value) => JSON.stringify(value))
  )
  const header = FastCheck.option(FastCheck.stringMatching(/^[ -~]{0,40}$/), { nil: undefined })

  const request = FastCheck.tuple(FastCheck.constantFrom(...paths), body, header, header)

  it.effect("is answered in the envelope, and never by a 5xx", () =>
    Effect.gen(function* () {
      const runtime = yield* Effect.runtime<Sandbox>()
      const check = FastCheck.asyncProperty(request, ([path, body, authorization, accountId]) =>
        Effect.gen(function* () {
          const headers = {
            ...(authorization === undefined ? {} : { authorization }),
            ...(accountId === undefined ? {} : { accountId })
          }
          const answer = yield* post(path, body, headers)
          assert.isAtLeast(answer.status, 400)
          assert.isBelow(answer.status, 500)
          assertRefused(answer, answer.status)
        }).pipe(Runtime.runPromise(runtime))
      )
      yield* Effect.promise(() => FastCheck.assert(check))
    }).pipe(sandbox)
  )
})
