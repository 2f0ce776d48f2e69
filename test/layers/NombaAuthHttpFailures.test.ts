import { HttpClient, HttpClientError, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Logger, Option, Stream, TestClock } from "effect"
import type { AuthError } from "../../src/schemas/AuthError.js"
import { granted, once } from "../support/auth.js"
import { clientSecret, config } from "../support/config.js"
import { type Answer, fake, json, type Sent, text, unreachable } from "../support/http.js"
import { type Named, type Operation, operations } from "../support/operations.js"

const failing = (
  { run }: Named,
  answer: (sent: Sent) => Answer,
  changes: Parameters<typeof once>[1] = {}
): Effect.Effect<AuthError, unknown> => Effect.flatMap(once(fake(answer), changes), (auth) => Effect.flip(run(auth)))

const named = (operation: Operation): Named => operations.find((one) => one.operation === operation) ?? assert.fail()

describe("each status has one meaning for each operation", () => {
  const invalid = { _tag: "InvalidRequest" }
  const credentials = { _tag: "InvalidCredentials" }
  const expired = { _tag: "Expired" }
  const timeout = { _tag: "Unavailable", reason: "Timeout", processed: "unknown" }
  const limited = { _tag: "Unavailable", reason: "RateLimited", processed: "no" }
  const server = { _tag: "Unavailable", reason: "ServerError", processed: "unknown" }
  const redirect = { _tag: "UnexpectedResponse", reason: "Redirect" }
  const odd = { _tag: "UnexpectedResponse", reason: "UnknownStatus" }
  const same = (expected: object) => ({ issue: expected, refresh: expected, revoke: expected, exchange: expected })

  const table: ReadonlyArray<readonly [number, Record<Operation, object>]> = [
    [301, same(redirect)],
    [302, same(redirect)],
    [304, same(redirect)],
    [307, same(redirect)],
    [308, same(redirect)],
    [400, same(invalid)],
    [401, { issue: credentials, refresh: expired, revoke: expired, exchange: expired }],
    [402, same(invalid)],
    [403, same(credentials)],
    [404, { ...same(invalid), refresh: expired }],
    [405, same(invalid)],
    [408, same(timeout)],
    [409, same(invalid)],
    [418, same(invalid)],
    [422, same(invalid)],
    [425, same(invalid)],
    [429, same(limited)],
    [451, same(invalid)],
    [499, same(invalid)],
    [500, same(server)],
    [501, same(server)],
    [502, same(server)],
    [503, same(server)],
    [504, same(server)],
    [599, same(server)]
  ]

  const envelope = (status: number): Response =>
    json(status, { code: "X1", description: "what Nomba says", errors: ["first", "second"] })

  const bodies: ReadonlyArray<(status: number) => Response> = [
    (status) => json(status, { code: "00", data: { access_token: "t" } }),
    (status) => text(status, null),
    (status) => text(status, "}{"),
    (status) => json(status, [1])
  ]

  for (const [status, expected] of table) {
    it.effect.each([...operations])(`${status} on $operation`, (one) =>
      Effect.gen(function* () {
        const error = yield* failing(one, () => (status === 304 ? text(status, null) : envelope(status)))
        assert.deepInclude(error, { ...expected[one.operation], operation: one.operation, status })
      })
    )
  }

  it.effect("whatever the body is", () =>
    Effect.gen(function* () {
      for (const [index, [status, expected]] of table.entries()) {
        if (status === 304) continue
        for (const body of bodies) {
          const one = operations[index % operations.length] ?? assert.fail()
          const error = yield* failing(one, () => body(status))
          assert.deepInclude(error, { ...expected[one.operation], operation: one.operation, status })
        }
      }
    })
  )

  for (const [status, expected] of [
    [0, redirect],
    [100, odd],
    [199, odd],
    [600, odd],
    [999, odd]
  ] as const) {
    it.effect(`${status}, which only an odd client can show`, () =>
      Effect.gen(function* () {
        for (const one of operations) {
          const error = yield* failing(one, () =>
            Object.defineProperty(new Response(null), "status", { value: status })
          )
          assert.deepInclude<object>(error, { ...expected, status })
        }
      })
    )
  }

  it.effect("the error carries Nomba's code, description and errors", () =>
    Effect.gen(function* () {
      const error = yield* failing(named("refresh"), () =>
        json(400, { code: 17, description: " bad\nrequest ", errors: ["first", 2, "", "second"] })
      )
      assert.deepInclude(error, { code: "17", description: "bad request", errors: ["first", "second"] })
      assert.strictEqual(
        error.message,
        'Nomba rejected the refresh request (HTTP 400, code 17, "bad request"): first; second.'
      )
    })
  )

  it.effect("`message` stands in for `description`", () =>
    Effect.gen(function* () {
      const error = yield* failing(named("issue"), () =>
        json(200, { code: "400", status: false, message: "no such client" })
      )
      assert.deepInclude(error, { _tag: "InvalidRequest", status: 200, code: "400", description: "no such client" })
    })
  )

  it.effect("InvalidCredentials says what to check and where each part came from", () =>
    Effect.gen(function* () {
      for (const [operation, status] of [
        ["issue", 401],
        ["refresh", 403]
      ] as const) {
        const error = yield* failing(named(operation), () => json(status, {}))
        assert.deepInclude(error, { _tag: "InvalidCredentials", origins: config().origins })
        for (const origin of ["NOMBA_CLIENT_ID", "NOMBA_PRIVATE_KEY", "NOMBA_ACCOUNT_ID", "options.environment"]) {
          assert.include(error.message, origin)
        }
      }
    })
  )

  it.effect("a 401 on revoke names the three causes", () =>
    Effect.gen(function* () {
      for (const answer of [() => json(401, {}), () => json(200, { code: "02" })]) {
        const error = yield* failing(named("revoke"), answer)
        assert.strictEqual(error._tag, "Expired")
        for (const cause of ["accountId header is absent", "account id is wrong", "token has already expired"]) {
          assert.include(error.message, cause)
        }
      }
    })
  )

  it.effect("rejected credentials carry Nomba's errors without the secrets in them", () =>
    Effect.gen(function* () {
      for (const status of [401, 403]) {
        const error = yield* failing(named("issue"), () =>
          json(status, { errors: ["no such client", `secret ${clientSecret} is wrong`] })
        )
        assert.deepInclude(error, {
          _tag: "InvalidCredentials",
          errors: ["no such client", "secret *** is wrong"]
        })
        assert.include(error.message, "no such client; secret *** is wrong")
      }
    })
  )

  it.effect("rejected credentials without an account id say so first", () =>
    Effect.gen(function* () {
      const missing = { accountId: Option.none(), origins: { ...config().origins, accountId: "not set" } }
      const error = yield* failing(named("issue"), () => json(401, { description: "x".repeat(600) }), missing)
      assert.include(error.message, "Likeliest cause: account id: not set. Check the client id")
    })
  )

  it.effect("a 403 also suspects the IP address and a sub-account's id", () =>
    Effect.gen(function* () {
      for (const one of operations) {
        for (const answer of [() => json(403, {}), () => json(200, { code: "403" })]) {
          const { message } = yield* failing(one, answer)
          assert.include(message, `Nomba denied access on ${one.operation}`)
          assert.include(message, "IP address may not be allowed")
          assert.include(message, "account id may be a sub-account's")
        }
      }
    })
  )

  for (const text of ["JWT expired at 2026-11-27T03:35:49Z", "Internal Server Error: INTERNAL: JWT expired at now"]) {
    for (const member of ["description", "message", "detail"]) {
      it.effect(`a ${member} that says the JWT expired (${text.slice(0, 8)}) is Expired if a bearer was sent`, () =>
        Effect.gen(function* () {
          for (const [status, code] of [
            [400, "400"],
            [500, "500"],
            [422, undefined],
            [200, "400"],
            [200, "17"]
          ] as const) {
            for (const one of operations) {
              const error = yield* failing(one, () => json(status, { code, [member]: text }))
              const hasBearer = one.operation === "refresh" || one.operation === "revoke"
              assert.strictEqual(error._tag === "Expired", hasBearer, `${status} on ${one.operation}`)
            }
          }
          assert.strictEqual(
            (yield* failing(named("refresh"), () => json(429, { [member]: "Your JWT expired at noon" })))._tag,
            "Unavailable"
          )
        })
      )
    }
  }

  it.effect("a 404 points to the base URL", () =>
    Effect.gen(function* () {
      assert.include((yield* failing(named("issue"), () => text(404, "<h1>nothing here</h1>"))).message, "base URL")
    })
  )
})

