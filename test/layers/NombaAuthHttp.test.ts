import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Logger, Option, Redacted, TestClock } from "effect"
import { Unavailable } from "../../src/schemas/AuthError.js"
import type { NombaAuthService } from "../../src/services/NombaAuth.js"
import { accessToken, granted, once, refreshToken } from "../support/auth.js"
import { accountId, clientId, clientSecret } from "../support/config.js"
import { type Fake, fake, json, script, text } from "../support/http.js"
import { captureLogs } from "../support/logs.js"

const token = Redacted.make("the-old-access-token")
const single = (answer: () => Response): Fake => script(answer)

const jwt = (claims: object): string =>
  ["{}", JSON.stringify(claims), "s"].map((part) => Buffer.from(part).toString("base64url")).join(".")

describe("a token request", () => {
  const sentBy = (use: (auth: NombaAuthService) => Effect.Effect<unknown, unknown>, changes = {}) =>
    Effect.gen(function* () {
      const http = single(() => granted())
      yield* use(yield* once(http, changes))
      const [sent] = http.sent
      return sent ?? assert.fail("nothing was sent")
    })

  it.effect("of issue has the body of the spec and the account id", () =>
    Effect.gen(function* () {
      const sent = yield* sentBy((auth) => auth.issue)
      assert.strictEqual(sent.method, "POST")
      assert.strictEqual(sent.url, "https://nomba.test/v1/auth/token/issue")
      assert.deepStrictEqual(sent.json(), {
        grant_type: "client_credentials",
        client_id: clientId,
        client_secret: clientSecret
      })
      assert.strictEqual(sent.headers["accountid"], accountId)
      assert.strictEqual(sent.headers["content-type"], "application/json")
      assert.strictEqual(sent.headers["accept"], "application/json")
      assert.isUndefined(sent.headers["authorization"])
    })
  )

  it.effect("of refresh has the refresh token, and the old access token as the bearer", () =>
    Effect.gen(function* () {
      const sent = yield* sentBy((auth) => auth.refresh({ refreshToken: Redacted.make("r"), accessToken: token }))
      assert.strictEqual(sent.url, "https://nomba.test/v1/auth/token/refresh")
      assert.deepStrictEqual(sent.json(), { grant_type: "refresh_token", refresh_token: "r" })
      assert.strictEqual(sent.headers["authorization"], "Bearer the-old-access-token")
      assert.strictEqual(sent.headers["accountid"], accountId)
    })
  )

  it.effect("of refresh has no bearer if there is no access token", () =>
    Effect.gen(function* () {
      const sent = yield* sentBy((auth) => auth.refresh({ refreshToken: Redacted.make("r") }))
      assert.isUndefined(sent.headers["authorization"])
    })
  )

  it.effect("of revoke has one body for both dialects, and the token as its own bearer", () =>
    Effect.gen(function* () {
      const sent = yield* sentBy((auth) => auth.revoke(token))
      assert.strictEqual(sent.url, "https://nomba.test/v1/auth/token/revoke")
      assert.deepStrictEqual(sent.json(), {
        token: "the-old-access-token",
        clientId,
        access_token: "the-old-access-token"
      })
      assert.strictEqual(sent.headers["authorization"], "Bearer the-old-access-token")
      assert.strictEqual(sent.headers["accountid"], accountId)
    })
  )

  it.effect("of revoke has another bearer if one is given", () =>
    Effect.gen(function* () {
      const sent = yield* sentBy((auth) => auth.revoke(token, { bearer: Redacted.make("another") }))
      assert.strictEqual(sent.headers["authorization"], "Bearer another")
      assert.deepInclude(sent.json(), { token: "the-old-access-token" })
    })
  )

  it.effect("of exchange sends the authorization code to the issue endpoint", () =>
    Effect.gen(function* () {
      const sent = yield* sentBy((auth) =>
        auth.exchange({ code: Redacted.make("c"), verifier: Redacted.make("v"), redirectUri: "https://app.test/back" })
      )
      assert.strictEqual(sent.url, "https://nomba.test/v1/auth/token/issue")
      assert.deepStrictEqual(sent.json(), {
        grant_type: "authorization_code",
        client_id: clientId,
        code: "c",
        code_verifier: "v",
        redirect_uri: "https://app.test/back"
      })
      assert.strictEqual(sent.headers["accountid"], accountId)
    })
  )

  it.effect("has no account id header if there is no account id", () =>
    Effect.gen(function* () {
      const sent = yield* sentBy((auth) => auth.issue, { accountId: Option.none() })
      assert.notProperty(sent.headers, "accountid")
    })
  )

  it.effect("has no trace header, and no length: what sends the body states it", () =>
    Effect.gen(function* () {
      const sent = yield* sentBy((auth) => Effect.withSpan(auth.issue, "the caller's"))
      assert.deepStrictEqual(Object.keys(sent.headers).sort(), ["accept", "accountid", "content-type", "user-agent"])
    })
  )

  it.effect("of issue reads the client secret again each time", () =>
    Effect.gen(function* () {
      const http = fake(() => granted())
      let n = 0
      const auth = yield* once(http, { clientSecret: Effect.sync(() => Redacted.make(`secret-${++n}`)) })
      yield* auth.issue
      yield* auth.issue
      assert.deepStrictEqual(
        http.sent.map((sent) => (sent.json() as { client_secret: string }).client_secret),
        ["secret-1", "secret-2"]
      )
    })
  )
})

