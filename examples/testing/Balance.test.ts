import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, TestClock } from "effect"
import { InvalidCredentials, Unavailable } from "nomba-auth"
import { NombaTest } from "nomba-auth/testing"
import { Balance } from "./Balance.js"

const nomba = NombaTest.layer({
  answers: { "/v1/accounts/balance": { body: { code: "00", data: { amount: "1500.00" } } } }
})
const services = Layer.provideMerge(Balance.layer, nomba)

it.effect("answers the balance", () =>
  Effect.gen(function* () {
    const balance = yield* Balance
    assert.strictEqual(yield* balance.amount, "1500.00")
    const test = yield* NombaTest
    assert.deepInclude((yield* test.requests)[0], { method: "GET", url: "/v1/accounts/balance" })
  }).pipe(Effect.provide(services))
)

it.effect("asks for the configuration when Nomba refuses the credentials", () =>
  Effect.gen(function* () {
    const balance = yield* Balance
    const test = yield* NombaTest
    yield* test.fail("issue", new InvalidCredentials({ operation: "issue", status: 401 }))
    const error = yield* Effect.flip(balance.amount)
    assert.strictEqual(error._tag, "Misconfigured")
  }).pipe(Effect.provide(services))
)

it.effect("says that the balance is unknown while Nomba issues no token, and recovers", () =>
  Effect.gen(function* () {
    const balance = yield* Balance
    const test = yield* NombaTest
    yield* test.fail("issue", new Unavailable({ operation: "issue", reason: "ServerError", status: 503 }))
    const error = yield* Effect.flip(balance.amount)
    assert.strictEqual(error._tag, "BalanceUnknown")
    yield* TestClock.adjust("1 second") // until then the cache remembers the failure and sends no token request
    assert.strictEqual(yield* balance.amount, "1500.00")
    assert.deepInclude(yield* test.calls, { issue: 2, request: 1 })
  }).pipe(Effect.provide(services))
)

it.effect("says that the balance is unknown if the call itself fails", () =>
  Effect.gen(function* () {
    const balance = yield* Balance
    const test = yield* NombaTest
    yield* test.answer("/v1/accounts/balance", "connectionReset", { times: 1 })
    yield* test.answer("/v1/accounts/balance", { status: 503 }, { times: 1 })
    assert.strictEqual((yield* Effect.flip(balance.amount))._tag, "BalanceUnknown")
    assert.strictEqual((yield* Effect.flip(balance.amount))._tag, "BalanceUnknown")
    assert.strictEqual(yield* balance.amount, "1500.00")
  }).pipe(Effect.provide(services))
)

it.effect("does not take a response for a balance if its code says that the call failed", () =>
  Effect.gen(function* () {
    const balance = yield* Balance
    const test = yield* NombaTest
    const failed = (code: string) => ({ body: { code, message: "Sorry", data: { amount: "0.00" } } })
    yield* test.answer("/v1/accounts/balance", failed("503"), { times: 1 })
    assert.strictEqual((yield* Effect.flip(balance.amount))._tag, "BalanceUnknown")
    yield* test.answer("/v1/accounts/balance", failed("400"), { times: 1 })
    const exit = yield* Effect.exit(balance.amount)
    assert.isTrue(Exit.isFailure(exit) && Cause.isDie(exit.cause))
    assert.strictEqual(yield* balance.amount, "1500.00")
  }).pipe(Effect.provide(services))
)
