import { HttpBody, HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream, TestClock } from "effect"
import { Unavailable } from "../../src/schemas/AuthError.js"
import type { Remedy } from "../../src/services/TokenCache.js"
import { clientOver } from "../support/client.js"
import { type Fake, fake, json, text } from "../support/http.js"
import { type Renewal, scriptedCache } from "../support/tokenCache.js"

const jwtExpired = "JWT expired at 2026-11-27T03:35:49Z. Current time: 2026-11-27T03:36:00Z"

const bearers = ({ sent }: Fake): ReadonlyArray<string | undefined> =>
  sent.map(({ headers }) => headers["authorization"]?.replace("Bearer ", ""))

interface Run {
  readonly renewals?: ReadonlyArray<Renewal>
  readonly rejections?: ReadonlyArray<Remedy>
  readonly request?: HttpClientRequest.HttpClientRequest
}

const get = HttpClientRequest.get("/v1/accounts/balance")
const post = HttpClientRequest.post("/v2/transfers/bank").pipe(HttpClientRequest.bodyUnsafeJson({ amount: 1 }))

const run = (http: Fake, { rejections = [], renewals = ["nomba"], request = get }: Run = {}) =>
  Effect.gen(function* () {
    const cache = scriptedCache(...renewals)
    cache.rejections.push(...rejections)
    const response = yield* (yield* clientOver(http, cache)).execute(request)
    return { response, cache, told: cache.told }
  })

/** Answers `token-1` with the given response and every other token with a success. */
const rejecting = (answer: () => Response): Fake =>
  fake(({ headers }) => (headers["authorization"] === "Bearer token-1" ? answer() : json(200, { code: "00" })))

describe("a response that says the JWT expired", () => {
  for (const [what, body] of [
    ["description", { code: "500", description: jwtExpired }],
    ["message", { message: jwtExpired }],
    ["detail", { detail: `Internal Server Error: INTERNAL: ${jwtExpired}` }]
  ] as const) {
    for (const status of [400, 403, 422, 500, 503]) {
      it.effect(`in ${what} with ${status} rejects the token, and a GET is replayed`, () =>
        Effect.gen(function* () {
          const http = rejecting(() => json(status, body))
          const { response, told } = yield* run(http)
          assert.strictEqual(response.status, 200)
          assert.deepStrictEqual(bearers(http), ["token-1", "token-2"])
          assert.deepStrictEqual(told, ["invalidate token-1", "session", "confirm token-2"])
        })
      )
    }
  }

  for (const status of [500, 502, 503]) {
    for (const request of [post, HttpClientRequest.put("/v1/x"), HttpClientRequest.del("/v1/x")]) {
      it.effect(`with ${status} rejects the token, and a ${request.method} is not sent again`, () =>
        Effect.gen(function* () {
          const http = rejecting(() => json(status, { description: jwtExpired }))
          const { response, told } = yield* run(http, { request })
          assert.strictEqual(response.status, status)
          assert.deepStrictEqual(yield* response.json, { description: jwtExpired })
          assert.deepStrictEqual(bearers(http), ["token-1"])
          assert.deepStrictEqual(told, ["invalidate token-1"])
        })
      )
    }
  }

  it.effect("with 400 is replayed for a POST, which was not processed", () =>
    Effect.gen(function* () {
      const http = rejecting(() => json(400, { description: jwtExpired }))
      const { response } = yield* run(http, { request: post })
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(
        http.sent.map(({ body }) => body),
        ['{"amount":1}', '{"amount":1}']
      )
    })
  )

  it.effect("is not replayed if the body was a stream", () =>
    Effect.gen(function* () {
      const http = rejecting(() => json(400, { description: jwtExpired }))
      const body = HttpBody.stream(Stream.make(new Uint8Array(1)))
      const { response, told } = yield* run(http, { request: HttpClientRequest.post("/v1/x", { body }) })
      assert.strictEqual(response.status, 400)
      assert.deepStrictEqual(told, ["invalidate token-1"])
    })
  )

  for (const [what, answer] of [
    ["elsewhere in the text", () => json(400, { description: `Your ${jwtExpired}` })],
    ["in another member", () => json(400, { data: { description: jwtExpired } })],
    ["in a list", () => json(400, [{ description: jwtExpired }])],
    ["in a text", () => text(500, jwtExpired)],
    ["with a success", () => json(200, { description: jwtExpired })],
    ["in a body over 64 KiB", () => json(500, { description: jwtExpired, x: "x".repeat(65_536) })]
  ] as const) {
    it.effect(`is ignored ${what}`, () =>
      Effect.gen(function* () {
        const http = rejecting(answer)
        const { response, told } = yield* run(http)
        assert.deepStrictEqual(
          told.filter((what) => what.startsWith("invalidate")),
          []
        )
        assert.strictEqual(http.sent.length, 1)
        assert.strictEqual(yield* response.text, yield* Effect.promise(() => answer().text()))
      })
    )
  }
})

