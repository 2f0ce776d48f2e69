import { HttpBody, HttpClient, HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream, TestClock } from "effect"
import { InvalidCredentials, Unavailable } from "../../src/schemas/AuthError.js"
import { clientOver } from "../support/client.js"
import { type Fake, fake, json, text } from "../support/http.js"
import { type Renewal, scriptedCache } from "../support/tokenCache.js"

const refused = () => json(401, { code: "401", description: "Unauthorized" })

/** A Nomba that knows these tokens only. */
const accepting = (...tokens: ReadonlyArray<string>): Fake =>
  fake(({ headers }) =>
    tokens.some((token) => headers["authorization"] === `Bearer ${token}`) ? json(200, { code: "00" }) : refused()
  )

const bearers = ({ sent }: Fake): ReadonlyArray<string | undefined> =>
  sent.map(({ headers }) => headers["authorization"]?.replace("Bearer ", ""))

const run = (http: Fake, renewals: ReadonlyArray<Renewal>, request = HttpClientRequest.post("/v1/x")) =>
  Effect.gen(function* () {
    const cache = scriptedCache(...renewals)
    const nomba = yield* clientOver(http, cache)
    const response = yield* nomba.execute(request)
    return { response, told: cache.told }
  })

describe("a 401 to NombaClient", () => {
  it.effect("causes one renewal and one replay, and the new token is confirmed", () =>
    Effect.gen(function* () {
      const http = accepting("token-2")
      const { response, told } = yield* run(http, ["nomba"])
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(bearers(http), ["token-1", "token-2"])
      assert.deepStrictEqual(told, ["invalidate token-1", "session", "confirm token-2"])
    })
  )

  it.effect("goes to the caller, who can read it, if the new token is rejected as well", () =>
    Effect.gen(function* () {
      const http = accepting()
      const { response, told } = yield* run(http, ["nomba", "nomba"])
      assert.strictEqual(response.status, 401)
      assert.deepStrictEqual(yield* response.json, { code: "401", description: "Unauthorized" })
      assert.deepStrictEqual(bearers(http), ["token-1", "token-2"])
      assert.deepStrictEqual(told, ["invalidate token-1", "session"])
    })
  )

  it.effect("causes a second renewal and replay if the first one adopted a token that is rejected as well", () =>
    Effect.gen(function* () {
      const http = accepting("token-3")
      const { response, told } = yield* run(http, ["store", "nomba"])
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(bearers(http), ["token-1", "token-2", "token-3"])
      assert.deepStrictEqual(told, [
        "invalidate token-1",
        "session",
        "invalidate token-2",
        "session",
        "confirm token-3"
      ])
    })
  )

  it.effect("causes two replays at most, also if every renewal adopts a token", () =>
    Effect.gen(function* () {
      for (const last of ["store", "nomba", "same"] as const) {
        const http = accepting()
        const { response, told } = yield* run(http, ["store", "store", last])
        assert.strictEqual(response.status, 401)
        assert.deepStrictEqual(yield* response.json, { code: "401", description: "Unauthorized" })
        assert.deepStrictEqual(bearers(http), ["token-1", "token-2", "token-3"])
        assert.deepStrictEqual(told, [
          "invalidate token-1",
          "session",
          "invalidate token-2",
          "session",
          "invalidate token-3",
          "session"
        ])
      }
    })
  )

  it.effect("to two adopted tokens becomes the failure of the renewal after them", () =>
    Effect.gen(function* () {
      const http = accepting()
      const failure = new Unavailable({ operation: "request", reason: "SessionContested" })
      assert.strictEqual(yield* Effect.flip(run(http, ["store", "store", failure])), failure)
      assert.deepStrictEqual(bearers(http), ["token-1", "token-2", "token-3"])
    })
  )

  it.effect("is reported to the cache although the adopted token was accepted", () =>
    Effect.gen(function* () {
      const { response, told } = yield* run(accepting("token-2"), ["store"])
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(told, ["invalidate token-1", "session", "confirm token-2"])
    })
  )

  it.effect("goes to the caller, unread, if the cache has no other token", () =>
    Effect.gen(function* () {
      const http = accepting()
      const { response, told } = yield* run(http, ["same"])
      assert.strictEqual(response.status, 401)
      assert.deepStrictEqual(yield* response.json, { code: "401", description: "Unauthorized" })
      assert.deepStrictEqual(bearers(http), ["token-1"])
      assert.deepStrictEqual(told, ["invalidate token-1", "session"])
    })
  )

  it.effect("goes to the caller if the second renewal brings no other token", () =>
    Effect.gen(function* () {
      const http = accepting()
      const { response } = yield* run(http, ["store", "same"])
      assert.strictEqual(response.status, 401)
      assert.deepStrictEqual(yield* response.json, { code: "401", description: "Unauthorized" })
      assert.deepStrictEqual(bearers(http), ["token-1", "token-2"])
    })
  )

  for (const failure of [
    new InvalidCredentials({ operation: "issue", status: 401 }),
    new Unavailable({ operation: "refresh", reason: "Timeout" })
  ]) {
    it.effect(`becomes the ${failure._tag} with which the renewal failed`, () =>
      Effect.gen(function* () {
        const http = accepting()
        assert.strictEqual(yield* Effect.flip(run(http, [failure])), failure)
        assert.deepStrictEqual(bearers(http), ["token-1"])
      })
    )
  }

  it.effect("is replaced by any other status of the replay", () =>
    Effect.gen(function* () {
      for (const [status, told] of [
        [403, ["invalidate token-1", "session"]],
        [429, ["invalidate token-1", "session"]],
        [404, ["invalidate token-1", "session", "confirm token-2"]],
        [502, ["invalidate token-1", "session"]]
      ] as const) {
        const http = fake((_, n) => (n === 1 ? refused() : text(status, "x")))
        const result = yield* run(http, ["nomba"])
        assert.strictEqual(result.response.status, status)
        assert.deepStrictEqual(result.told, told)
      }
    })
  )

  it.effect("is noticed although transformClient makes a failure of it", () =>
    Effect.gen(function* () {
      const http = accepting("token-2")
      const nomba = yield* clientOver(http, scriptedCache("nomba"), { transformClient: HttpClient.filterStatusOk })
      assert.strictEqual((yield* nomba.get("/v1/x")).status, 200)
    })
  )

  it.effect("is a status: a 200 with code 401 is not one", () =>
    Effect.gen(function* () {
      const http = fake(() => json(200, { code: "401", description: "Unauthorized" }))
      const { told } = yield* run(http, ["nomba"])
      assert.deepStrictEqual(told, ["confirm token-1"])
    })
  )
})

