import { HttpClientRequest } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, TestClock } from "effect"
import { Expired, NombaAuth, NombaClient, PublicLogin, TokenCache } from "nomba-auth"
import { NombaTest } from "nomba-auth/testing"

const path = "/v1/accounts/balance"
const status = (url: string) =>
  NombaClient.pipe(
    Effect.flatMap((nomba) => nomba.get(url)),
    Effect.map((_) => _.status)
  )

it.effect("an answer with times is used up, and the earlier one comes again", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* test.answer(path, { status: 503 }, { times: 2 })
    yield* test.answer(path, { status: 429 }, { times: 1 })
    const statuses = yield* Effect.replicateEffect(status(path), 5)
    assert.deepStrictEqual(statuses, [503, 503, 429, 422, 422])
  }).pipe(Effect.provide(NombaTest.layer({ answers: { [path]: { status: 422 } } })))
)

it.effect("an answer without times replaces those with times", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* test.answer(path, { status: 503 }, { times: 2 })
    yield* test.answer(path, { status: 404 })
    assert.deepStrictEqual(yield* Effect.replicateEffect(status(path), 2), [404, 404])
  }).pipe(Effect.provide(NombaTest.layer()))
)

it.effect("an answer is kept for a call whose token is accepted", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* status(path)
    yield* test.answer(path, { status: 422 }, { times: 1 })
    yield* test.expire
    assert.strictEqual(yield* status(path), 422)
    assert.deepInclude(yield* test.calls, { request: 3 })
  }).pipe(Effect.provide(NombaTest.layer()))
)

it.effect("the answer of a path is for all of its queries that have none of their own", () =>
  Effect.gen(function* () {
    const statuses = yield* Effect.forEach([path, `${path}?a=1`, `${path}?a=2`, "/v1/other"], status)
    assert.deepStrictEqual(statuses, [404, 404, 410, 200])
  }).pipe(Effect.provide(NombaTest.layer({ answers: { [path]: { status: 404 }, [`${path}?a=2`]: { status: 410 } } })))
)

it.effect("after an answer with times for a query, the answer of its path comes again", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* test.answer(`${path}?a=1`, { status: 503 }, { times: 1 })
    assert.deepStrictEqual(yield* Effect.forEach([`${path}?a=1`, `${path}?a=1`], status), [503, 404])
  }).pipe(Effect.provide(NombaTest.layer({ answers: { [path]: { status: 404 } } })))
)

const sentAccounts = Effect.gen(function* () {
  yield* status(path)
  return (yield* (yield* NombaTest).requests).map(({ headers }) => headers["accountid"])
})

it.effect("calls send the account of the script, and none without one", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* Effect.provide(sentAccounts, NombaTest.layer({ accountId: "parent" })), ["parent"])
    assert.deepStrictEqual(yield* Effect.provide(sentAccounts, NombaTest.layer()), [undefined])
  })
)

it.effect("calls of an end user send the account of the script", () =>
  Effect.gen(function* () {
    const publicLogin = yield* PublicLogin
    yield* Effect.flatMap((yield* NombaTest).login, publicLogin.login)
    assert.deepStrictEqual(yield* sentAccounts, ["parent"])
  }).pipe(Effect.provide(NombaTest.layerPublic({ accountId: "parent" })))
)

it.effect("an account that a header cannot carry is a defect", () =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(Effect.provide(sentAccounts, NombaTest.layer({ accountId: "parent\n" })))
    assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
  })
)

it.effect("a connection that breaks fails the call with a transport error", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* test.answer(path, "connectionReset", { times: 1 })
    assert.deepInclude(yield* Effect.flip(status(path)), { _tag: "RequestError", reason: "Transport" })
    assert.strictEqual(yield* status(path), 200)
    assert.deepInclude(yield* test.calls, { request: 2 })
  }).pipe(Effect.provide(NombaTest.layer()))
)

it.effect("a call without an answer gets the built-in response of the sandbox", () =>
  Effect.gen(function* () {
    const nomba = yield* NombaClient
    const json = (path: string) => Effect.flatMap(nomba.get(path), (response) => response.json)
    assert.deepInclude(yield* json("/v1/accounts/balance"), {
      data: { amount: "250000.00", currency: "NGN", timeCreated: "1970-01-01T00:00:00.000Z" }
    })
    const body = { amount: 10, accountNumber: "1", accountName: "Ada", bankCode: "2", merchantTxRef: "t-1" }
    const transfer = HttpClientRequest.post("/v2/transfers/bank").pipe(HttpClientRequest.bodyUnsafeJson(body))
    const answers = yield* Effect.forEach([1, 2], () =>
      Effect.flatMap(nomba.execute(transfer), (response) => response.json)
    )
    assert.deepStrictEqual(answers[0], answers[1])
    assert.deepInclude(yield* json("/v1/accounts/balance"), {
      data: { amount: "249990.00", currency: "NGN", timeCreated: "1970-01-01T00:00:00.000Z" }
    })
    assert.deepStrictEqual(yield* json("/v1/elsewhere"), { code: "00", description: "Success", data: {} })
  }).pipe(Effect.provide(NombaTest.layer()))
)

