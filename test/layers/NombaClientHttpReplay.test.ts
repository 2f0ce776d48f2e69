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

describe("a 401", () => {
  it.effect("costs one renewal and one replay, and the renewal is said to have helped", () =>
    Effect.gen(function* () {
      const http = accepting("token-2")
      const { response, told } = yield* run(http, ["nomba"])
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(bearers(http), ["token-1", "token-2"])
      assert.deepStrictEqual(told, ["invalidate token-1", "session", "confirm token-2"])
    })
  )

  it.effect("to a new token as well goes to the caller, who can read it", () =>
    Effect.gen(function* () {
      const http = accepting()
      const { response, told } = yield* run(http, ["nomba", "nomba"])
      assert.strictEqual(response.status, 401)
      assert.deepStrictEqual(yield* response.json, { code: "401", description: "Unauthorized" })
      assert.deepStrictEqual(bearers(http), ["token-1", "token-2"])
      assert.deepStrictEqual(told, ["invalidate token-1", "session"])
    })
  )

  it.effect("to an adopted token as well is replayed once more, with a token of our own", () =>
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

  it.effect("is replayed twice at most, whatever the store holds", () =>
    Effect.gen(function* () {
      const http = accepting()
      const { response, told } = yield* run(http, ["store", "store", "store"])
      assert.strictEqual(response.status, 401)
      assert.deepStrictEqual(bearers(http), ["token-1", "token-2", "token-3"])
      assert.deepStrictEqual(told, ["invalidate token-1", "session", "invalidate token-2", "session"])
    })
  )

  it.effect("that an adopted token cures is reported to the cache, which knows what it is worth", () =>
    Effect.gen(function* () {
      const { response, told } = yield* run(accepting("token-2"), ["store"])
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(told, ["invalidate token-1", "session", "confirm token-2"])
    })
  )

  it.effect("goes to the caller, unread, when the cache has no other token to offer", () =>
    Effect.gen(function* () {
      const http = accepting()
      const { response, told } = yield* run(http, ["same"])
      assert.strictEqual(response.status, 401)
      assert.deepStrictEqual(yield* response.json, { code: "401", description: "Unauthorized" })
      assert.deepStrictEqual(bearers(http), ["token-1"])
      assert.deepStrictEqual(told, ["invalidate token-1", "session"])
    })
  )

  it.effect("goes to the caller in the end when the second renewal brings nothing new", () =>
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
    it.effect(`becomes the ${failure._tag} that the renewal failed with`, () =>
      Effect.gen(function* () {
        const http = accepting()
        assert.strictEqual(yield* Effect.flip(run(http, [failure])), failure)
        assert.deepStrictEqual(bearers(http), ["token-1"])
      })
    )
  }

  it.effect("is no longer one when the replay finds something else, which goes to the caller", () =>
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

  it.effect("is seen also where transformClient makes a failure of it", () =>
    Effect.gen(function* () {
      const http = accepting("token-2")
      const nomba = yield* clientOver(http, scriptedCache("nomba"), { transformClient: HttpClient.filterStatusOk })
      assert.strictEqual((yield* nomba.get("/v1/x")).status, 200)
    })
  )

  it.effect("is judged by its status alone: code 401 in a 200 is none", () =>
    Effect.gen(function* () {
      const http = fake(() => json(200, { code: "401", description: "Unauthorized" }))
      const { told } = yield* run(http, ["nomba"])
      assert.deepStrictEqual(told, ["confirm token-1"])
    })
  )
})

describe("a replay", () => {
  it.effect("is the same request: method, URL, body and idempotency headers", () =>
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
    it.effect(`is made of ${name}`, () =>
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
    it.effect(`is not made of ${name}: the token is rejected all the same, and the 401 is the caller's`, () =>
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

  it.effect("begins when the first answer was let go of", () =>
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

  it.effect("does not wait for a first answer whose body never ends", () =>
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

describe("many 401s at once", () => {
  it.effect("200 requests with one rejected token cost one renewal", () =>
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