describe("a replay of NombaClient", () => {
  it.effect("has the same method, URL, body and idempotency headers", () =>
    Effect.gen(function* () {
      const http = accepting("token-2")
      const request = HttpClientRequest.put("/v1/x", {
        urlParams: { a: "1" },
        headers: { "Idempotency-Key": "k-1", "X-Idempotent-Key": "k-2" }
      }).pipe(HttpClientRequest.bodyUnsafeJson({ amount: 1 }))
      yield* run(http, ["nomba"], request)
      const [first, second] = http.sent.map(
        ({ body, headers: { authorization, ...headers }, method, request, url }) => ({
          method,
          url,
          body,
          headers,
          params: request.urlParams,
          authorization: authorization === undefined
        })
      )
      assert.deepStrictEqual(first, second)
      assert.strictEqual(second?.headers["idempotency-key"], "k-1")
      assert.strictEqual(second?.body, '{"amount":1}')
    })
  )

  const form = new FormData()
  form.set("a", "1")
  const replayable: ReadonlyArray<readonly [string, HttpBody.HttpBody]> = [
    ["no body", HttpBody.empty],
    ["text", HttpBody.text("a")],
    ["JSON", HttpBody.unsafeJson({})],
    ["form data", HttpBody.formData(form)],
    ["a raw string", HttpBody.raw("a")],
    ["raw bytes", HttpBody.raw(new Uint8Array(1))],
    ["a raw buffer", HttpBody.raw(new ArrayBuffer(1))],
    ["a raw view", HttpBody.raw(new DataView(new ArrayBuffer(1)))],
    ["raw search parameters", HttpBody.raw(new URLSearchParams("a=1"))],
    ["a raw blob", HttpBody.raw(new Blob(["a"]))],
    ["raw form data", HttpBody.raw(form)]
  ]
  for (const [name, body] of replayable) {
    it.effect(`is possible with ${name}`, () =>
      Effect.gen(function* () {
        const http = accepting("token-2")
        const { response } = yield* run(http, ["nomba"], HttpClientRequest.post("/v1/x", { body }))
        assert.strictEqual(response.status, 200)
        assert.strictEqual(http.sent.length, 2)
      })
    )
  }

  const unreplayable: ReadonlyArray<readonly [string, HttpBody.HttpBody]> = [
    ["a stream", HttpBody.stream(Stream.make(new Uint8Array(1)))],
    ["a raw stream", HttpBody.raw(new ReadableStream())],
    ["a raw iterator", HttpBody.raw((async function* () {})())],
    ["a raw object", HttpBody.raw({ pipe: () => {} })]
  ]
  for (const [name, body] of unreplayable) {
    it.effect(`is not possible with ${name}: the token is rejected, and the caller gets the 401`, () =>
      Effect.gen(function* () {
        const http = accepting("token-2")
        const { response, told } = yield* run(http, ["nomba"], HttpClientRequest.post("/v1/x", { body }))
        assert.strictEqual(response.status, 401)
        assert.deepStrictEqual(yield* response.json, { code: "401", description: "Unauthorized" })
        assert.strictEqual(http.sent.length, 1)
        assert.deepStrictEqual(told, ["invalidate token-1"])
      })
    )
  }

  it.effect("starts after the connection of the first response was freed", () =>
    Effect.gen(function* () {
      let read = false
      const body = new ReadableStream(
        {
          pull: (controller) => {
            controller.enqueue(new TextEncoder().encode("x"))
            controller.close()
            read = true
          }
        },
        { highWaterMark: 0 }
      )
      const http = fake((_, n) => (n === 1 ? new Response(body, { status: 401 }) : json(200, { read })))
      const { response } = yield* run(http, ["nomba"])
      assert.deepStrictEqual(yield* response.json, { read: true })
    })
  )

  it.effect("does not wait for a first response whose body never ends", () =>
    Effect.gen(function* () {
      let cancelled = false
      const body = new ReadableStream({
        cancel: () => {
          cancelled = true
        }
      })
      const http = fake((_, n) => (n === 1 ? new Response(body, { status: 401 }) : json(200, {})))
      const fiber = yield* Effect.fork(run(http, ["nomba"]))
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).response.status, 200)
      assert.isTrue(cancelled)
    })
  )
})

describe("concurrent 401s to NombaClient", () => {
  it.effect("cause one renewal for 200 requests with one rejected token", () =>
    Effect.gen(function* () {
      const cache = scriptedCache("nomba", "nomba")
      const arrived = yield* Deferred.make<void>()
      let waiting = 0
      const http = fake(({ headers }) =>
        headers["authorization"] === "Bearer token-1"
          ? Effect.suspend(() => (++waiting === 200 ? Deferred.succeed(arrived, undefined) : Effect.void)).pipe(
              Effect.zipRight(Deferred.await(arrived)),
              Effect.map(refused)
            )
          : json(200, {})
      )
      const nomba = yield* clientOver(http, cache)
      const responses = yield* Effect.all(
        Array.from({ length: 200 }, () => nomba.get("/v1/x")),
        { concurrency: "unbounded" }
      )
      assert.isTrue(responses.every(({ status }) => status === 200))
      assert.strictEqual(http.sent.length, 400)
      assert.strictEqual(cache.current(), "token-2")
      assert.strictEqual(cache.told.filter((what) => what === "confirm token-2").length, 200)
    })
  )
})
