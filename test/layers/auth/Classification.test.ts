import { Headers } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc, Option, Redacted } from "effect"
import * as Classification from "../../../src/layers/auth/Classification.js"
import type { Body } from "../../../src/layers/http/IncomingResponse.js"
import { config } from "../../support/config.js"
import { isQuick, runs } from "../../support/quick.js"
import { cpuMillis } from "../../support/work.js"

const rules = Classification.rulesOf(config())

const end = fc.constantFrom<Body["end"]>(
  { _tag: "Complete" },
  { _tag: "TooLarge" },
  { _tag: "TooSlow" },
  { _tag: "CutOff", detail: Option.none() }
)

const envelope = fc.record(
  {
    code: fc.oneof(fc.constantFrom("00", "0", "01", "02", "200", "401", "429", 0, 1, 400, 503), fc.jsonValue()),
    description: fc.oneof(fc.string({ unit: "binary", maxLength: 2000 }), fc.jsonValue()),
    message: fc.jsonValue(),
    errors: fc.oneof(fc.array(fc.string({ unit: "binary" }), { maxLength: 30 }), fc.jsonValue()),
    data: fc.jsonValue()
  },
  { requiredKeys: [] }
)

const answer: fc.Arbitrary<Classification.ReceivedResponse> = fc.record({
  status: fc.oneof(
    fc.constantFrom(200, 204, 302, 400, 401, 403, 404, 408, 422, 429, 500, 503),
    fc.integer({ min: 0, max: 999 })
  ),
  headers: fc
    .record({
      "retry-after": fc.string(),
      "x-rate-limit-window": fc.string(),
      "x-request-id": fc.string({ unit: "binary" }),
      "content-type": fc.constantFrom("application/json", "text/html"),
      date: fc.string()
    })
    .map(Headers.fromInput),
  body: fc.record({
    text: fc.oneof(
      envelope.map((body) => JSON.stringify(body)),
      fc.json(),
      fc.string()
    ),
    end
  }),
  secrets: fc
    .array(fc.string({ minLength: 1 }), { maxLength: 3 })
    .map((texts) => texts.map((text) => Redacted.make(text))),
  receivedAt: fc.integer({ min: 0, max: 1e13 })
})

describe.sequential("classify", () => {
  for (const rule of [rules.issue, rules.refresh, rules.revoke, rules.exchange]) {
    it(`gives a session or a typed error for any response to ${rule.operation}`, () => {
      fc.assert(
        fc.property(answer, (answer) => {
          const result = Classification.classify<{ readonly _tag: string; readonly message: string }>(answer, rule)
          if (Either.isRight(result)) {
            assert.isTrue(answer.status >= 200 && answer.status < 300)
            assert.strictEqual(answer.body.end._tag, "Complete")
          } else {
            assert.isBelow(result.left.message.length, 500)
            assert.notMatch(result.left.message, /[\p{Cc}\p{Zl}\p{Zp}]/u)
            if (rule.operation === "issue") assert.notStrictEqual(result.left._tag, "Expired")
          }
        }),
        runs(500)
      )
    })
  }

  it("decides by an error status alone, with any body", () => {
    fc.assert(
      fc.property(
        answer,
        end,
        fc.json(),
        fc.constantFrom(400, 404, 408, 422, 429, 500, 503),
        (answer, end, text, status) => {
          const meaning = (body: Body) =>
            Either.match(Classification.classify({ ...answer, status, body }, rules.refresh), {
              onLeft: (error) => [error._tag, error.retryAfter, "reason" in error && error.reason],
              onRight: () => []
            })
          assert.deepStrictEqual(meaning({ text, end }), meaning({ text: "", end: { _tag: "Complete" } }))
        }
      )
    )
  })
})

describe.sequential("classify takes little time for a hostile response of", () => {
  const secrets = ["q1/W2+e3R4t5Y6u7I8o9P0a1S2d3F4g5H6j7K8l9Z0=", "a refresh token"].map((text) => Redacted.make(text))
  const units = ["\\", "\\u0041", "&amp;", "%25", "eyJ", " ", "é", "x"]
  for (const unit of units) {
    it(JSON.stringify(unit), () => {
      const long = (size: number): string => unit.repeat(size / unit.length)
      const tokens = { access_token: long(100_000), refresh_token: long(100_000) }
      for (const body of [
        { errors: Array(20).fill(long(8000)) },
        { errors: Array(20).fill(long(8000)), data: { access_token: long(8000), refresh_token: long(8000) } },
        {
          code: long(200_000),
          description: long(200_000),
          errors: Array(20).fill(long(10_000)),
          ...tokens,
          data: tokens
        }
      ]) {
        const text = JSON.stringify(body)
        const headers = Headers.fromInput({ "x-request-id": long(16_000) })
        for (const status of isQuick ? [400] : [200, 302, 400]) {
          const answer: Classification.ReceivedResponse = {
            status,
            headers,
            body: { text, end: { _tag: "Complete" } },
            secrets,
            receivedAt: 0
          }
          const spent = cpuMillis(() => Classification.classify<unknown>(answer, rules.issue))
          assert.isBelow(spent, 1000)
        }
      }
    })
  }
})

describe.sequential("effectiveStatus", () => {
  for (const [status, code, expected] of [
    [200, "400", 400],
    [204, "422", 422],
    [200, "00", 200],
    [200, "999", 200],
    [200, undefined, 200],
    [400, "422", 400],
    [500, "400", 500],
    [undefined, "400", undefined]
  ] as const) {
    it(`${status} with code ${code} counts as ${expected}`, () => {
      assert.strictEqual(Classification.effectiveStatus({ status, code }), expected)
    })
  }
})
