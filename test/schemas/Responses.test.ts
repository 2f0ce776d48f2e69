import { assert, describe, it } from "@effect/vitest"
import { Duration, Either, FastCheck as fc, Option, Redacted } from "effect"
import * as Responses from "../../src/schemas/Responses.js"

const exchange: Responses.ResponseFacts = { sentAt: Date.UTC(2025, 7, 13, 12), date: Option.none(), secrets: [] }

const decode = (data: unknown, changes: Partial<Responses.ResponseFacts> = {}) =>
  Responses.decodeSession({ code: "00", data }, { ...exchange, ...changes })

const decoded = (data: unknown, changes?: Partial<Responses.ResponseFacts>): Responses.DecodedSession =>
  Either.getOrThrowWith(decode(data, changes), (refused) => new Error(refused.issues.join()))

const unusable = (data: unknown, changes?: Partial<Responses.ResponseFacts>): Responses.UnusableResponse =>
  Either.getOrThrowWith(Either.flip(decode(data, changes)), () => new Error("decoded"))

describe("a session decoded from a token response", () => {
  it("needs nothing but an access token", () => {
    const { session, warnings } = decoded({ access_token: "t" })
    assert.strictEqual(Redacted.value(session.accessToken), "t")
    assert.deepStrictEqual(session.refreshToken, Option.none())
    assert.deepStrictEqual(session.lifetime, Duration.minutes(30))
    assert.strictEqual(session.tokenType, "Bearer")
    assert.deepStrictEqual(session.businessId, Option.none())
    assert.deepStrictEqual(warnings, [])
  })

  for (const absent of [undefined, null, ""]) {
    it(`${JSON.stringify(absent)} means absent, without a warning`, () => {
      const { session, warnings } = decoded({
        access_token: "t",
        refresh_token: absent,
        token_type: absent,
        businessId: absent,
        expires_in: absent,
        expiresAt: absent
      })
      assert.deepStrictEqual(session.lifetime, Duration.minutes(30))
      assert.deepStrictEqual(session.refreshToken, Option.none())
      assert.deepStrictEqual(warnings, [])
    })
  }

  for (const [path, value, kind] of [
    ["expires_in", "soon", "string"],
    ["expires_in", "1e3", "string"],
    ["expires_in", "0x10", "string"],
    ["expires_in", true, "boolean"],
    ["expires_in", {}, "object"],
    ["expiresAt", [2025, 8, 13, 15, 30], "array"],
    ["expiresAt", "tomorrow", "string"],
    ["expiresAt", 1755099000, "number"],
    ["expiresAt", false, "boolean"],
    ["refresh_token", 7, "number"],
    ["refresh_token", "  ", "string"],
    ["refresh_token", "x".repeat(16_385), "string"],
    ["token_type", [], "array"],
    ["token_type", "two\nlines", "string"],
    ["businessId", 12, "number"],
    ["businessId", "x".repeat(101), "string"]
  ] as const) {
    it(`data.${path} that is ${JSON.stringify(value).slice(0, 30)} is skipped with a warning that does not show it`, () => {
      const { session, warnings } = decoded({ access_token: "t", [path]: value })
      assert.deepStrictEqual(warnings, [`data.${path}: malformed ${kind}`])
      assert.deepStrictEqual(session.lifetime, Duration.minutes(30))
    })
  }

  for (const [value, seconds] of [
    [3600, 3600],
    ["3600", 3600],
    [" 60 ", 60],
    [0.5, 0.5],
    ["1.5", 1.5],
    [1e300, 86_400],
    [86_401, 86_400]
  ] as const) {
    it(`expires_in ${JSON.stringify(value)} is ${seconds} s`, () => {
      assert.strictEqual(
        Duration.toSeconds(decoded({ access_token: "t", expires_in: value }).session.lifetime),
        seconds
      )
    })
  }

  it("takes the soonest expiry of those that are stated", () => {
    const { session } = decoded(
      { access_token: "t", expires_in: 3600, expiresAt: "2025-08-13T12:20:00Z" },
      { date: Option.some(Date.UTC(2025, 7, 13, 12)) }
    )
    assert.deepStrictEqual(session.lifetime, Duration.minutes(20))
  })

  it("is accepted although the code is malformed", () => {
    const { warnings } = Either.getOrThrow(Responses.decodeSession({ code: {}, data: { access_token: "t" } }, exchange))
    assert.deepStrictEqual(warnings, ["code: malformed object"])
  })

  it("may have tokens of 16 KiB each", () => {
    const { session, warnings } = decoded({ access_token: "a".repeat(16_384), refresh_token: "r".repeat(16_384) })
    assert.lengthOf(Redacted.value(session.accessToken), 16_384)
    assert.isTrue(Option.isSome(session.refreshToken))
    assert.deepStrictEqual(warnings, [])
  })

  it("has no field that contains a secret of the request", () => {
    const { session, warnings } = decoded(
      {
        access_token: "the-token",
        refresh_token: "the-refresh",
        token_type: "a the-secret",
        businessId: "the-refresh"
      },
      { secrets: [Redacted.make("the-secret")] }
    )
    assert.strictEqual(session.tokenType, "Bearer")
    assert.deepStrictEqual(session.businessId, Option.none())
    assert.deepStrictEqual(warnings, ["data.token_type: malformed string", "data.businessId: malformed string"])
  })

  it("is read from own members only", () => {
    const data = Object.create({ access_token: "inherited" })
    assert.deepStrictEqual(unusable(data).issues, ["data.access_token: missing"])
    assert.deepStrictEqual(unusable(JSON.parse('{"__proto__":{"access_token":"t"}}')).reason, "NoUsableToken")
  })
})

