import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
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

it.effect("says that the balance is unknown while Nomba is down", () =>
  Effect.gen(function* () {
    const balance = yield* Balance
    const test = yield* NombaTest
    yield* test.fail("issue", new Unavailable({ operation: "issue", reason: "ServerError", status: 503 }))
    const error = yield* Effect.flip(balance.amount)
    assert.strictEqual(error._tag, "BalanceUnknown")
  }).pipe(Effect.provide(services))
)
