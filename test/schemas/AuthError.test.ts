import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Equal, FastCheck as fc, Schema } from "effect"
import {
  AuthError,
  Expired,
  InvalidCredentials,
  InvalidRequest,
  Unavailable,
  UnavailableReason,
  UnexpectedReason,
  UnexpectedResponse
} from "../../src/schemas/AuthError.js"
import {
  healsByWaiting,
  isTransient,
  secondTryMayHelp,
  wasNotProcessed,
  withHint,
  withRetryAfter
} from "../../src/schemas/ErrorMeaning.js"

const origins = {
  clientId: "NOMBA_CLIENT_ID",
  clientSecret: "NOMBA_PRIVATE_KEY",
  accountId: "not set",
  environment: "options.environment"
}

describe("AuthError.message", () => {
  for (const [error, message] of [
    [
      new InvalidRequest({ operation: "refresh", errors: ["refreshToken: is empty"] }),
      "The refresh request was not sent: refreshToken: is empty."
    ],
    [
      new InvalidRequest({ operation: "request", errors: ["the URL is outside NOMBA_BASE_URL"] }),
      "Request not sent: the URL is outside NOMBA_BASE_URL."
    ],
    [
      new InvalidRequest({ operation: "issue", status: 400, code: "17", description: "bad", errors: ["a", "b"] }),
      'Nomba rejected the issue request (HTTP 400, code 17, "bad"): a; b.'
    ],
    [
      new InvalidCredentials({ operation: "issue", status: 401, errors: ["no such client"], origins }),
      "Nomba rejected the credentials when requesting a token (HTTP 401): no such client. Likeliest cause: account id: not set. Check the client id (NOMBA_CLIENT_ID), the client secret (NOMBA_PRIVATE_KEY), the account id (not set) and the environment (options.environment)."
    ],
    [
      new InvalidCredentials({
        operation: "issue",
        status: 401,
        origins: { ...origins, accountId: "NOMBA_ACCOUNT_ID" }
      }),
      "Nomba rejected the credentials when requesting a token (HTTP 401). Check the client id (NOMBA_CLIENT_ID), the client secret (NOMBA_PRIVATE_KEY), the account id (NOMBA_ACCOUNT_ID) and the environment (options.environment)."
    ],
    [
      new InvalidCredentials({ operation: "refresh", status: 403 }),
      "Nomba denied access on refresh (HTTP 403). This machine's IP address may not be allowed, or the account id may be a sub-account's: it must be the parent's. Check the client id, the client secret, the account id and the environment."
    ],
    [
      new Expired({ operation: "refresh", status: 401 }),
      "Nomba rejected the refresh token as invalid or expired (HTTP 401)."
    ],
    [
      new Expired({ operation: "exchange", status: 401 }),
      "Nomba rejected the authorization code as invalid or expired (HTTP 401)."
    ],
    [new Expired({ operation: "revoke", status: 401 }), "Nomba rejected the access token on revoke (HTTP 401)."],
    [new Expired({ operation: "store" }), "There is no session: the user has to log in."],
    [
      new Unavailable({
        operation: "issue",
        reason: "Network",
        detail: "ENOTFOUND",
        target: "api.nomba.com",
        setting: "NOMBA_ENVIRONMENT=production",
        processed: "no"
      }),
      "Cannot resolve api.nomba.com (NOMBA_ENVIRONMENT=production): ENOTFOUND."
    ],
    [
      new Unavailable({
        operation: "issue",
        reason: "Network",
        detail: "ECONNREFUSED",
        processed: "no",
        retryAfter: Duration.millis(1240)
      }),
      "Cannot connect to Nomba: ECONNREFUSED. Try again after 1.3 s."
    ],
    [
      new Unavailable({ operation: "refresh", reason: "Network", detail: "ECONNRESET", target: "api.nomba.com" }),
      "The connection to api.nomba.com failed (refresh): ECONNRESET."
    ],
    [
      new Unavailable({ operation: "issue", reason: "Network", status: 200, detail: "ECONNRESET" }),
      "The response of Nomba was cut off (issue, HTTP 200): ECONNRESET."
    ],
    [
      new Unavailable({ operation: "issue", reason: "ServerError", status: 503, description: "down" }),
      'Nomba failed (issue, HTTP 503, "down").'
    ],
    [
      new Unavailable({
        operation: "store",
        reason: "Store",
        detail: "ECONNREFUSED",
        target: "Redis at cache:6379",
        setting: "NOMBA_TOKEN_STORE"
      }),
      "Cannot connect to Redis at cache:6379 (NOMBA_TOKEN_STORE): ECONNREFUSED."
    ],
    [
      new Unavailable({ operation: "store", reason: "Store", detail: "NOPERM", target: "Redis at cache:6379" }),
      "Redis at cache:6379 refused a command: NOPERM."
    ],
    [new Unavailable({ operation: "store", reason: "Store" }), "Cannot connect to the token store."],
    [
      new Unavailable({ operation: "refresh", reason: "SessionContested", retryAfter: Duration.seconds(4) }),
      "Nomba keeps rejecting new access tokens (refresh). Try again after 4 s."
    ],
    [
      new UnexpectedResponse({
        operation: "issue",
        status: 200,
        reason: "NoUsableToken",
        issues: ["data.access_token: missing"],
        requestId: "r-1"
      }),
      "Unexpected response (issue, HTTP 200): a success without a usable access token: data.access_token: missing. Request id: r-1."
    ]
  ] as const) {
    it(message, () => {
      assert.strictEqual(error.message, message)
      assert.include(String(error), message)
      assert.include(Cause.pretty(Cause.fail(error)), message)
    })
  }

  const text = fc.string({ unit: "binary", maxLength: 800 })
  const texts = fc.array(text, { maxLength: 5 })
  const arbitrary = fc
    .record({ text, texts, hint: text, retryAfter: fc.integer({ min: 0, max: 4e6 }), n: fc.nat(20) })
    .map(({ hint, n, retryAfter, text, texts }): AuthError => {
      const common = { operation: "issue", status: 400, hint, retryAfter: Duration.millis(retryAfter) } as const
      const answered = { ...common, code: text, description: text }
      const unavailable = UnavailableReason.literals[n % UnavailableReason.literals.length] ?? "Network"
      const unexpected = UnexpectedReason.literals[n % UnexpectedReason.literals.length] ?? "NotJson"
      switch (n % 5) {
        case 0:
          return new InvalidRequest({ ...answered, errors: texts })
        case 1:
          return new InvalidCredentials({
            ...answered,
            origins: { clientId: text, clientSecret: text, accountId: text, environment: text }
          })
        case 2:
          return new Expired(answered)
        case 3:
          return new Unavailable({ ...answered, reason: unavailable, detail: text })
        default:
          return new UnexpectedResponse({ ...common, reason: unexpected, issues: texts, requestId: text })
      }
    })

  it("is one line under 500 characters for any fields", () => {
    fc.assert(
      fc.property(arbitrary, (error) => {
        assert.isBelow(error.message.length, 500)
        assert.notMatch(error.message, /[\p{Cc}\p{Zl}\p{Zp}]/u)
      })
    )
  })

  it("keeps the advice and the wait beside a description of any length", () => {
    const error = new Unavailable({
      operation: "issue",
      reason: "RateLimited",
      description: "x".repeat(5000),
      hint: "Do this.",
      retryAfter: Duration.seconds(5)
    })
    assert.match(error.message, /Do this\. Try again after 5 s\.$/)
  })

  it("is the same after encoding and decoding", () => {
    fc.assert(
      fc.property(arbitrary, (error) => {
        const json = JSON.parse(JSON.stringify(Schema.encodeSync(AuthError)(error)))
        const decoded = Schema.decodeUnknownSync(AuthError)(json)
        assert.strictEqual(decoded._tag, error._tag)
        assert.strictEqual(decoded.message, error.message)
      })
    )
  })
})

