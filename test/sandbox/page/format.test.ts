import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Sandbox } from "nomba-auth/sandbox"
import {
  duration,
  faultText,
  roundDuration,
  sentence,
  shortId,
  statusText
} from "../../../src/sandbox/page/assets/format.js"
import type { Fault, Request } from "../../../src/sandbox/page/ViewTypes.js"
import { balance, bearer, credentials, issue, login, refresh, revoke } from "../support.js"

const request: Request = {
  id: 1,
  at: "2031-05-06T07:08:09.000Z",
  method: "POST",
  path: "/v1/auth/token/refresh",
  operation: "refresh",
  status: 200,
  outcome: "succeeded",
  took: 3
}

/** What the page says of the requests that a sandbox logged, the oldest first. */
const told = Effect.gen(function* () {
  const { requests } = yield* (yield* Sandbox).view
  return requests.map((one) => sentence({ ...one, at: "" })).reverse()
})

const sandboxed = <A, E>(effect: Effect.Effect<A, E, Sandbox>) => Effect.provide(effect, Sandbox.layer())

describe("sentence", () => {
  it.effect("describes the outcome of each operation", () =>
    Effect.gen(function* () {
      const first = yield* login
      const { json } = yield* refresh(first.refresh)
      yield* balance(bearer(json.data.access_token))
      yield* revoke(json.data.access_token)
      assert.deepStrictEqual(yield* told, [
        "new session",
        "session refreshed, new tokens",
        "GET /v1/accounts/balance: token accepted",
        "session revoked"
      ])
    }).pipe(sandboxed)
  )

  it("describes a login", () => {
    const page: Request = { ...request, operation: "authorize", method: "GET", path: "/v1/auth/authorize" }
    const answer: Request = { ...page, method: "POST", status: 303 }
    assert.strictEqual(sentence(page), "login page shown")
    assert.strictEqual(sentence(answer), "the user approved")
    const no: Request = { ...answer, outcome: "refused", why: "the user denied the request" }
    assert.strictEqual(sentence(no), "rejected, the user denied the request")
  })

  it.effect("says why a request was rejected", () =>
    Effect.gen(function* () {
      const first = yield* login
      yield* refresh(first.refresh)
      yield* refresh(first.refresh)
      yield* balance(bearer(first.access))
      yield* balance({})
      yield* issue({ ...credentials, client_secret: "not that" })
      yield* issue("{")
      const replaced = yield* login
      const revoked = yield* login
      yield* refresh(replaced.refresh)
      yield* revoke(revoked.access)
      yield* refresh(revoked.refresh)
      const { requests } = yield* (yield* Sandbox).view
      const refusals = requests
        .filter(({ outcome }) => outcome === "refused")
        .map((one) => sentence({ ...one, at: "" }))
      assert.deepStrictEqual(refusals.reverse(), [
        "rejected, the refresh token was used before; it works once",
        "GET /v1/accounts/balance: rejected, the token is replaced or revoked",
        "GET /v1/accounts/balance: rejected, the Authorization header is missing",
        "rejected, the client secret is not that of this client_id",
        "rejected, the body is not JSON",
        "rejected, a newer session of the client replaced its session",
        "rejected, its session was revoked"
      ])
    }).pipe(sandboxed)
  )

  it.effect("names the fault that applied", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      const faults = [
        { answer: { status: 503 } },
        { answer: "invalidBody" },
        { answer: "connectionReset", processed: true },
        { answer: "truncated" }
      ] as const
      for (const one of faults) {
        yield* fault("issue", one)
        yield* Effect.exit(issue())
      }
      assert.deepStrictEqual(yield* told, [
        "fault: status 503",
        "fault: body is not JSON",
        "fault: connection reset, after it was processed",
        "fault: truncated response, after it was processed"
      ])
    }).pipe(sandboxed)
  )

  it("describes late responses and clients that disconnect", () => {
    assert.strictEqual(
      sentence({ ...request, why: "fault: 400 ms late" }),
      "session refreshed, new tokens, fault: 400 ms late"
    )
    assert.strictEqual(
      sentence({
        ...request,
        outcome: "faulted",
        status: "dropped",
        why: "the client disconnected before the response"
      }),
      "the client disconnected before the response"
    )
    assert.strictEqual(statusText("dropped"), "no response")
    assert.strictEqual(statusText(200), "200")
  })

  it("names method and path of an unknown request", () => {
    const stray: Request = { ...request, method: "GET", path: "/favicon.ico", operation: "other", outcome: "refused" }
    assert.strictEqual(sentence(stray), "GET /favicon.ico: rejected")
  })
})

describe("faultText", () => {
  const now = Date.parse("2031-05-06T07:08:09.000Z")
  const cases: ReadonlyArray<readonly [fault: Fault, said: string]> = [
    [{ left: 1, answer: { status: 503 }, processed: false }, "issue: status 503, for 1 request"],
    [
      { left: 3, answer: { status: 502 }, processed: true },
      "issue: status 502 instead of the response, for 3 requests"
    ],
    [{ left: "always", answer: "connectionReset", processed: false }, "issue: connection reset, until cleared"],
    [
      { left: "always", answer: "connectionReset", processed: true, until: "2031-05-06T07:09:14.000Z" },
      "issue: response lost, for 1 min 5 s"
    ],
    [
      { left: 2, latency: 1500, answer: "truncated", processed: true, until: "2031-05-06T07:08:10.000Z" },
      "issue: truncated response, 1.5 s late, for 2 requests, for 1 s"
    ]
  ]
  for (const [fault, said] of cases) {
    it(`says "${said}"`, () => {
      assert.strictEqual(faultText("issue", fault, now), said)
    })
  }
})

describe("duration", () => {
  it("is more exact the shorter it is", () => {
    assert.strictEqual(duration(-5), "0 s")
    assert.strictEqual(duration(59_999), "59 s")
    assert.strictEqual(duration(60_000), "1 min 0 s")
    assert.strictEqual(duration(3_599_999), "59 min 59 s")
    assert.strictEqual(duration(86_399_999), "23 h 59 min")
    assert.strictEqual(duration(90_000_000), "1 d 1 h")
    assert.strictEqual(roundDuration(600_000), "10 min")
    assert.strictEqual(roundDuration(605_000), "10 min 5 s")
  })
})

describe("shortId", () => {
  it("cuts long ids", () => {
    assert.strictEqual(shortId("tour"), "tour")
    assert.strictEqual(shortId("5e2c7ab5-dc95-431e-97bd-85319087245a"), "5e2c7ab5…")
  })
})