describe("a code other than 00 is a failure, also with a 200 and with data", () => {
  const table: ReadonlyArray<readonly [string | number, Record<Operation, string>]> = [
    ["01", { issue: "InvalidCredentials", refresh: "Expired", revoke: "Expired", exchange: "Expired" }],
    [1, { issue: "InvalidCredentials", refresh: "Expired", revoke: "Expired", exchange: "Expired" }],
    ["02", { issue: "InvalidRequest", refresh: "Expired", revoke: "Expired", exchange: "Expired" }],
    [
      "03",
      { issue: "InvalidRequest", refresh: "InvalidRequest", revoke: "InvalidRequest", exchange: "InvalidRequest" }
    ],
    ["E", { issue: "InvalidRequest", refresh: "InvalidRequest", revoke: "InvalidRequest", exchange: "InvalidRequest" }],
    [999, { issue: "InvalidRequest", refresh: "InvalidRequest", revoke: "InvalidRequest", exchange: "InvalidRequest" }],
    [
      "400",
      { issue: "InvalidRequest", refresh: "InvalidRequest", revoke: "InvalidRequest", exchange: "InvalidRequest" }
    ],
    [401, { issue: "InvalidCredentials", refresh: "Expired", revoke: "Expired", exchange: "Expired" }],
    [
      "403",
      {
        issue: "InvalidCredentials",
        refresh: "InvalidCredentials",
        revoke: "InvalidCredentials",
        exchange: "InvalidCredentials"
      }
    ],
    ["408", { issue: "Timeout", refresh: "Timeout", revoke: "Timeout", exchange: "Timeout" }],
    ["429", { issue: "RateLimited", refresh: "RateLimited", revoke: "RateLimited", exchange: "RateLimited" }],
    ["500", { issue: "ServerError", refresh: "ServerError", revoke: "ServerError", exchange: "ServerError" }],
    ["302", { issue: "Redirect", refresh: "Redirect", revoke: "Redirect", exchange: "Redirect" }],
    ["100", { issue: "UnknownStatus", refresh: "UnknownStatus", revoke: "UnknownStatus", exchange: "UnknownStatus" }]
  ]
  for (const [code, expected] of table) {
    for (const one of operations) {
      it.effect(`${JSON.stringify(code)} on ${one.operation}`, () =>
        Effect.gen(function* () {
          const error = yield* failing(one, () => json(200, { code, description: "no", data: { access_token: "t" } }))
          assert.strictEqual("reason" in error ? error.reason : error._tag, expected[one.operation])
          assert.strictEqual(error.status, 200)
        })
      )
    }
  }

  for (const [code, kind] of [
    [true, "boolean"],
    [false, "boolean"],
    [{}, "object"],
    [[], "array"]
  ] as const) {
    it.effect(`${JSON.stringify(code)} is an OddCode`, () =>
      Effect.gen(function* () {
        const expected = { _tag: "UnexpectedResponse", reason: "OddCode", issues: [`code: malformed ${kind}`] }
        for (const one of operations) {
          for (const data of [undefined, {}, { access_token: "not a token" }]) {
            assert.deepInclude<object>(yield* failing(one, () => json(200, { code, data })), expected)
          }
        }
        const granting = () => json(200, { code, data: { access_token: "t" } })
        assert.deepInclude<object>(yield* failing(named("revoke"), granting), expected)
        for (const operation of ["issue", "refresh", "exchange"] as const) {
          yield* Effect.flatMap(once(fake(granting)), named(operation).run)
        }
      })
    )
  }

  it.effect("a failure that follows from the code names the code", () =>
    Effect.gen(function* () {
      for (const [code, what] of [
        [302, "a redirect, which is not followed with credentials: code: 302"],
        ["100", "a status that the API does not have: code: 100"]
      ] as const) {
        const error = yield* failing(named("issue"), () => json(200, { code }))
        assert.deepInclude(error, { _tag: "UnexpectedResponse", issues: [`code: ${code}`] })
        assert.strictEqual(error.message, `Unexpected response (issue, HTTP 200): ${what}.`)
      }
      assert.deepInclude(yield* failing(named("issue"), () => json(302, { code: 302 })), { issues: [] })
    })
  )

  it.effect("an error status decides, whatever the code", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* failing(named("issue"), () => json(400, { code: "01" })))._tag, "InvalidRequest")
      assert.strictEqual((yield* failing(named("refresh"), () => json(400, { code: "02" })))._tag, "InvalidRequest")
      assert.strictEqual((yield* failing(named("refresh"), () => json(500, { code: "401" })))._tag, "Unavailable")
    })
  )

  it.effect("a rate limit inside a 200 has its wait", () =>
    Effect.gen(function* () {
      const error = yield* failing(named("issue"), () => json(200, { code: "429" }, { "x-rate-limit-window": "60s" }))
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(60))
    })
  )
})