it.effect("an answer with a status that allows no body has none", () =>
  Effect.gen(function* () {
    const nomba = yield* NombaClient
    const response = yield* nomba.get(path)
    assert.deepStrictEqual([response.status, yield* response.text], [204, ""])
  }).pipe(Effect.provide(NombaTest.layer({ answers: { [path]: { status: 204, body: { code: "00" } } } })))
)

it.effect("a token request that takes too long fails as it does over HTTP", () =>
  Effect.gen(function* () {
    const auth = yield* NombaAuth
    const test = yield* NombaTest
    yield* test.delay("9 seconds")
    const inTime = yield* Effect.fork(auth.issue)
    yield* TestClock.adjust("9 seconds")
    const { accessToken } = yield* Fiber.join(inTime)
    yield* test.delay("1 minute")
    const late = yield* Effect.fork(Effect.flip(auth.revoke(accessToken)))
    yield* TestClock.adjust("10 seconds")
    assert.deepInclude(yield* Fiber.join(late), { _tag: "Unavailable", operation: "revoke", reason: "Timeout" })
    assert.deepInclude(yield* test.calls, { issue: 1, revoke: 1 })
  }).pipe(Effect.provide(NombaTest.layer()))
)

it.effect("get fails with Timeout while Nomba does not answer", () =>
  Effect.gen(function* () {
    const cache = yield* TokenCache
    const test = yield* NombaTest
    yield* test.delay("1 minute")
    const waiting = yield* Effect.fork(Effect.flip(cache.get))
    yield* TestClock.adjust("10 seconds")
    assert.deepInclude(yield* Fiber.join(waiting), { _tag: "Unavailable", operation: "issue", reason: "Timeout" })
  }).pipe(Effect.provide(NombaTest.layer()))
)

/** The message of the defect with which the call ends. */
const defectOf = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(call), (exit) =>
    Exit.isFailure(exit) && Cause.isDie(exit.cause) ? Cause.pretty(exit.cause) : "nothing"
  )

it.effect("times must be a whole number, otherwise the call is a defect", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    const expired = new Expired({ operation: "refresh", status: 401 })
    for (const times of [Number.POSITIVE_INFINITY, Number.NaN, -1, 1.5, 10_001]) {
      const said = `times must be a whole number from 0 to 10000, not ${times}`
      assert.include(yield* defectOf(test.answer(path, { status: 503 }, { times })), said)
      assert.include(yield* defectOf(test.fail("refresh", expired, { times })), said)
    }
    yield* test.answer(path, { status: 503 }, { times: 0 })
    assert.strictEqual(yield* status(path), 200)
    yield* test.answer(path, { status: 503 }, { times: 10_000 })
    assert.strictEqual(yield* status(path), 503)
  }).pipe(Effect.provide(NombaTest.layer()))
)

const impossible = [
  [{ status: 700 }, "status is a whole number from 200 to 599, not 700"],
  [{ status: 199 }, "status is a whole number from 200 to 599, not 199"],
  [{ status: 200.5 }, "status is a whole number from 200 to 599, not 200.5"],
  [{ body: 1n }, "cannot be made"],
  [{ status: 204, headers: { "x-y": "a\nb" } }, "cannot be made"]
] as const

it.effect("an impossible answer is a defect, and the earlier one stays", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    for (const [answer, said] of impossible) {
      const defect = yield* defectOf(test.answer(path, answer))
      assert.include(defect, said)
      assert.include(defect, path)
    }
    for (const status of [200, 599]) yield* test.answer("/v1/other", { status })
    assert.strictEqual(yield* status(path), 404)
  }).pipe(Effect.provide(NombaTest.layer({ answers: { [path]: { status: 404 } } })))
)

it.effect("an impossible answer of the script is a defect when the layer is built", () =>
  Effect.gen(function* () {
    for (const [answer, said] of impossible) {
      const built = status(path).pipe(Effect.provide(NombaTest.layer({ answers: { [path]: answer } })))
      assert.include(yield* defectOf(built), said)
    }
  })
)
