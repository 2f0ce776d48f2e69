import { HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, Redacted, Schema, TestClock } from "effect"
import { NombaClient, NombaRequestFailed, NombaResponse, UnexpectedResponse } from "nomba-auth"
import { NombaTest } from "nomba-auth/testing"
import { clientOver } from "../support/client.js"
import { clientSecret } from "../support/config.js"
import { json as answerJson, text as answerText, fake } from "../support/http.js"
import { leaks, printed } from "../support/leaks.js"
import { fixedCache } from "../support/tokenCache.js"

const Transfer = Schema.Struct({ id: Schema.String, status: Schema.String })
const data = { id: "t-1", status: "SUCCESS" }

type Method = "GET" | "POST" | "HEAD"

const response = (
  body: BodyInit | null,
  init: ResponseInit = {},
  method: Method = "POST"
): HttpClientResponse.HttpClientResponse =>
  HttpClientResponse.fromWeb(HttpClientRequest.make(method)("/v2/transfers/bank"), new Response(body, init))

const json = (body: unknown, init: ResponseInit = {}, method: Method = "POST"): HttpClientResponse.HttpClientResponse =>
  response(JSON.stringify(body), { ...init, headers: { "content-type": "application/json", ...init.headers } }, method)

const read = NombaResponse.result(Transfer)

const failed = (answer: HttpClientResponse.HttpClientResponse): Effect.Effect<NombaRequestFailed, unknown> =>
  Effect.flatMap(Effect.flip(read(answer)), (error) =>
    error instanceof NombaRequestFailed ? Effect.succeed(error) : Effect.die(error)
  )

const unexpected = (answer: HttpClientResponse.HttpClientResponse): Effect.Effect<UnexpectedResponse, unknown> =>
  Effect.flatMap(Effect.flip(read(answer)), (error) =>
    error instanceof UnexpectedResponse ? Effect.succeed(error) : Effect.die(error)
  )

describe("NombaResponse: a response is a success", () => {
  for (const [name, body, status = 200, isPending = false] of [
    ["if the code is 00", { code: "00", description: "Success", data }],
    ["if the code is the number 0", { code: 0, data }],
    ["if there is no code", { data }],
    ["if the code is null or empty", { code: "", data }],
    ["if the code is 200, as text", { code: "200", description: "SUCCESS", data }],
    ["if the code is 200, as a number", { code: 200, description: "SUCCESS", data }],
    ["if the boolean status is false", { code: "00", status: false, data }],
    ["with a description that is no word of the list", { code: "00", description: "Operation FAILED over", data }],
    ["with any 2xx status", { code: "00", data }, 202],
    ["pending: status 201", { code: "201", status: false, data }, 201, true],
    ["pending: status 201 with the code 200", { code: "200", data }, 201, true],
    ["pending: code 201 as a number", { code: 201, data }, 200, true],
    ["pending: description PROCESSING", { code: "200", description: "PROCESSING", data }, 200, true],
    ["pending: data.status PENDING_BILLING", { code: "00", data: { ...data, status: "PENDING_BILLING" } }, 200, true]
  ] as ReadonlyArray<readonly [string, object, number?, boolean?]>) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const result = yield* read(json(body, { status }))
        assert.strictEqual(result.data.id, "t-1")
        assert.strictEqual(result.isPending, isPending)
        assert.deepStrictEqual(yield* NombaResponse.data(Transfer)(json(body, { status })), result.data)
      })
    )
  }

  it.effect("if it is a 204 without a body, and the schema asks for no data", () =>
    Effect.gen(function* () {
      assert.isUndefined(yield* NombaResponse.data(Schema.Undefined)(response(null, { status: 204 })))
      assert.deepStrictEqual((yield* unexpected(response(null, { status: 204 }))).issues, ["data: missing"])
    })
  )
})