describe("a 2xx that does not follow the contract is an UnexpectedResponse", () => {
  it.effect("a token that has already expired, with the operation", () =>
    Effect.gen(function* () {
      for (const operation of ["issue", "refresh", "exchange"] as const) {
        const error = yield* failing(named(operation), () => granted({ expires_in: 0 }))
        assert.deepInclude(error, { _tag: "UnexpectedResponse", reason: "AlreadyExpired", operation })
      }
    })
  )

  const notJson: ReadonlyArray<readonly [string, () => Response]> = [
    ["HTML", () => text(200, "<html>ok</html>", { "content-type": "text/html" })],
    ["cut in half", () => text(200, '{"code":"00","data":{"access_tok')],
    ["a list", () => json(200, [{ access_token: "t" }])],
    ["a string", () => json(200, "token")],
    ["null", () => json(200, null)],
    ["a number", () => json(200, 7)],
    ["100,000 brackets", () => text(200, "[".repeat(100_000))]
  ]
  for (const [what, answer] of notJson) {
    it.effect(`NotJson: ${what}`, () =>
      Effect.gen(function* () {
        for (const one of operations) {
          const error = yield* failing(one, answer)
          assert.deepInclude(error, {
            _tag: "UnexpectedResponse",
            reason: "NotJson",
            issues: ["body: not a JSON object"]
          })
        }
      })
    )
  }

  for (const answer of [() => text(200, ""), () => text(204, null), () => text(200, null)]) {
    it.effect(`NotJson: an empty ${answer().status}`, () =>
      Effect.gen(function* () {
        for (const operation of ["issue", "refresh", "exchange"] as const) {
          const error = yield* failing(named(operation), answer)
          assert.deepInclude(error, { _tag: "UnexpectedResponse", reason: "NotJson", issues: ["body: empty"] })
        }
      })
    )
  }

  it.effect("but not a UTF-8 byte order mark before the JSON", () =>
    Effect.gen(function* () {
      const auth = yield* once(fake(() => text(200, '\ufeff{"data":{"access_token":"t"}}')))
      assert.strictEqual((yield* auth.issue).tokenType, "Bearer")
    })
  )

  it.effect("with the id of the request, from any of three headers", () =>
    Effect.gen(function* () {
      for (const header of ["x-request-id", "x-correlation-id", "cf-ray"]) {
        const error = yield* failing(named("issue"), () => text(200, "?", { [header]: "id-1" }))
        assert.deepInclude(error, { requestId: "id-1" })
        assert.include(error.message, "id-1")
      }
    })
  )
})