describe("the session of a token response", () => {
  const issued = (answer: () => Response) => Effect.flatMap(once(single(answer)), (auth) => auth.issue)

  it.effect("is read in the dialect of the spec", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_755_000_000_000)
      const session = yield* issued(() => granted())
      assert.strictEqual(Redacted.value(session.accessToken), accessToken)
      assert.deepStrictEqual(Option.map(session.refreshToken, Redacted.value), Option.some(refreshToken))
      assert.deepStrictEqual(session.lifetime, Duration.hours(1))
      assert.strictEqual(session.tokenType, "Bearer")
      assert.deepStrictEqual(session.businessId, Option.none())
      assert.strictEqual(session.clock, "local")
      assert.strictEqual(session.issuedAt.epochMillis, 1_755_000_000_000)
    })
  )

  it.effect("is read in the live dialect by the server's clock, whatever our clock says", () =>
    Effect.gen(function* () {
      const session = yield* issued(() =>
        json(
          200,
          {
            code: "00",
            description: "Success",
            data: { businessId: "b-1", access_token: "t", refresh_token: "r", expiresAt: "2025-08-13T15:30:00Z" }
          },
          { date: "Wed, 13 Aug 2025 15:00:00 GMT" }
        )
      )
      assert.deepStrictEqual(session.lifetime, Duration.minutes(30))
      assert.strictEqual(session.clock, "server")
      assert.strictEqual(session.expiresAt.toJSON(), "2025-08-13T15:30:00.000Z")
      assert.strictEqual(session.tokenType, "Bearer")
      assert.deepStrictEqual(session.businessId, Option.some("b-1"))
    })
  )

  it.effect("is not timed by the Date of a cached response", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2025, 7, 13, 15, 20))
      const session = yield* issued(() =>
        json(
          200,
          { data: { access_token: "t", expiresAt: "2025-08-13T15:30:00Z" } },
          { date: "Wed, 13 Aug 2025 15:00:00 GMT", age: "1200" }
        )
      )
      assert.deepStrictEqual(session.lifetime, Duration.minutes(10))
      assert.strictEqual(session.clock, "local")
    })
  )

  it.effect("has a lifetime from when the request was sent", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_755_000_000_000)
      const http = fake(() =>
        Effect.delay(
          Effect.sync(() => granted()),
          "4 seconds"
        )
      )
      const auth = yield* once(http)
      const fiber = yield* Effect.fork(auth.issue)
      yield* TestClock.adjust("4 seconds")
      const session = yield* fiber
      assert.strictEqual(session.issuedAt.epochMillis, 1_755_000_000_000)
      assert.strictEqual(yield* Clock.currentTimeMillis, 1_755_000_004_000)
    })
  )

  it.effect("has a lifetime that does not include the time for reading the secret", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_755_000_000_000)
      const auth = yield* once(
        single(() => granted()),
        {
          clientSecret: Effect.delay(Effect.succeed(Redacted.make("s")), "3 seconds")
        }
      )
      const fiber = yield* Effect.fork(auth.issue)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* fiber).issuedAt.epochMillis, 1_755_000_003_000)
    })
  )

  for (const [what, code] of [
    ["absent", undefined],
    ["00", "00"],
    ["0", "0"],
    ["the number 0", 0],
    ["200, an HTTP success", "200"],
    ["the number 201", 201],
    ["null", null]
  ] as const) {
    it.effect(`a code that is ${what} is a success`, () =>
      Effect.gen(function* () {
        const session = yield* issued(() => json(200, { code, status: false, data: { access_token: "t" } }))
        assert.strictEqual(Redacted.value(session.accessToken), "t")
        assert.deepStrictEqual(session.lifetime, Duration.minutes(30))
      })
    )
  }

  it.effect("is accepted with a malformed date, and one warning names its path and not its value", () =>
    Effect.gen(function* () {
      const messages: Array<unknown> = []
      const logger = Logger.make(({ logLevel, message }) => void messages.push(`${logLevel.label} ${message}`))
      const session = yield* issued(() =>
        granted({ expires_in: undefined, expiresAt: [2025, 8, 13, 15, 30], token_type: 7 })
      ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Effect.provide(Logger.add(logger)))
      assert.deepStrictEqual(session.lifetime, Duration.minutes(30))
      assert.deepStrictEqual(messages, [
        "WARN NombaAuth.issue: skipped data.token_type: malformed number, data.expiresAt: malformed array"
      ])
    })
  )

  it.effect(
    "causes one warning if only this machine's clock can measure its expiry, also in layers that are built anew",
    () =>
      Effect.gen(function* () {
        const logs = captureLogs()
        yield* TestClock.setTime(Date.UTC(2025, 7, 13, 15, 20))
        const granting = (headers: Record<string, string>) => () =>
          json(200, { code: "00", data: { access_token: "t", expiresAt: "2025-08-13T15:50:00Z" } }, headers)
        const answers = [granting({ date: "Wed, 13 Aug 2025 15:20:00 GMT" }), granting({}), granting({})]
        const warnings = () => logs.lines.filter((line) => line.includes("this machine's clock")).length
        yield* Effect.gen(function* () {
          const http = script(...answers)
          const counts: Array<number> = []
          for (const _ of answers) {
            yield* Effect.flatMap(once(http), ({ issue }) => issue)
            counts.push(warnings())
          }
          assert.deepStrictEqual(counts, [0, 1, 1])
        }).pipe(Effect.provide(logs.layer))
      })
  )

  it.effect("is read although the response has deeply nested JSON beside it", () =>
    Effect.gen(function* () {
      const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`
      const session = yield* issued(() => text(200, `{"junk":${deep},"data":{"access_token":"t"}}`))
      assert.strictEqual(Redacted.value(session.accessToken), "t")
    })
  )

  it.effect("is AlreadyExpired with both clocks if its lifetime is over when it arrives", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2025, 7, 13, 15, 20))
      const error = yield* Effect.flip(
        issued(() =>
          json(
            200,
            { data: { access_token: "t", expiresAt: "2025-08-13T15:30:00Z" } },
            { date: "Wed, 13 Aug 2025 16:00:00 GMT", "x-request-id": "req-1" }
          )
        )
      )
      assert.strictEqual(error._tag, "UnexpectedResponse")
      assert.deepInclude(error, {
        operation: "issue",
        status: 200,
        reason: "AlreadyExpired",
        issues: ["Nomba's clock: 2025-08-13T16:00:00.000Z", "this machine's clock: 2025-08-13T15:20:00.000Z"],
        requestId: "req-1"
      })
      assert.include(error.message, "2025-08-13T16:00:00.000Z")
      assert.include(error.message, "2025-08-13T15:20:00.000Z")
    })
  )

  it.effect("has no longer lifetime than the JWT", () =>
    Effect.gen(function* () {
      const session = yield* issued(() => granted({ access_token: jwt({ iat: 1_755_000_000, exp: 1_755_000_060 }) }))
      assert.deepStrictEqual(session.lifetime, Duration.minutes(1))
      assert.strictEqual(session.issuedAt.epochMillis, 1_755_000_000_000)
    })
  )

  for (const [data, issue] of [
    [undefined, "data.access_token: missing"],
    [{}, "data.access_token: missing"],
    [{ access_token: "" }, "data.access_token: missing"],
    [{ access_token: 42 }, "data.access_token: number in place of a string"],
    [{ access_token: "two words" }, "data.access_token: has characters that a header cannot carry"]
  ] as const) {
    it.effect(`is NoUsableToken if data is ${JSON.stringify(data)}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(issued(() => json(200, { code: "00", data })))
        assert.deepInclude(error, { reason: "NoUsableToken", issues: [issue], status: 200 })
      })
    )
  }

  it.effect("has no token type or business id that contains a secret", () =>
    Effect.gen(function* () {
      const session = yield* issued(() => granted({ token_type: `x ${clientSecret}`, businessId: accessToken }))
      assert.strictEqual(session.tokenType, "Bearer")
      assert.deepStrictEqual(session.businessId, Option.none())
    })
  )
})