describe("NombaResponse: a response is a failure", () => {
  for (const word of [
    "FAILED",
    "BAD_REQUEST",
    "INSUFFICIENT_BALANCE",
    "ACCOUNT_NOT_FOUND",
    "INVALID_TRANSACTION",
    "WALLET_NOT_FOUND",
    "BLACKLISTED"
  ]) {
    it.effect(`if the description is ${word}, with any code and status`, () =>
      Effect.gen(function* () {
        for (const code of ["00", "200", 200, "201", undefined]) {
          for (const status of [200, 201]) {
            const error = yield* failed(json({ code, description: word, status: true, data }, { status }))
            assert.deepInclude(error, { status, description: word, retryable: false, processed: "no" })
          }
        }
        yield* failed(json({ code: "00", description: word.toLowerCase(), data }))
        yield* failed(json({ code: "00", message: word, data }))
      })
    )
  }

  for (const [name, body, status, expected] of [
    [
      "a code that is a 4xx",
      { code: "400", status: false, message: "No such account" },
      200,
      { code: "400", description: "No such account", processed: "no", retryable: false }
    ],
    ["a code that is a 4xx, as a number", { code: 422, data }, 200, { code: "422", processed: "no" }],
    ["a code that is a 5xx", { code: "503", data }, 200, { code: "503", processed: "unknown", retryable: false }],
    ["a code that is a 429", { code: "429", data }, 200, { processed: "no", retryable: true }],
    ["a code 01", { code: "01", data }, 200, { code: "01", processed: "unknown", retryable: false }],
    ["a code 02", { code: "02", data }, 200, { code: "02", processed: "unknown" }],
    ["another code of two digits", { code: "99", data }, 200, { code: "99", processed: "unknown" }],
    ["a code that only begins like a 2xx", { code: "2000", data }, 200, { code: "2000", processed: "unknown" }],
    ["a code in words", { code: "OK", data }, 200, { code: "OK", processed: "unknown" }],
    ["a 4xx with the code 00", { code: "00", description: "SUCCESS", data }, 400, { code: "00", processed: "no" }],
    ["a 401", { code: "401", description: "Unauthorized" }, 401, { processed: "no", retryable: false }],
    ["a 403", {}, 403, { processed: "no", retryable: false }],
    ["a 404", {}, 404, { processed: "no", retryable: false }],
    ["a 408", {}, 408, { processed: "unknown", retryable: false }],
    [
      "a 422 with a list of errors",
      { code: "422", errors: ["amount", "bankCode"] },
      422,
      { errors: ["amount", "bankCode"], processed: "no" }
    ],
    ["a 429", {}, 429, { processed: "no", retryable: true }],
    ["a 499 of a proxy", {}, 499, { processed: "unknown", retryable: false }],
    ["a 500", {}, 500, { processed: "unknown", retryable: false }],
    ["a 503 with the code 00", { code: "00", data }, 503, { processed: "unknown", retryable: false }],
    ["a 304", undefined, 304, { processed: "unknown", retryable: false }]
  ] as ReadonlyArray<readonly [string, object | undefined, number, Partial<NombaRequestFailed>]>) {
    it.effect(`on a POST: ${name}`, () =>
      Effect.gen(function* () {
        const answer = body === undefined ? response(null, { status }) : json(body, { status })
        assert.deepInclude(yield* failed(answer), { status, ...expected })
      })
    )
  }

  it.effect("a 5xx is retryable on GET and HEAD, also as a code, and nothing else is", () =>
    Effect.gen(function* () {
      for (const method of ["GET", "HEAD"] as const) {
        for (const status of [500, 502, 503, 599]) {
          assert.isTrue((yield* failed(json({}, { status }, method))).retryable)
        }
        assert.isTrue((yield* failed(json({ code: "503" }, {}, method))).retryable)
        for (const status of [400, 401, 403, 404, 408, 409, 422]) {
          assert.isFalse((yield* failed(json({}, { status }, method))).retryable)
        }
        assert.isFalse((yield* failed(json({ code: "00", description: "FAILED" }, {}, method))).retryable)
      }
    })
  )

  it.effect("if the status is an error, with any body", () =>
    Effect.gen(function* () {
      for (const body of ["<html>Bad gateway</html>", "", "{", "[]", "x".repeat(2 * 1024 * 1024)]) {
        assert.deepInclude(yield* failed(response(body, { status: 502 }, "GET")), { status: 502, retryable: true })
      }
    })
  )

  it.effect("if the body of a 2xx breaks off: Nomba may have carried the request out", () =>
    Effect.gen(function* () {
      const broken = () => new ReadableStream({ pull: (controller) => controller.error(new Error("reset")) })
      assert.deepInclude(yield* failed(response(broken())), { status: 200, processed: "unknown", retryable: false })
      assert.isTrue((yield* failed(response(broken(), {}, "GET"))).retryable)
    })
  )

  it.effect("with the wait that the server states", () =>
    Effect.gen(function* () {
      const window = { "x-rate-limit-window": "60s" }
      const limited = yield* failed(json({}, { status: 429, headers: window }))
      assert.deepStrictEqual(limited.retryAfter, Duration.seconds(60))
      const down = yield* failed(json({}, { status: 503, headers: { "retry-after": "7" } }))
      assert.deepStrictEqual(down.retryAfter, Duration.seconds(7))
      assert.isUndefined((yield* failed(json({}, { status: 400 }))).retryAfter)
    })
  )

  it.effect("with one line that says what happened, Nomba's words, and what to check", () =>
    Effect.gen(function* () {
      const refused = yield* failed(
        json({ code: "422", description: "Bad\ninput", errors: ["amount"] }, { status: 422 })
      )
      assert.strictEqual(refused.message, 'Nomba refused the request (HTTP 422, code 422, "Bad input"): amount.')
      const unknown = yield* failed(json({}, { status: 502 }))
      assert.strictEqual(
        unknown.message,
        "The request failed, and Nomba may have carried it out all the same (HTTP 502)."
      )
      assert.include((yield* failed(json({}, { status: 401 }))).message, "account id")
      assert.include((yield* failed(json({}, { status: 403 }))).message, "IP address")
      const long = yield* failed(
        json({ description: "d".repeat(5000), errors: Array(20).fill("e".repeat(500)) }, { status: 401 })
      )
      assert.isBelow(long.message.length, 500)
      assert.include(long.message, "account id")
    })
  )
})

