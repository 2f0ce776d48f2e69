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
  UnexpectedResponse,
  withHint,
  withRetryAfter
} from "../../src/schemas/AuthError.js"

const origins = {
  clientId: "NOMBA_CLIENT_ID",
  clientSecret: "NOMBA_PRIVATE_KEY",
  accountId: "not set",
  environment: "options.environment"
}

describe("the messages", () => {
  for (const [error, message] of [
    [
      new InvalidRequest({ operation: "refresh", errors: ["refreshToken: is empty"] }),
      "The refresh call was not sent: refreshToken: is empty."
    ],
    [
      new InvalidRequest({ operation: "issue", status: 400, code: "17", description: "bad", errors: ["a", "b"] }),
      'Nomba refused the issue call (HTTP 400, code 17, "bad"): a; b.'
    ],
    [
      new InvalidCredentials({ operation: "issue", status: 401, origins }),
      "Nomba refused the credentials on issue (HTTP 401). Check the client id (NOMBA_CLIENT_ID), the client secret (NOMBA_PRIVATE_KEY), the account id (not set) and the environment (options.environment)."
    ],
    [
      new InvalidCredentials({ operation: "refresh", status: 403 }),
      "Nomba refused the credentials on refresh (HTTP 403). Check the client id, the client secret, the account id and the environment."
    ],
    [
      new Expired({ operation: "refresh", status: 401 }),
      "Nomba refused the refresh token as invalid or expired (HTTP 401)."
    ],
    [
      new Expired({ operation: "exchange", status: 401 }),
      "Nomba refused the authorization code as invalid or expired (HTTP 401)."
    ],
    [new Expired({ operation: "revoke", status: 401 }), "Nomba refused the access token on revoke (HTTP 401)."],
    [new Expired({ operation: "store" }), "There is no session: a person has to log in."],
    [
      new Unavailable({
        operation: "issue",
        reason: "Network",
        detail: "ECONNREFUSED",
        retryAfter: Duration.millis(1240)
      }),
      "Nomba could not be reached (issue) [ECONNREFUSED]. Try again after 1.3 s."
    ],
    [
      new UnexpectedResponse({
        operation: "issue",
        status: 200,
        reason: "NoUsableToken",
        issues: ["data.access_token: missing"],
        requestId: "r-1"
      }),
      "Unexpected answer (issue, HTTP 200): a success without a usable access token: data.access_token: missing. Request id: r-1."
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

  it("are one line under 500 characters, whatever is in them", () => {
    fc.assert(
      fc.property(arbitrary, (error) => {
        assert.isBelow(error.message.length, 500)
        assert.notMatch(error.message, /[\p{Cc}\p{Zl}\p{Zp}]/u)
      })
    )
  })

  it("keep their advice and their wait beside a description of any length", () => {
    const error = new Unavailable({
      operation: "issue",
      reason: "RateLimited",
      description: "x".repeat(5000),
      hint: "Do this.",
      retryAfter: Duration.seconds(5)
    })
    assert.match(error.message, /Do this\. Try again after 5 s\.$/)
  })

  it("come back from what they are encoded to", () => {
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

  it("with another wait, or with advice, is the same otherwise", () => {
    const patient = withRetryAfter(error, Duration.seconds(5))
    assert.instanceOf(patient, Unavailable)
    assert.deepStrictEqual(patient.retryAfter, Duration.seconds(5))
    assert.deepStrictEqual(
      { ...withHint(patient, "Wait."), hint: undefined, retryAfter: undefined },
      {
        ...error,
        hint: undefined,
        retryAfter: undefined
      }
    )
    assert.isTrue(Equal.equals(withRetryAfter(patient, Duration.seconds(5)), patient))
  })
})