describe("an HTML page with a 401 or 403 is an HtmlResponse", () => {
  const page = "\n<!DOCTYPE html><html><body>Access denied</body></html>"
  for (const status of [401, 403]) {
    for (const [what, answer] of [
      ["by its type", () => text(status, "Access denied", { "content-type": "text/html; charset=utf-8" })],
      ["by its type alone", () => text(status, null, { "content-type": "Text/HTML" })],
      ["by its body", () => text(status, page, { "content-type": "application/json" })],
      ["by its body alone", () => text(status, page)]
    ] as const) {
      it.effect(`${status} ${what}`, () =>
        Effect.gen(function* () {
          for (const one of operations) {
            const error = yield* failing(one, answer)
            assert.deepInclude(error, { _tag: "UnexpectedResponse", reason: "HtmlResponse", status })
          }
        })
      )
    }
  }

  it.effect("JSON with the content type of a page is Nomba's", () =>
    Effect.gen(function* () {
      const error = yield* failing(named("issue"), () => json(401, { code: "401" }, { "content-type": "text/html" }))
      assert.strictEqual(error._tag, "InvalidCredentials")
    })
  )

  it.effect("a page with a 502 is a ServerError", () =>
    Effect.gen(function* () {
      const error = yield* failing(named("issue"), () => text(502, page, { "content-type": "text/html" }))
      assert.deepInclude(error, { _tag: "Unavailable", reason: "ServerError" })
    })
  )
})