/** The compiler asks for a line for each tag and each reason, and the tests below for each that the schemas have. */
describe("isRetryable, wasNotProcessed and the other guards", () => {
  const no = { isTransient: false, wasNotProcessed: false, healsByWaiting: false, secondTryMayHelp: false }
  const transient = { ...no, isTransient: true }
  const heals = { ...transient, healsByWaiting: true }

  const decisions = (error: AuthError) => ({
    isTransient: isTransient(error),
    wasNotProcessed: wasNotProcessed(error),
    healsByWaiting: healsByWaiting(error),
    secondTryMayHelp: secondTryMayHelp(error)
  })

  const tags: Record<AuthError["_tag"], readonly [AuthError, object]> = {
    InvalidRequest: [new InvalidRequest({ operation: "refresh", status: 400 }), no],
    InvalidCredentials: [new InvalidCredentials({ operation: "issue", status: 401 }), no],
    Expired: [new Expired({ operation: "refresh", status: 401 }), no],
    Unavailable: [new Unavailable({ operation: "issue", reason: "Network" }), heals],
    UnexpectedResponse: [new UnexpectedResponse({ operation: "issue", reason: "NotJson" }), no]
  }

  it("have an answer for each tag", () => {
    assert.sameMembers(
      Object.keys(tags),
      AuthError.members.map((member) => member._tag)
    )
    for (const [error, expected] of Object.values(tags)) assert.deepStrictEqual(decisions(error), expected, error._tag)
  })

  const reasons: Record<typeof UnavailableReason.Type, object> = {
    Network: heals,
    Timeout: heals,
    RateLimited: heals,
    ServerError: heals,
    SessionContested: heals,
    Secret: heals,
    Store: heals,
    StoreUnreadable: transient,
    StoreCodec: transient,
    Closed: transient
  }

  it("have an answer for each reason of Unavailable, and wasNotProcessed for what it says", () => {
    assert.sameMembers(Object.keys(reasons), [...UnavailableReason.literals])
    for (const reason of UnavailableReason.literals) {
      const error = new Unavailable({ operation: "store", reason })
      assert.deepStrictEqual(decisions(error), reasons[reason], reason)
      assert.isTrue(wasNotProcessed(new Unavailable({ ...error, processed: "no" })), reason)
    }
  })

  it("count a request that was not sent as not processed", () => {
    assert.isTrue(wasNotProcessed(new InvalidRequest({ operation: "refresh", errors: ["refreshToken: is empty"] })))
    assert.isFalse(wasNotProcessed(new InvalidRequest({ operation: "authorize", code: "invalid_scope" })))
  })

  it("know that no wait mends a Redis user's missing rights", () => {
    for (const detail of ["NOPERM", "WRONGPASS", "NOAUTH"]) {
      assert.isFalse(healsByWaiting(new Unavailable({ operation: "store", reason: "Store", detail })), detail)
    }
    assert.isTrue(healsByWaiting(new Unavailable({ operation: "store", reason: "Store", detail: "ECONNREFUSED" })))
  })

  it("know that a second try may help if a refresh brought a token that had expired", () => {
    for (const operation of ["refresh", "issue"] as const) {
      const error = new UnexpectedResponse({ operation, reason: "AlreadyExpired" })
      assert.strictEqual(secondTryMayHelp(error), operation === "refresh")
    }
  })
})