describe("an error response of NombaClient can be read", () => {
  const content = '{"a":"é€😀","b":[1]}'
  for (const [what, body] of [
    ["short", content],
    ["64 KiB", `${" ".repeat(65_536 - new TextEncoder().encode(content).byteLength)}${content}`],
    ["over 64 KiB", `${" ".repeat(100_000)}${content}`]
  ] as const) {
    for (const hasLength of [true, false]) {
      it.effect(`${what}, ${hasLength ? "with" : "without"} a stated length`, () =>
        Effect.gen(function* () {
          const bytes = new TextEncoder().encode(body)
          const answer = () =>
            new Response(new Blob([bytes]).stream(), {
              status: 422,
              headers: {
                "content-type": "application/json",
                "x-request-id": "7",
                ...(hasLength ? { "content-length": String(bytes.byteLength) } : {})
              }
            })
          const once = Effect.map(run(fake(answer)), ({ response }) => response)
          const response = yield* once
          assert.strictEqual(response.status, 422)
          assert.strictEqual(response.headers["x-request-id"], "7")
          assert.strictEqual(yield* response.text, body)
          assert.deepStrictEqual(yield* response.json, JSON.parse(body))
          assert.deepStrictEqual(new Uint8Array(yield* Effect.flatMap(once, (_) => _.arrayBuffer)), bytes)
          assert.strictEqual(yield* Effect.flatMap(once, (_) => Stream.mkString(Stream.decodeText(_.stream))), body)
        })
      )
    }
  }

  it.effect("as a form", () =>
    Effect.gen(function* () {
      const headers = { "content-type": "application/x-www-form-urlencoded" }
      const { response } = yield* run(fake(() => text(400, "a=1", headers)))
      assert.strictEqual((yield* response.formData).get("a"), "1")
    })
  )

  it.effect("if it is empty", () =>
    Effect.gen(function* () {
      const { response } = yield* run(fake(() => text(400, null)))
      assert.strictEqual(yield* response.text, "")
      assert.deepInclude(yield* Effect.flip(Stream.runDrain(response.stream)), { reason: "EmptyBody", response })
    })
  )

  it.effect("if it breaks off: the part that arrived, and then the failure with its code", () =>
    Effect.gen(function* () {
      let pulls = 0
      const body = new ReadableStream({
        pull: (controller) => {
          if (pulls++ === 0) controller.enqueue(new TextEncoder().encode("half"))
          else controller.error(Object.assign(new Error("secret"), { code: "ECONNRESET" }))
        }
      })
      const { response } = yield* run(fake(() => new Response(body, { status: 500 })))
      const seen: Array<string> = []
      const error = yield* Effect.flip(
        Stream.runForEach(Stream.decodeText(response.stream), (text) => Effect.sync(() => seen.push(text)))
      )
      assert.strictEqual(seen.join(""), "half")
      assert.strictEqual(error.description, "ECONNRESET")
      assert.isUndefined(error.cause)
    })
  )

  it.effect("if it is slow: the response comes after a second, and its body is whole", () =>
    Effect.gen(function* () {
      let push = (_: string): void => {}
      const body = new ReadableStream({
        start: (controller) => {
          push = (text) => {
            controller.enqueue(new TextEncoder().encode(text))
            if (text === "second") controller.close()
          }
        }
      })
      const http = fake(() => new Response(body, { status: 500 }))
      const fiber = yield* Effect.fork(run(http))
      yield* TestClock.adjust("999 millis")
      push("first ")
      assert.isTrue((yield* Fiber.poll(fiber))._tag === "None")
      yield* TestClock.adjust("1 millis")
      const { response } = yield* Fiber.join(fiber)
      push("second")
      assert.strictEqual(yield* response.text, "first second")
    })
  )

  it.effect("and an interruption while it is peeked at cancels it", () =>
    Effect.gen(function* () {
      let cancelled = false
      const body = new ReadableStream({
        cancel: () => {
          cancelled = true
        }
      })
      const fiber = yield* Effect.fork(run(fake(() => new Response(body, { status: 500 }))))
      yield* TestClock.adjust("500 millis")
      yield* Fiber.interrupt(fiber)
      assert.isTrue(cancelled)
    })
  )
})

describe("NombaClient tells the cache", () => {
  it.effect("that a token was accepted, for each status that proves it", () =>
    Effect.gen(function* () {
      for (const [status, proves] of [
        [200, true],
        [204, true],
        [304, true],
        [400, true],
        [404, true],
        [422, true],
        [403, false],
        [429, false],
        [500, false],
        [503, false]
      ] as const) {
        const { told } = yield* run(fake(() => text(status, null)))
        assert.deepStrictEqual(told, proves ? ["confirm token-1"] : [], String(status))
      }
    })
  )

  it.effect("when a request was sent, and its route", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000)
      for (const [request, route] of [
        [HttpClientRequest.get("/v1/accounts/balance?x=1"), "GET /v1/accounts/balance"],
        [
          HttpClientRequest.post("/v2/transfers/bank/2f1c5a52-5d4f-4b3b-9c5e-0f6f0e7d1a11"),
          "POST /v2/transfers/bank/*"
        ],
        [HttpClientRequest.get("/v1/accounts/12345/balance"), "GET /v1/accounts/*/balance"],
        [HttpClientRequest.get("/v1/checkout/tokenized-card-payment"), "GET /v1/checkout/tokenized-card-payment"],
        [HttpClientRequest.get("/v1/orders/xKqPzWmNbVcLdRtYsHjG"), "GET /v1/orders/*"],
        [HttpClientRequest.get("/v1/x/a%20b"), "GET /v1/x/*"],
        [HttpClientRequest.get("/v1/x", { headers: { accountId: "sub-1" } }), "GET /v1/x accountId sub-1"]
      ] as const) {
        const { cache } = yield* run(
          rejecting(() => text(401, null)),
          { request }
        )
        assert.deepStrictEqual(
          cache.requests.map(({ route, sentAt }) => [sentAt, route]),
          [
            [1_000, route],
            [1_000, route]
          ]
        )
      }
    })
  )
})