describe("the client secret", () => {
  const issuedWith = (secret: Effect.Effect<Redacted.Redacted<string>, Unavailable>) => {
    const http = fake(() => granted())
    return Effect.map(
      Effect.flatMap(once(http, { clientSecret: secret }), (auth) => Effect.flip(auth.issue)),
      (error) => ({ error, sent: http.sent.length })
    )
  }

  for (const [what, secret, problem] of [
    ["empty", "", "is empty"],
    ["blank", " \t", "is empty"],
    ["followed by a line break", `${clientSecret}\n`, "has white space around it"],
    ["after a space", ` ${clientSecret}`, "has white space around it"],
    ["split by a control character", "a\u0000b", "has control or invisible characters"],
    ["a placeholder", "your_client_secret", "is a placeholder: put the real value there"]
  ] as const) {
    it.effect(`is an InvalidRequest by name, and nothing is sent, if it is ${what}`, () =>
      Effect.gen(function* () {
        const { error, sent } = yield* issuedWith(Effect.succeed(Redacted.make(secret)))
        assert.strictEqual(error._tag, "InvalidRequest")
        assert.deepInclude(error, { operation: "issue", errors: [`clientSecret (NOMBA_PRIVATE_KEY): ${problem}`] })
        assert.notProperty(error, "status")
        assert.strictEqual(sent, 0)
      })
    )
  }

  it.effect("makes issue fail with Unavailable and the source's wait if its source is down", () =>
    Effect.gen(function* () {
      const { error, sent } = yield* issuedWith(
        Effect.fail(
          new Unavailable({
            operation: "store",
            reason: "Network",
            detail: "ETIMEDOUT",
            retryAfter: Duration.seconds(7)
          })
        )
      )
      assert.deepInclude(error, { _tag: "Unavailable", operation: "issue", reason: "Secret", detail: "ETIMEDOUT" })
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(7))
      assert.strictEqual(sent, 0)
    })
  )

  it.effect("makes issue fail with Unavailable if its source has a defect or never answers", () =>
    Effect.gen(function* () {
      const died = yield* issuedWith(Effect.die(new Error("vault")))
      assert.deepInclude(died.error, { _tag: "Unavailable", operation: "issue", reason: "Secret", processed: "no" })
      const fiber = yield* Effect.fork(issuedWith(Effect.uninterruptible(Effect.never)))
      yield* TestClock.adjust("10 seconds")
      const slow = yield* fiber
      assert.deepInclude(slow.error, { _tag: "Unavailable", operation: "issue", reason: "Secret" })
    })
  )

  it.effect("is an InvalidRequest if it was wiped", () =>
    Effect.gen(function* () {
      const secret = Redacted.make("s")
      Redacted.unsafeWipe(secret)
      const { error } = yield* issuedWith(Effect.succeed(secret))
      assert.deepInclude(error, {
        _tag: "InvalidRequest",
        errors: ["clientSecret (NOMBA_PRIVATE_KEY): cannot be read"]
      })
    })
  )
})