describe("a token response without a usable token", () => {
  for (const body of [
    undefined,
    null,
    7,
    "text",
    [],
    {},
    { data: null },
    { data: [] },
    { data: "t" },
    { access_token: "t" }
  ]) {
    it(JSON.stringify(body) ?? "undefined", () => {
      const result = Responses.decodeSession(body, exchange)
      const tokens = { accessToken: Option.none(), refreshToken: Option.none() }
      assert.deepStrictEqual(
        result,
        Either.left({ reason: "NoUsableToken", issues: ["data.access_token: missing"], tokens })
      )
    })
  }

  it("names what is wrong with the token and does not show it", () => {
    for (const [token, problem] of [
      [["t"], "array in place of a string"],
      [true, "boolean in place of a string"],
      ["line\nbreak", "has characters that a header cannot carry"],
      ["tökén", "has characters that a header cannot carry"],
      ["with space", "has characters that a header cannot carry"],
      ["x".repeat(16_385), "longer than 16384 characters"]
    ] as const) {
      assert.deepStrictEqual(unusable({ access_token: token }).issues, [`data.access_token: ${problem}`])
    }
  })

  it("names both clocks and the skipped members if the token has already expired", () => {
    const expired = unusable({ access_token: "t", expires_in: 0, expiresAt: "junk" })
    assert.deepStrictEqual(expired, {
      reason: "AlreadyExpired",
      issues: [
        "Nomba's clock: not stated",
        "this machine's clock: 2025-08-13T12:00:00.000Z",
        "data.expiresAt: malformed string"
      ],
      tokens: { accessToken: Option.some(Redacted.make("t")), refreshToken: Option.none() }
    })
    const told = unusable({ access_token: "t", expires_in: -5 }, { date: Option.some(0) })
    assert.strictEqual(told.issues[0], "Nomba's clock: 1970-01-01T00:00:00.000Z")
  })
})

describe("the refresh token of a token response without a usable session", () => {
  for (const [what, data] of [
    ["no access token", { refresh_token: "r" }],
    ["an expired one", { access_token: "t", expires_in: 0, refresh_token: "r" }]
  ] as const) {
    it(`is kept (${what})`, () => {
      assert.deepStrictEqual(unusable(data).tokens.refreshToken, Option.some(Redacted.make("r")))
      assert.deepStrictEqual(unusable({ ...data, refresh_token: 7 }).tokens.refreshToken, Option.none())
    })
  }
})

describe("a token response of any JSON", () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString())
  )
  const data = fc.record(
    {
      access_token: fc.oneof(fc.constant("t"), value),
      refresh_token: value,
      token_type: value,
      businessId: value,
      expires_in: value,
      expiresAt: value
    },
    { requiredKeys: [] }
  )
  const time = fc.option(fc.integer({ min: -1e13, max: 1e13 }), { nil: undefined }).map(Option.fromNullable)

  it("gives a session with a lifetime of more than nothing and at most a day, or a reason", () => {
    fc.assert(
      fc.property(fc.oneof(data, value), time, fc.integer({ min: 0, max: 1e13 }), (data, date, sentAt) => {
        const result = decode(data, { date, sentAt })
        if (Either.isRight(result)) {
          const lifetime = Duration.toMillis(result.right.session.lifetime)
          assert.isAbove(lifetime, 0)
          assert.isAtMost(lifetime, Duration.toMillis("1 day"))
        } else {
          assert.isNotEmpty(result.left.issues)
        }
      }),
      { numRuns: 1000 }
    )
    fc.assert(fc.property(fc.jsonValue(), (body) => Either.isEither(Responses.decodeSession(body, exchange))))
  })

  it("gives issues and warnings that contain no value", () => {
    const marker = "MARKER"
    const marked = value.map((value) => (typeof value === "string" ? `${marker}${value}` : [marker, value]))
    fc.assert(
      fc.property(marked, marked, marked, marked, (token, refresh, type, expiry) => {
        const result = decode({
          access_token: token,
          refresh_token: refresh,
          token_type: type,
          expiresAt: expiry,
          expires_in: type
        })
        const told = Either.match(result, { onLeft: ({ issues }) => issues, onRight: ({ warnings }) => warnings })
        assert.notInclude(told.join(), marker)
      })
    )
  })
})
