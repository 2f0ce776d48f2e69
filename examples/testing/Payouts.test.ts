import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, TestClock } from "effect"
import { InvalidCredentials } from "nomba-auth"
import { NombaTest } from "nomba-auth/testing"
import { Payouts } from "./Payouts.js"

const transfers = "/v2/transfers/bank"
const lookup = "/v1/transactions/accounts/single"
const paid = { code: "200", description: "SUCCESS", data: { id: "p-1", status: "SUCCESS" } }

const services = Layer.provideMerge(Payouts.layer, NombaTest.layer({ answers: { [transfers]: { body: paid } } }))
const send = Effect.flatMap(Payouts, (payouts) =>
  payouts.send({
    merchantTxRef: "r-1",
    amount: 100,
    accountNumber: "0123456789",
    accountName: "Ada Obi",
    bankCode: "058"
  })
)
const find = Effect.flatMap(Payouts, (payouts) => payouts.find("r-1"))

it.effect("a transfer that Nomba answers with the code 200 is paid, and carries its reference", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    assert.deepStrictEqual(yield* send, { id: "p-1", state: "paid" })
    assert.propertyVal(JSON.parse((yield* test.requests)[0]?.body ?? ""), "merchantTxRef", "r-1")
  }).pipe(Effect.provide(services))
)

it.effect("a transfer whose outcome Nomba does not know yet is pending, and not sent again", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    const data = { id: "p-1", status: "PENDING_BILLING" }
    yield* test.answer(transfers, { status: 201, body: { code: "201", status: false, data } })
    assert.deepStrictEqual(yield* send, { id: "p-1", state: "pending" })
    assert.deepInclude(yield* test.calls, { request: 1 })
  }).pipe(Effect.provide(services))
)

it.effect("a refusal is a refusal, whether the status, the code or the description says so", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    for (const answer of [
      { status: 422, body: { code: "422", description: "Insufficient funds" } },
      { body: { code: "400", status: false, message: "No such account" } },
      { body: { ...paid, description: "INSUFFICIENT_BALANCE" } },
      { body: { ...paid, data: { id: "p-1", status: "PAYMENT_FAILED" } } }
    ]) {
      yield* test.answer(transfers, answer)
      assert.strictEqual((yield* Effect.flip(send))._tag, "PayoutRefused")
    }
  }).pipe(Effect.provide(services))
)

it.effect("every other response leaves the payout uncertain, and sends it once", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    for (const answer of [
      "connectionReset",
      { status: 502 },
      { status: 303, headers: { location: "/v1/transfers" } },
      { body: { code: "503", description: "Try again" } },
      { body: { code: "200", description: "SUCCESS" } },
      { body: { ...paid, data: { id: "p-1", status: "A_NEW_ONE" } } }
    ] as const) {
      yield* test.answer(transfers, answer)
      const before = (yield* test.calls).request
      assert.strictEqual((yield* Effect.flip(send))._tag, "PayoutUncertain")
      assert.strictEqual((yield* test.calls).request, before + 1)
    }
  }).pipe(Effect.provide(services))
)

it.effect("an uncertain payout is looked up by its reference", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* test.answer(transfers, "connectionReset")
    assert.strictEqual((yield* Effect.flip(send))._tag, "PayoutUncertain")
    yield* test.answer(lookup, { body: { code: "00", data: { id: "p-1", status: "SUCCESS" } } })
    assert.deepStrictEqual(yield* find, { id: "p-1", state: "paid" })
    assert.include((yield* test.requests)[1]?.url, "merchantTxRef=r-1")
    yield* test.answer(lookup, { status: 404 })
    assert.strictEqual((yield* Effect.flip(find))._tag, "PayoutUncertain")
  }).pipe(Effect.provide(services))
)

it.effect("is sent again with the same body if another program has ended the session", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* send
    yield* test.login
    assert.strictEqual((yield* send).state, "paid")
    const [, rejected, replayed] = yield* test.requests
    assert.deepStrictEqual(replayed, rejected)
    assert.deepInclude(yield* test.calls, { issue: 2, request: 3 })
  }).pipe(Effect.provide(services))
)

it.effect("is not sent without a token", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* test.fail("issue", new InvalidCredentials({ operation: "issue", status: 401 }))
    assert.strictEqual((yield* Effect.flip(send))._tag, "PayoutNotSent")
    assert.deepInclude(yield* test.calls, { request: 0 })
  }).pipe(Effect.provide(services))
)

it.effect("is uncertain after 20 seconds without a response", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* send
    yield* test.delay("1 minute")
    const waiting = yield* Effect.fork(Effect.flip(send))
    yield* TestClock.adjust("20 seconds")
    assert.strictEqual((yield* Fiber.join(waiting))._tag, "PayoutUncertain")
  }).pipe(Effect.provide(services))
)