describe("an invalid input is an InvalidRequest, and nothing is sent:", () => {
  const use = (run: (auth: NombaAuthService) => Effect.Effect<unknown, unknown>, changes = {}) =>
    Effect.gen(function* () {
      const http = fake(() => granted())
      const error = yield* Effect.flip(run(yield* once(http, changes)))
      assert.strictEqual(http.sent.length, 0)
      return error
    })
  const bad = Redacted.make("line\r\nbreak")
  const good = Redacted.make("good")
  const header = "has characters that a header cannot carry"
  const plain = "is not redacted: wrap it in Redacted.make"
  const redirectUri = "https://app.test"
  const untyped = (call: unknown) => call as (...inputs: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>

  const cases: ReadonlyArray<
    readonly [string, (auth: NombaAuthService) => Effect.Effect<unknown, unknown>, ReadonlyArray<string>]
  > = [
    ["refresh", (auth) => auth.refresh({ refreshToken: Redacted.make("") }), ["refreshToken: is empty"]],
    ["refresh", (auth) => auth.refresh({ refreshToken: good, accessToken: bad }), [`accessToken: ${header}`]],
    ["revoke", (auth) => auth.revoke(bad), [`accessToken: ${header}`]],
    ["revoke", (auth) => auth.revoke(Redacted.make("")), ["accessToken: is empty"]],
    ["revoke", (auth) => auth.revoke(Redacted.make("tökén"), { bearer: good }), [`accessToken: ${header}`]],
    ["revoke", (auth) => auth.revoke(good, { bearer: bad }), [`bearer: ${header}`]],
    [
      "exchange",
      (auth) => auth.exchange({ code: Redacted.make(" "), verifier: good, redirectUri }),
      ["code: is empty"]
    ],
    [
      "exchange",
      (auth) => auth.exchange({ code: good, verifier: Redacted.make(""), redirectUri }),
      ["verifier: is empty"]
    ],
    ["exchange", (auth) => auth.exchange({ code: good, verifier: good, redirectUri: "" }), ["redirectUri: is empty"]],
    ["refresh", (auth) => untyped(auth.refresh)(), ["refreshToken: is missing"]],
    ["refresh", (auth) => untyped(auth.refresh)(null), ["refreshToken: is missing"]],
    ["refresh", (auth) => untyped(auth.refresh)({ refreshToken: "break" }), [`refreshToken: ${plain}`]],
    [
      "refresh",
      (auth) => untyped(auth.refresh)({ refreshToken: good, accessToken: "break" }),
      [`accessToken: ${plain}`]
    ],
    ["revoke", (auth) => untyped(auth.revoke)(), ["accessToken: is missing"]],
    ["revoke", (auth) => untyped(auth.revoke)("break"), [`accessToken: ${plain}`]],
    ["revoke", (auth) => untyped(auth.revoke)(bad, null), [`accessToken: ${header}`]],
    ["revoke", (auth) => untyped(auth.revoke)(good, { bearer: "break" }), [`bearer: ${plain}`]],
    [
      "exchange",
      (auth) => untyped(auth.exchange)(),
      ["code: is missing", "verifier: is missing", "redirectUri: is missing"]
    ],
    ["exchange", (auth) => untyped(auth.exchange)({ code: "break", verifier: good, redirectUri }), [`code: ${plain}`]]
  ]
  for (const [operation, run, errors] of cases) {
    it.effect(`${operation}: ${errors.join(", ")}`, () =>
      Effect.gen(function* () {
        const error = yield* use(run)
        assert.deepInclude(error, { _tag: "InvalidRequest", operation, errors })
        assert.notProperty(error, "status")
        assert.notInclude(String(error), "break")
      })
    )
  }

  it.effect("a client secret that is not redacted, on issue only", () =>
    Effect.gen(function* () {
      const clientSecret = Effect.succeed("hunter2") as unknown as Effect.Effect<Redacted.Redacted>
      const error = yield* use((auth) => auth.issue, { clientSecret })
      assert.deepInclude(error, {
        _tag: "InvalidRequest",
        operation: "issue",
        errors: [`clientSecret (NOMBA_PRIVATE_KEY): ${plain}`]
      })
      yield* (yield* once(
        fake(() => granted()),
        { clientSecret }
      )).refresh({ refreshToken: good })
    })
  )

  it.effect("an account id that a header cannot carry", () =>
    Effect.gen(function* () {
      const error = yield* use((auth) => auth.issue, { accountId: Option.some("añb") })
      assert.deepInclude(error, { _tag: "InvalidRequest", errors: [`accountId: ${header}`] })
    })
  )
})

describe("revoke tries one body after another, and remembers the one that the server accepts", () => {
  const bodies = (http: Fake) => http.sent.map((sent) => Object.keys(sent.json() as object).join())
  const picky = (takes: string, status = 400): Fake =>
    fake((sent) =>
      Object.keys(sent.json() as object).join() === takes
        ? json(200, { code: "00" })
        : json(status, { code: String(status) })
    )

  it.effect("of a server that accepts only the member of the spec", () =>
    Effect.gen(function* () {
      const http = picky("token")
      const auth = yield* once(http)
      yield* auth.revoke(token)
      assert.deepStrictEqual(bodies(http), ["token,clientId,access_token", "token"])
      yield* auth.revoke(token)
      assert.deepStrictEqual(bodies(http).slice(2), ["token"])
    })
  )

  it.effect("of a server that accepts only the live members and answers 422", () =>
    Effect.gen(function* () {
      const http = picky("clientId,access_token", 422)
      const auth = yield* once(http)
      yield* auth.revoke(token)
      yield* auth.revoke(token)
      assert.deepStrictEqual(bodies(http), [
        "token,clientId,access_token",
        "token",
        "clientId,access_token",
        "clientId,access_token"
      ])
    })
  )

  it.effect("of a server that answers 200 with code 400", () =>
    Effect.gen(function* () {
      const http = script(
        () => json(200, { code: "400", status: false, message: "unknown member" }),
        () => json(200, { code: "00" })
      )
      yield* (yield* once(http)).revoke(token)
      assert.deepStrictEqual(bodies(http), ["token,clientId,access_token", "token"])
    })
  )

  it.effect("and fails with the last error and remembers nothing if none is accepted", () =>
    Effect.gen(function* () {
      const http = fake((_, n) => json(400, { code: "400", description: `refusal ${n}` }))
      const auth = yield* once(http)
      const error = yield* Effect.flip(auth.revoke(token))
      assert.deepInclude(error, { _tag: "InvalidRequest", status: 400, description: "refusal 3" })
      yield* Effect.flip(auth.revoke(token))
      assert.strictEqual(bodies(http)[3], "token,clientId,access_token")
    })
  )

  it.effect("one per call if a rate limit allows one request a minute", () =>
    Effect.gen(function* () {
      const limited = () => json(429, { code: "429" }, { "x-rate-limit-window": "60s" })
      const malformed = () => json(400, { code: "400" })
      const http = script(malformed, limited, malformed, limited, () => json(200, { code: "00" }))
      const auth = yield* once(http)
      assert.strictEqual((yield* Effect.flip(auth.revoke(token)))._tag, "Unavailable")
      assert.strictEqual((yield* Effect.flip(auth.revoke(token)))._tag, "Unavailable")
      yield* auth.revoke(token)
      assert.deepStrictEqual(bodies(http), [
        "token,clientId,access_token",
        "token",
        "token",
        "clientId,access_token",
        "clientId,access_token"
      ])
    })
  )

  it.effect("but not after a 404", () =>
    Effect.gen(function* () {
      const http = fake(() => json(404, {}))
      yield* Effect.flip((yield* once(http)).revoke(token))
      assert.strictEqual(http.sent.length, 1)
    })
  )

  it.effect("and accepts an empty 2xx", () =>
    Effect.gen(function* () {
      for (const answer of [() => text(204, null), () => text(200, ""), () => text(200, " \n")]) {
        yield* (yield* once(script(answer))).revoke(token)
      }
    })
  )
})