describe("an error", () => {
  const error = new Unavailable({ operation: "issue", reason: "Network", detail: "EPIPE" })

  it("holds what it was given and no more", () => {
    assert.deepStrictEqual(Object.keys(error).sort(), ["_tag", "detail", "operation", "processed", "reason"])
    assert.isUndefined(error.cause)
    assert.notInclude(inspect(error, { showHidden: true }), "[cause]")
  })

  it("may be processed unless it says otherwise", () => {
    assert.strictEqual(error.processed, "unknown")
  })

  it.effect("is caught by its tag", () =>
    Effect.gen(function* () {
      const failing: Effect.Effect<never, AuthError> = Effect.fail(error)
      assert.strictEqual(
        yield* Effect.catchTag(failing, "Unavailable", ({ reason }) => Effect.succeed(reason)),
        "Network"
      )
    })
  )

  it("changes nothing else if it gets another wait or a hint", () => {
    const waiting = withRetryAfter(error, Duration.seconds(5))
    assert.instanceOf(waiting, Unavailable)
    assert.deepStrictEqual(waiting.retryAfter, Duration.seconds(5))
    assert.deepStrictEqual(
      { ...withHint(waiting, "Wait."), hint: undefined, retryAfter: undefined },
      {
        ...error,
        hint: undefined,
        retryAfter: undefined
      }
    )
    assert.isTrue(Equal.equals(withRetryAfter(waiting, Duration.seconds(5)), waiting))
  })
})