describe("a body that is cut off, slow or too large", () => {
  type Chunks = Stream.Stream<Uint8Array, HttpClientError.ResponseError>
  const bytes = (content: string): Uint8Array => new TextEncoder().encode(content)

  /** An answer whose body is a stream of the test's own. */
  const streaming = (status: number, body: (cut: Chunks) => Chunks, headers: Record<string, string> = {}) => {
    const response = new Response(null, { status, headers })
    return (sent: Sent) => {
      const inner = HttpClientResponse.fromWeb(sent.request, response)
      const cut = Stream.fail(
        new HttpClientError.ResponseError({
          request: sent.request,
          response: inner,
          reason: "Decode",
          cause: Object.assign(new Error("aborted"), { code: "ECONNRESET" })
        })
      )
      return new Proxy(inner, {
        get: (target, key) => (key === "stream" ? body(cut) : Reflect.get(target, key, target))
      })
    }
  }
  const answeredBy = (respond: (sent: Sent) => HttpClientResponse.HttpClientResponse, { run }: Named) => {
    const http = fake(() => new Response())
    return Effect.flatMap(
      once(http, {
        transformClient: (client) => transformAnswers(client, respond)
      }),
      (auth) => Effect.flip(run(auth))
    )
  }
  const transformAnswers = (
    client: HttpClient.HttpClient,
    respond: (sent: Sent) => HttpClientResponse.HttpClientResponse
  ) =>
    HttpClient.transform(client, (execute, request) =>
      Effect.as(execute, respond({ method: "POST", url: "", headers: {}, body: "", json: () => ({}), request }))
    )

  const half = bytes('{"code":"400","description":"known"}')

  it.effect("cut off on a 200: Unavailable, with the system's code", () =>
    Effect.gen(function* () {
      for (const one of operations) {
        const error = yield* answeredBy(
          streaming(200, (cut) => Stream.concat(Stream.make(bytes('{"code":')), cut)),
          one
        )
        assert.deepInclude(error, {
          _tag: "Unavailable",
          reason: "Network",
          detail: "ECONNRESET",
          processed: "unknown",
          status: 200
        })
        assert.strictEqual(
          error.message,
          `The response of nomba.test (options.environment) was cut off (${one.operation}, HTTP 200): ECONNRESET.`
        )
      }
    })
  )

  it.effect("slow on a 200: Unavailable, when the attempt's time is over", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(
        answeredBy(
          streaming(200, () => Stream.concat(Stream.make(bytes('{"code":')), Stream.never)),
          named("issue")
        )
      )
      yield* TestClock.adjust("9999 millis")
      assert.isNull(yield* Fiber.poll(fiber).pipe(Effect.map((exit) => (exit._tag === "None" ? null : exit))))
      yield* TestClock.adjust("1 millis")
      assert.deepInclude(yield* fiber, { _tag: "Unavailable", reason: "Timeout", processed: "unknown", status: 200 })
    })
  )

  it.effect("too large on a 200: TooLarge, by its stated length or when the limit is passed", () =>
    Effect.gen(function* () {
      const stated = yield* answeredBy(
        streaming(200, () => Stream.die("it was read"), { "content-length": "1048577" }),
        named("issue")
      )
      assert.deepInclude(stated, { _tag: "UnexpectedResponse", reason: "TooLarge", status: 200 })
      let read = 0
      const endless = Stream.repeatEffect(
        Effect.sync(() => {
          read += 65_536
          return new Uint8Array(65_536).fill(32)
        })
      )
      const unstated = yield* answeredBy(
        streaming(200, () => endless),
        named("issue")
      )
      assert.deepInclude(unstated, { _tag: "UnexpectedResponse", reason: "TooLarge" })
      assert.isAtMost(read, 1_048_576 + 2 * 65_536)
    })
  )

  it.effect("1 MiB exactly is read", () =>
    Effect.gen(function* () {
      const head = '{"code":"01","x":"'
      const content = `${head}${"x".repeat(1_048_576 - head.length - 2)}"}`
      const error = yield* failing(named("issue"), () => text(200, content))
      assert.strictEqual(error._tag, "InvalidCredentials")
    })
  )

  for (const [what, body] of [
    ["slow", () => Stream.concat(Stream.make(half), Stream.never)],
    ["cut off", (cut: Chunks) => Stream.concat(Stream.make(half), cut)]
  ] as const) {
    it.effect(`${what} on an error status: the status decides, with what arrived in time`, () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(answeredBy(streaming(400, body), named("issue")))
        yield* TestClock.adjust("10 seconds")
        assert.deepInclude(yield* fiber, { _tag: "InvalidRequest", status: 400, code: "400", description: "known" })
      })
    )
  }

  it.effect("one that cannot be cancelled delays the failure by the time-out at most", () =>
    Effect.gen(function* () {
      const stuck = () => new Response(new ReadableStream({ cancel: () => new Promise(() => {}) }), { status: 401 })
      const fiber = yield* Effect.fork(failing(named("refresh"), stuck))
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(yield* fiber, { _tag: "Expired", status: 401 })
    })
  )

  it.effect("huge on an error status: the status decides", () =>
    Effect.gen(function* () {
      const stated = streaming(401, () => Stream.die("it was read"), { "content-length": "200000000" })
      assert.deepInclude(yield* answeredBy(stated, named("refresh")), { _tag: "Expired", status: 401 })
      const endless = streaming(503, () => Stream.repeatValue(new Uint8Array(65_536).fill(32)))
      assert.deepInclude(yield* answeredBy(endless, named("refresh")), { _tag: "Unavailable", reason: "ServerError" })
    })
  )

  it.effect("a stream with a defect or an interruption counts as cut off", () =>
    Effect.gen(function* () {
      for (const body of [Stream.die(new Error("bug")), Stream.fromEffect(Effect.interrupt)]) {
        const error = yield* answeredBy(
          streaming(200, () => body),
          named("issue")
        )
        assert.deepInclude(error, { _tag: "Unavailable", reason: "Network", processed: "unknown" })
      }
    })
  )
})

