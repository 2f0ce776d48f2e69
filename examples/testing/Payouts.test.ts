import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule, TestClock } from "effect"
import { NombaTest } from "nomba-auth/testing"
import { Payouts } from "./Payouts.js"

const path = "/v1/transfers/bank"
const services = Layer.provideMerge(
  Payouts.layer,
  NombaTest.layer({ answers: { [path]: { body: { code: "00", data: { id: "p-1" } } } } })
)
const send = Effect.flatMap(Payouts, (payouts) =>
  payouts.send({ reference: "r-1", amount: "100.00", accountNumber: "0123456789" })
)

it.effect("says why Nomba refused", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* test.answer(path, { status: 422, body: { code: "05", description: "Insufficient funds" } })
    assert.deepInclude(yield* Effect.flip(send), { _tag: "PayoutRefused", why: "Insufficient funds" })
  }).pipe(Effect.provide(services))
)

it.effect("says so too where the answer is a 200 that is none", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* test.answer(path, { body: { code: "400", status: false, message: "No such account" } })
    assert.deepInclude(yield* Effect.flip(send), { _tag: "PayoutRefused", why: "No such account" })
  }).pipe(Effect.provide(services))
)

it.effect("is uncertain after any other answer that is no success", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    for (const answer of [
      { status: 303, headers: { location: "/v1/transfers" } },
      { body: { code: "503", description: "Try again", data: { id: "p-1" } } },
      { body: { description: "Success", data: { id: "p-1" } } }
    ]) {
      yield* test.answer(path, answer)
      assert.strictEqual((yield* Effect.flip(send))._tag, "PayoutUncertain")
    }
    assert.deepInclude(yield* test.calls, { request: 3 })
  }).pipe(Effect.provide(services))
)

it.effect("can be asked again with the same reference", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* test.answer(path, { status: 502 }, { times: 1 })
    yield* test.answer(path, "drop", { times: 1 })
    assert.strictEqual(yield* Effect.retry(send, Schedule.recurs(2)), "p-1")
    const references = (yield* test.requests).map(({ headers }) => headers["idempotency-key"])
    assert.deepStrictEqual(references, ["r-1", "r-1", "r-1"])
  }).pipe(Effect.provide(services))
)

it.effect("is sent once more, as it was, when somebody else has ended the session", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* send
    yield* test.login
    assert.strictEqual(yield* send, "p-1")
    const [, refused, replayed] = yield* test.requests
    assert.deepStrictEqual(replayed, refused)
    assert.deepInclude(yield* test.calls, { issue: 2, request: 3 })
  }).pipe(Effect.provide(services))
)

it.effect("does not wait for ever", () =>
  Effect.gen(function* () {
    const test = yield* NombaTest
    yield* send
    yield* test.delay("1 minute")
    const waiting = yield* Effect.fork(Effect.flip(send))
    yield* TestClock.adjust("20 seconds")
    assert.strictEqual((yield* Fiber.join(waiting))._tag, "PayoutUncertain")
  }).pipe(Effect.provide(services))
)
