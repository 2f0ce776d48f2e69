import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Sandbox } from "nomba-auth/sandbox"
import { answered, ordered, round, sentence, shortly, span } from "../../../src/sandbox/page/assets/format.js"
import type { Fault, Request } from "../../../src/sandbox/page/ViewTypes.js"
import { balance, bearer, credentials, issue, login, refresh, revoke } from "../support.js"

const request: Request = {
  id: 1,
  at: "2031-05-06T07:08:09.000Z",
  method: "POST",
  path: "/v1/auth/token/refresh",
  endpoint: "refresh",
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

describe("a row of the log", () => {
  it.effect("says what became of each operation", () =>
    Effect.gen(function* () {
      const first = yield* login
      const { json } = yield* refresh(first.refresh)
      yield* balance(bearer(json.data.access_token))
      yield* revoke(json.data.access_token)
      assert.deepStrictEqual(yield* told, [
        "a new session began",
        "the session goes on with new tokens",
        "the token is good",
        "the session is over"
      ])
    }).pipe(sandboxed)
  )

  it("says what became of a person's login", () => {
    const page: Request = { ...request, endpoint: "authorize", method: "GET", path: "/v1/auth/authorize" }
    const answer: Request = { ...page, method: "POST", status: 303 }
    assert.strictEqual(sentence(page), "a person is asked")
    assert.strictEqual(sentence(answer), "the person said yes")
    const no: Request = { ...answer, outcome: "refused", why: "the person said no" }
    assert.strictEqual(sentence(no), "refused, the person said no")
  })

  it.effect("says in words why a request was refused", () =>
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
        "refused, the refresh token was used before; it works once",
        "refused, the token is replaced or revoked",
        "refused, the Authorization header is missing",
        "refused, the client secret is not that of this client_id",
        "refused, the body is not JSON",
        "refused, a newer session of the client replaced its session",
        "refused, its session was revoked"
      ])
    }).pipe(sandboxed)
  )

  it.effect("says which fault a request met", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      const faults = [
        { answer: { status: 503 } },
        { answer: "garbage" },
        { answer: "drop", processed: true },
        { answer: "cut" }
      ] as const
      for (const one of faults) {
        yield* fault("issue", one)
        yield* Effect.exit(issue())
      }
      assert.deepStrictEqual(yield* told, [
        "met a fault, as ordered: status 503",
        "met a fault, as ordered: garbage, not JSON",
        "met a fault, as ordered: the connection breaks, after it was processed",
        "met a fault, as ordered: half an answer, after it was processed"
      ])
    }).pipe(sandboxed)
  )

  it("says that an answer was late, and that a caller did not wait for it", () => {
    assert.strictEqual(
      sentence({ ...request, why: "fault: 400 ms late" }),
      "the session goes on with new tokens, as ordered: 400 ms late"
    )
    assert.strictEqual(
      sentence({ ...request, outcome: "faulted", status: "dropped", why: "the caller left before the answer" }),
      "the caller left before the answer"
    )
    assert.strictEqual(answered("dropped"), "no answer")
    assert.strictEqual(answered(200), "200")
  })

  it("says what was asked for where there is no such thing", () => {
    const stray: Request = { ...request, method: "GET", path: "/favicon.ico", endpoint: "other", outcome: "refused" }
    assert.strictEqual(sentence(stray), "GET /favicon.ico: refused")
  })
})

describe("a fault that waits", () => {
  const now = Date.parse("2031-05-06T07:08:09.000Z")
  const cases: ReadonlyArray<readonly [fault: Fault, said: string]> = [
    [{ left: 1, answer: { status: 503 }, processed: false }, "issue: status 503, for 1 request"],
    [{ left: 3, answer: { status: 502 }, processed: true }, "issue: status 502 in place of the answer, for 3 requests"],
    [{ left: "always", answer: "drop", processed: false }, "issue: the connection breaks, until called off"],
    [
      { left: "always", answer: "drop", processed: true, until: "2031-05-06T07:09:14.000Z" },
      "issue: the answer gets lost, for 1 min 5 s"
    ],
    [
      { left: 2, latency: 1500, answer: "cut", processed: true, until: "2031-05-06T07:08:10.000Z" },
      "issue: half an answer, 1.5 s late, for 2 requests, for 1 s"
    ]
  ]
  for (const [fault, said] of cases) {
    it(`is told as "${said}"`, () => {
      assert.strictEqual(ordered("issue", fault, now), said)
    })
  }
})

describe("a length of time", () => {
  it("is as exact as it is short", () => {
    assert.strictEqual(span(-5), "0 s")
    assert.strictEqual(span(59_999), "59 s")
    assert.strictEqual(span(60_000), "1 min 0 s")
    assert.strictEqual(span(3_599_999), "59 min 59 s")
    assert.strictEqual(span(86_399_999), "23 h 59 min")
    assert.strictEqual(span(90_000_000), "1 d 1 h")
    assert.strictEqual(round(600_000), "10 min")
    assert.strictEqual(round(605_000), "10 min 5 s")
  })
})

describe("a client id", () => {
  it("is cut where it is long", () => {
    assert.strictEqual(shortly("tour"), "tour")
    assert.strictEqual(shortly("5e2c7ab5-dc95-431e-97bd-85319087245a"), "5e2c7ab5…")
  })
})