describe("NombaClient tells the cache which calls of a route are the same", () => {
  const path = "/v1/transactions/accounts/single"
  const raw = (content: unknown) => HttpClientRequest.post(path, { body: HttpBody.raw(content) })
  const bytes = (content: string) => new TextEncoder().encode(content)
  const parts: ReadonlyArray<readonly [string, (which: string) => HttpClientRequest.HttpClientRequest]> = [
    ["an id", (which) => HttpClientRequest.get(`${path}/000${which}`)],
    ["the query", (which) => HttpClientRequest.get(`${path}?orderReference=${which}`)],
    ["urlParams", (which) => HttpClientRequest.get(path, { urlParams: { orderReference: which } })],
    ["a body", (which) => HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post(path), { subAccountId: which })],
    ["a raw text", (which) => raw(`{"id":"${which}"}`)],
    ["raw bytes", (which) => raw(bytes(which))],
    ["a raw buffer", (which) => raw(bytes(which).buffer)],
    ["a raw form", (which) => raw(new URLSearchParams({ which }))]
  ]
  const resourceOf = (request: HttpClientRequest.HttpClientRequest) =>
    Effect.map(
      run(
        fake(() => text(401, null)),
        { request, rejections: ["None"] }
      ),
      ({ cache }) => {
        const [sent] = cache.requests
        assert.notInclude(sent?.resource, "=")
        return [sent?.route, sent?.resource]
      }
    )

  it.effect.each(parts)("if they differ by %s", ([, request]) =>
    Effect.gen(function* () {
      const [route, first] = yield* resourceOf(request("1"))
      assert.deepStrictEqual(yield* resourceOf(request("1")), [route, first])
      const [otherRoute, other] = yield* resourceOf(request("2"))
      assert.strictEqual(otherRoute, route)
      assert.notStrictEqual(other, first)
    })
  )
})

describe("the answer of the cache to a 401", () => {
  const always401 = () => fake(() => json(401, { code: "401" }))

  it.effect("None: the response goes to the caller, who can read it, and nothing is renewed", () =>
    Effect.gen(function* () {
      const http = always401()
      const { response, told } = yield* run(http, { rejections: ["None"] })
      assert.deepStrictEqual(yield* response.json, { code: "401" })
      assert.deepStrictEqual(told, ["invalidate token-1"])
      assert.strictEqual(http.sent.length, 1)
    })
  )

  it.effect("SameToken: the request is sent again with the same token", () =>
    Effect.gen(function* () {
      const http = fake((_, n) => (n === 1 ? text(401, null) : json(200, {})))
      const { response, told } = yield* run(http, { rejections: ["SameToken"] })
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(bearers(http), ["token-1", "token-1"])
      assert.deepStrictEqual(told, ["invalidate token-1", "confirm token-1"])
    })
  )

  it.effect("SameToken: a second 401 is reported again, and the token is renewed", () =>
    Effect.gen(function* () {
      const http = rejecting(() => text(401, null))
      const { response, told } = yield* run(http, { rejections: ["SameToken"] })
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(bearers(http), ["token-1", "token-1", "token-2"])
      assert.deepStrictEqual(told, ["invalidate token-1", "invalidate token-1", "session", "confirm token-2"])
    })
  )

  it.effect("SameToken again and again: the same token is sent twice at most", () =>
    Effect.gen(function* () {
      const http = always401()
      const rejections: ReadonlyArray<Remedy> = ["SameToken", "SameToken", "SameToken", "SameToken"]
      const { response } = yield* run(http, { rejections, renewals: [] })
      assert.strictEqual(response.status, 401)
      assert.strictEqual(http.sent.length, 2)
    })
  )

  it.effect("causes four requests at most", () =>
    Effect.gen(function* () {
      const http = always401()
      yield* run(http, { rejections: ["SameToken"], renewals: ["store", "store", "store", "store"] })
      assert.deepStrictEqual(bearers(http), ["token-1", "token-1", "token-2", "token-3"])
    })
  )

  it.effect("Renewal: the caller gets the failure of the renewal, not the 401", () =>
    Effect.gen(function* () {
      const failure = new Unavailable({ operation: "store", reason: "StoreCodec" })
      assert.strictEqual(yield* Effect.flip(run(always401(), { renewals: [failure] })), failure)
    })
  )
})