describe("NombaResponse: a response is an UnexpectedResponse", () => {
  for (const [name, answer, reason] of [
    ["an HTML page with a 200", response("<html></html>", { headers: { "content-type": "text/html" } }), "NotJson"],
    ["an empty body with a 200", response(""), "NotJson"],
    ["JSON that is no object", json([data]), "NotJson"],
    ["broken JSON", response('{"code":"00"'), "NotJson"],
    ["more than 1 MiB", json({ code: "00", data: { ...data, more: "x".repeat(1024 * 1024) } }), "TooLarge"],
    ["a code that cannot be read", json({ code: true, data }), "OddCode"],
    ["an HTML page with a 401", response("<html></html>", { status: 401 }), "HtmlResponse"],
    ["an HTML page with a 403", response("<html></html>", { status: 403 }), "HtmlResponse"]
  ] as const) {
    it.effect(name, () =>
      Effect.gen(function* () {
        assert.deepInclude(yield* unexpected(answer), { reason, operation: "request", status: answer.status })
      })
    )
  }

  it.effect("if its data does not fit the schema: the error has paths and no values", () =>
    Effect.gen(function* () {
      const Account = Schema.Struct({
        id: Schema.String,
        amount: Schema.NumberFromString,
        banks: Schema.Array(Schema.Struct({ name: Schema.NonEmptyString })),
        byNumber: Schema.Record({ key: Schema.String, value: Schema.Number })
      })
      const wrong = { amount: "hunter2", banks: [{ name: "a" }, { name: "" }], byNumber: { "0123456789": "hunter2" } }
      const error = yield* Effect.flip(NombaResponse.data(Account)(json({ code: "00", data: wrong })))
      assert.instanceOf(error, UnexpectedResponse)
      assert.strictEqual(error.reason, "SchemaMismatch")
      assert.sameMembers(
        [...error.issues],
        ["data.id: missing", "data.amount: invalid", "data.banks.1.name: invalid", "data.byNumber.*: wrong type"]
      )
      const found = leaks(yield* printed(Effect.fail(error)), ["hunter2", "0123456789"])
      assert.deepStrictEqual([...found], [])
    })
  )

  it.effect("with the id of the request", () =>
    Effect.gen(function* () {
      const error = yield* unexpected(json([], { headers: { "x-request-id": "r-1" } }))
      assert.strictEqual(error.requestId, "r-1")
    })
  )
})

describe("NombaResponse and NombaClient", () => {
  const bearer = "a+plain/bearer-token=that-is-no.jwt"
  const over = (answer: () => Response) =>
    clientOver(fake(answer), { layer: fixedCache(Effect.sync(() => Redacted.make(bearer))) })

  it.effect.each([bearer, clientSecret])("mask what the server echoes of %s, whole and in part", (secret) =>
    Effect.gen(function* () {
      const echo = { code: "400", description: `Bearer ${secret} is bad`, errors: [secret.slice(4, 20)] }
      for (const answer of [
        () => answerJson(400, echo),
        () => answerJson(200, { ...echo, code: secret }),
        () => answerJson(200, { data: { [secret]: 1 } }, { "x-request-id": secret }),
        () => answerText(200, secret)
      ]) {
        const program = Effect.flatMap(
          Effect.flatMap(over(answer), (client) => client.get("/v1/x")),
          NombaResponse.data(Transfer)
        )
        assert.deepStrictEqual([...leaks(yield* printed(program), [secret, secret.slice(4, 20)])], [])
      }
    })
  )

  it.effect("have no timeout of their own, and can be given one", () =>
    Effect.gen(function* () {
      const endless = () => new Response(new ReadableStream({}), { status: 200 })
      const program = read(HttpClientResponse.fromWeb(HttpClientRequest.get("/v1/x"), endless()))
      const fiber = yield* Effect.fork(Effect.timeoutOption(program, "1 hour"))
      yield* TestClock.adjust("59 minutes")
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* TestClock.adjust("1 minute")
      assert.isTrue(Option.isNone(yield* Fiber.join(fiber)))
    })
  )

  it.effect("decode what NombaTest answers", () =>
    Effect.gen(function* () {
      const nomba = yield* NombaClient
      const result = yield* Effect.flatMap(nomba.get("/v1/x"), NombaResponse.data(Transfer))
      assert.deepStrictEqual(result, data)
    }).pipe(Effect.provide(NombaTest.layer({ answers: { "/v1/x": { body: { code: "200", data } } } })))
  )
})