describe("Unavailable names the host and where it is configured", () => {
  const production = { baseUrl: "https://api.nomba.com" }
  for (const [environment, changes, target, setting] of [
    ["https://api.nomba.com from NOMBA_ENVIRONMENT", production, "api.nomba.com", "NOMBA_ENVIRONMENT=production"],
    ["https://api.nomba.com from options.environment", production, "api.nomba.com", "options.environment=production"],
    ["https://api.nomba.com by default", production, "api.nomba.com", undefined],
    [
      "http://127.0.0.1:4010/x from NOMBA_BASE_URL",
      { baseUrl: "http://127.0.0.1:4010/x" },
      "127.0.0.1:4010",
      "NOMBA_BASE_URL"
    ]
  ] as const) {
    it.effect(environment, () =>
      Effect.gen(function* () {
        const origins = { ...config().origins, environment }
        const host = setting === undefined ? { target } : { target, setting }
        const over = (answer: (sent: Sent) => Answer) => failing(named("refresh"), answer, { ...changes, origins })
        for (const status of [408, 429, 500, 503]) {
          assert.deepInclude(yield* over(() => json(status, {})), { _tag: "Unavailable", ...host })
        }
        const unresolved = yield* over((sent) => unreachable(sent, Object.assign(new Error(), { code: "ENOTFOUND" })))
        assert.deepInclude(unresolved, host)
        const where = setting === undefined ? target : `${target} (${setting})`
        assert.strictEqual(unresolved.message, `Cannot resolve ${where}: ENOTFOUND.`)
        const fiber = yield* Effect.fork(over(() => Effect.never))
        yield* TestClock.adjust("10 seconds")
        const late = yield* fiber
        assert.deepInclude(late, { reason: "Timeout", ...host })
        assert.strictEqual(late.message, `${where} did not answer in time (refresh).`)
      })
    )
  }
})

describe("a missing account id", () => {
  const warnings = (changes: Parameters<typeof once>[1]) =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => logged.push(`${logLevel.label} ${message}`))
      yield* Effect.provide(
        once(
          fake(() => granted()),
          changes
        ),
        Logger.replace(Logger.defaultLogger, logger)
      )
      return logged
    })

  it.effect("is one warning for each client when the layer is first built, if the host is one of Nomba's", () =>
    Effect.gen(function* () {
      const accountId = Option.none()
      for (const host of ["api.nomba.com", "sandbox.nomba.com"]) {
        assert.deepStrictEqual(yield* warnings({ accountId, baseUrl: `https://${host}` }), [
          `WARN The account id is not set (NOMBA_ACCOUNT_ID or options.accountId). ${host} answers 401 to requests without it.`
        ])
        assert.deepStrictEqual(yield* warnings({ baseUrl: `https://${host}` }), [])
        assert.deepStrictEqual(
          yield* warnings({ accountId, baseUrl: `https://${host}` }),
          [],
          "the layer was built again"
        )
        assert.lengthOf(yield* warnings({ accountId, baseUrl: `https://${host}`, clientId: `another of ${host}` }), 1)
      }
      for (const host of ["notnomba.com", "nomba.com.evil.example", "localhost:4010"]) {
        assert.deepStrictEqual(yield* warnings({ accountId, baseUrl: `https://${host}` }), [])
      }
    })
  )
})

