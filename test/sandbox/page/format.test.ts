import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Sandbox } from "nomba-auth/sandbox"
import {
  causeOf,
  duration,
  faultText,
  roundDuration,
  sentence,
  shortId,
  statusText
} from "../../../src/sandbox/page/assets/format.js"
import type { Fault, Request } from "../../../src/sandbox/page/ViewTypes.js"
import { balance, bearer, credentials, issue, login, post, refresh, revoke, send } from "../support.js"

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

const exchange = {
  grant_type: "authorization_code",
  client_id: credentials.client_id,
  code: "another",
  code_verifier: "another",
  redirect_uri: "http://127.0.0.1/callback"
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
      yield* issue(exchange)
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
        "rejected, the authorization code is not from this sandbox, or was forgotten",
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

describe("causeOf", () => {
  /** The cause that each rejected request links to, the oldest first. */
  const linked = Effect.gen(function* () {
    const { requests } = yield* (yield* Sandbox).view
    const rejected = requests.map((one) => ({ ...one, at: "" })).filter(({ outcome }) => outcome === "refused")
    return rejected.map((one) => `${one.status} ${causeOf(one)?.id}`).reverse()
  })

  it.effect("finds the cause of every 401", () =>
    Effect.gen(function* () {
      const { configure, expire } = yield* Sandbox
      const replaced = yield* login
      const used = yield* login
      yield* balance(bearer(replaced.access))
      yield* refresh(replaced.refresh)
      yield* refresh(used.refresh)
      yield* refresh(used.refresh)
      const revoked = yield* login
      yield* revoke(revoked.access)
      yield* balance(bearer(revoked.access))
      yield* refresh(revoked.refresh)
      const expired = yield* login
      yield* expire("access")
      yield* expire("refresh")
      yield* balance(bearer(expired.access))
      yield* refresh(expired.refresh)
      yield* balance({})
      yield* balance({ authorization: "Basic eA==" })
      yield* balance(bearer("eA"))
      yield* refresh("never issued")
      yield* issue({ ...credentials, client_id: "another" })
      yield* issue({ ...credentials, client_secret: "another" })
      yield* issue(credentials, { accountId: "another" })
      yield* configure({ accountHeader: "required" })
      yield* issue()
      yield* configure({ accountHeader: "optional" })
      yield* issue(exchange)
      assert.deepStrictEqual(yield* linked, [
        "401 cause-replaced",
        "401 cause-replaced",
        "401 cause-used",
        "401 cause-replaced",
        "401 cause-replaced",
        "401 cause-expired",
        "401 cause-expired",
        "401 cause-missing",
        "401 cause-missing",
        "401 cause-other",
        "401 cause-other",
        "401 cause-credentials",
        "401 cause-credentials",
        "401 cause-account",
        "401 cause-account",
        "401 cause-code"
      ])
    }).pipe(sandboxed)
  )

  it.effect("finds none for a request that was rejected for something else", () =>
    Effect.gen(function* () {
      const { client, configure, url } = yield* Sandbox
      const { access } = yield* login
      yield* post("/v1/nothing", {}, bearer(access))
      yield* post("/v1/transfers/bank/lookup", { bankCode: "058" }, bearer(access))
      yield* send(client, `${url}/v1/auth/token/issue`, "GET")
      yield* configure({ callerAddress: "refused" })
      yield* issue()
      yield* configure({ rateLimit: "lowTraffic" })
      yield* post("/v1/transfers/bank/lookup", {}, bearer(access))
      yield* post("/v1/transfers/bank/lookup", {}, bearer(access))
      assert.deepStrictEqual(yield* linked, [
        "404 undefined",
        "400 undefined",
        "405 undefined",
        "403 undefined",
        "400 undefined",
        "429 undefined"
      ])
    }).pipe(sandboxed)
  )
})
