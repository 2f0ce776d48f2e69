import { assert, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { NombaClient } from "nomba-auth"
import { NombaTest } from "nomba-auth/testing"

it.effect("a token is renewed in the background before it expires", () =>
  Effect.gen(function* () {
    const nomba = yield* NombaClient
    const test = yield* NombaTest
    yield* nomba.get("/v1/accounts/balance")
    yield* TestClock.adjust("26 minutes") // of 30: the next call starts a renewal in the background
    yield* nomba.get("/v1/accounts/balance")
    yield* TestClock.adjust("1 second")
    assert.deepInclude(yield* test.calls, { issue: 1, refresh: 1, request: 2 })
  }).pipe(Effect.provide(NombaTest.layer({ lifetime: "30 minutes" })))
)

it.effect("a call succeeds after another program has logged in", () =>
  Effect.gen(function* () {
    const nomba = yield* NombaClient
    const test = yield* NombaTest
    yield* nomba.get("/v1/accounts/balance")
    yield* test.login
    const response = yield* nomba.get("/v1/accounts/balance")
    assert.strictEqual(response.status, 200)
  }).pipe(Effect.provide(NombaTest.layer()))
)