describe("a request without a response is Unavailable", () => {
  const code = (code: string, extra: object = {}) => Object.assign(new Error("secret in a message"), { code, ...extra })
  const fetchFailed = (cause: unknown) => new TypeError("fetch failed", { cause })
  const circular: { cause?: unknown; code?: string } = {}
  circular.cause = circular

  const table: ReadonlyArray<readonly [string, unknown, string | undefined, "no" | "unknown"]> = [
    ["refused", fetchFailed(code("ECONNREFUSED", { syscall: "connect" })), "ECONNREFUSED", "no"],
    [
      "refused on both addresses",
      fetchFailed(new AggregateError([code("ECONNREFUSED"), code("ECONNREFUSED")])),
      "ECONNREFUSED",
      "no"
    ],
    ["DNS", fetchFailed(code("ENOTFOUND", { syscall: "getaddrinfo" })), "ENOTFOUND", "no"],
    ["DNS for now", fetchFailed(code("EAI_AGAIN")), "EAI_AGAIN", "no"],
    ["no route", fetchFailed(code("EHOSTUNREACH")), "EHOSTUNREACH", "no"],
    ["no network", fetchFailed(code("ENETUNREACH")), "ENETUNREACH", "no"],
    ["connecting took too long", fetchFailed(code("UND_ERR_CONNECT_TIMEOUT")), "UND_ERR_CONNECT_TIMEOUT", "no"],
    ["the system's own time-out of connect", fetchFailed(code("ETIMEDOUT", { syscall: "connect" })), "ETIMEDOUT", "no"],
    ["a certificate that has expired", fetchFailed(code("CERT_HAS_EXPIRED")), "CERT_HAS_EXPIRED", "no"],
    [
      "a self-signed certificate",
      fetchFailed(code("DEPTH_ZERO_SELF_SIGNED_CERT")),
      "DEPTH_ZERO_SELF_SIGNED_CERT",
      "no"
    ],
    [
      "another host's certificate",
      fetchFailed(code("ERR_TLS_CERT_ALTNAME_INVALID")),
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "no"
    ],
    [
      "an unknown issuer",
      fetchFailed(code("UNABLE_TO_VERIFY_LEAF_SIGNATURE")),
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "no"
    ],
    ["no TLS there", fetchFailed(code("ERR_SSL_WRONG_VERSION_NUMBER")), "ERR_SSL_WRONG_VERSION_NUMBER", "no"],
    ["a reset", fetchFailed(code("ECONNRESET")), "ECONNRESET", "unknown"],
    ["a reset while reading", fetchFailed(code("ECONNRESET", { syscall: "read" })), "ECONNRESET", "unknown"],
    ["a route lost while reading", fetchFailed(code("EHOSTUNREACH", { syscall: "read" })), "EHOSTUNREACH", "unknown"],
    ["closed by the other side", fetchFailed(code("UND_ERR_SOCKET")), "UND_ERR_SOCKET", "unknown"],
    ["a broken pipe", fetchFailed(code("EPIPE")), "EPIPE", "unknown"],
    ["a time-out of no known phase", fetchFailed(code("ETIMEDOUT")), "ETIMEDOUT", "unknown"],
    [
      "one address refused, the other reset",
      fetchFailed(new AggregateError([code("ECONNREFUSED"), code("ECONNRESET")])),
      "ECONNREFUSED",
      "unknown"
    ],
    ["no code", new TypeError("Failed to fetch"), undefined, "unknown"],
    ["a code that is no system code", code("secret token"), undefined, "unknown"],
    ["a code in lower case", code("econnrefused"), undefined, "unknown"],
    ["a numeric code", { code: 20 }, undefined, "unknown"],
    ["a circular cause", circular, undefined, "unknown"],
    [
      "a cause that throws when it is looked at",
      Object.defineProperty({}, "code", { get: () => assert.fail() }),
      undefined,
      "unknown"
    ],
    ["nothing", undefined, undefined, "unknown"],
    ["a string", "ECONNREFUSED", undefined, "unknown"]
  ]
  for (const [index, [what, cause, detail, processed]] of table.entries()) {
    const one = operations[index % operations.length] ?? assert.fail()
    it.effect(`${what} on ${one.operation}: ${detail ?? "no detail"}, processed ${processed}`, () =>
      Effect.gen(function* () {
        const error = yield* failing(one, (sent) => unreachable(sent, cause))
        assert.deepInclude(error, { _tag: "Unavailable", reason: "Network", operation: one.operation, processed })
        assert.strictEqual("detail" in error ? error.detail : undefined, detail)
        assert.notInclude(error.message, "secret")
      })
    )
  }

  it.effect("but one that cannot be sent is an InvalidRequest", () =>
    Effect.gen(function* () {
      for (const reason of ["InvalidUrl", "Encode"] as const) {
        const error = yield* failing(named("issue"), ({ request }) =>
          Effect.fail(new HttpClientError.RequestError({ request, reason, cause: new Error("secret") }))
        )
        assert.strictEqual(error._tag, "InvalidRequest")
        assert.notProperty(error, "status")
        assert.notInclude(error.message, "secret")
      }
    })
  )

  it.effect("also if the HttpClient has a defect or is interrupted", () =>
    Effect.gen(function* () {
      const answers: ReadonlyArray<Answer> = [
        Effect.die(code("ECONNREFUSED")),
        Effect.sync((): Response => {
          throw new Error("bug")
        }),
        Effect.interrupt
      ]
      for (const answer of answers) {
        const error = yield* failing(named("refresh"), () => answer)
        assert.deepInclude(error, { _tag: "Unavailable", reason: "Network" })
      }
    })
  )

  it.effect("but not if the HttpClient made a failure of the status", () =>
    Effect.gen(function* () {
      const error = yield* failing(named("refresh"), () => json(401, { code: "401", description: "gone" }), {
        transformClient: HttpClient.filterStatusOk
      })
      assert.deepInclude(error, { _tag: "Expired", status: 401, description: "gone" })
    })
  )

  it.effect("with Timeout if no headers come in time, processed unknown", () =>
    Effect.gen(function* () {
      for (const one of operations) {
        const fiber = yield* Effect.fork(failing(one, () => Effect.never))
        yield* TestClock.adjust("10 seconds")
        assert.deepInclude(yield* fiber, { _tag: "Unavailable", reason: "Timeout", processed: "unknown" })
      }
    })
  )

  it.effect("with Timeout if headers and body together take too long", () =>
    Effect.gen(function* () {
      const slow = () =>
        Effect.delay(
          Effect.sync(() => new Response(new ReadableStream({ start: () => {} }))),
          "7 seconds"
        )
      const fiber = yield* Effect.fork(failing(named("issue"), slow))
      yield* TestClock.adjust("7 seconds")
      yield* TestClock.adjust("2999 millis")
      assert.isTrue((yield* Fiber.poll(fiber))._tag === "None")
      yield* TestClock.adjust("1 millis")
      assert.deepInclude(yield* fiber, { _tag: "Unavailable", reason: "Timeout", status: 200 })
    })
  )

  it.effect("with Timeout also inside an uninterruptible region, where an interruption does not end the request", () =>
    Effect.gen(function* () {
      const auth = yield* once(fake(() => Effect.never))
      const stuck = yield* Effect.fork(Effect.uninterruptible(Effect.flip(auth.issue)))
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(yield* stuck, { reason: "Timeout" })

      let finished = false
      const slow = fake(() =>
        Effect.delay(
          Effect.sync(() => {
            finished = true
            return granted()
          }),
          "5 seconds"
        )
      )
      const fiber = yield* Effect.fork(Effect.uninterruptible((yield* once(slow)).issue))
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.interruptFork(fiber)
      yield* TestClock.adjust("4 seconds")
      yield* Fiber.await(fiber)
      assert.isTrue(finished)
    })
  )

  it.effect("an interrupted caller does not wait for an uninterruptible HttpClient", () =>
    Effect.gen(function* () {
      const auth = yield* once(fake(() => Effect.uninterruptible(Effect.never)))
      const fiber = yield* Effect.fork(auth.issue)
      yield* TestClock.adjust("1 seconds")
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(exit._tag === "Failure")
      const timedOut = yield* Effect.fork(Effect.flip(auth.issue))
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(yield* timedOut, { reason: "Timeout" })
    })
  )
})
