/** A failure that Nomba stated to one process is respected by all, until a commit clears it. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { AuthError } from "../../schemas/AuthError.js"
import type { RenewalHeldBack, SessionStore, SharedFailure } from "../../services/TokenStore.js"
import {
  adoptAny,
  adoptNone,
  type ContractBroken,
  down,
  ensure,
  failsWith,
  freshKey,
  type Harness,
  holds,
  makeObtain,
  none,
  put,
  renew,
  same,
  sameSession,
  scenario,
  sessionOf,
  some
} from "./harness.js"
import { loseLease } from "./loseLease.js"
import type { ContractCase } from "./Options.js"

const MINUTE = Duration.minutes(1)

const failureOf = (count: number, wait: Duration.Duration = MINUTE): SharedFailure => ({
  reason: "ServerError",
  status: Option.some(503),
  wait,
  count
})

/** Fails a renewal and leaves the failure behind. */
const fail = (store: SessionStore, failure: SharedFailure) =>
  Effect.gen(function* () {
    const { obtain } = yield* makeObtain(sessionOf("never"), { afterGate: () => Effect.fail(down) })
    yield* failsWith(
      renew(store, adoptNone, obtain, { share: () => Option.some(failure) }),
      "Unavailable",
      "the renewal that failed"
    )
  })

const isHeldBack = (
  renewal: Effect.Effect<unknown, AuthError | RenewalHeldBack>,
  who: string
): Effect.Effect<SharedFailure, ContractBroken> =>
  Effect.gen(function* () {
    const error = yield* failsWith(renewal, "RenewalHeldBack", who)
    if (error._tag !== "RenewalHeldBack") return yield* Effect.die(error)
    const { failure } = error
    yield* same(failure.reason, "ServerError", `the reason that ${who} gets`)
    yield* same(failure.status, Option.some(503), `the status that ${who} gets`)
    yield* ensure(Duration.lessThanOrEqualTo(failure.wait, MINUTE), `${who} waits longer than was left`)
    yield* ensure(Duration.greaterThan(failure.wait, Duration.seconds(30)), `${who} does not wait`)
    return failure
  })

export const sharedFailure = (harness: Harness): ReadonlyArray<ContractCase> => {
  const two = Effect.gen(function* () {
    const key = yield* freshKey()
    return { key, a: yield* harness.holder(key), b: yield* harness.holder(key) }
  })

  return [
    scenario(
      "holds back a waiter and a newcomer while the wait of a shared failure runs",
      Effect.gen(function* () {
        const { a, b, key } = yield* two
        const failing = yield* makeObtain(sessionOf("never"), { gated: true, afterGate: () => Effect.fail(down) })
        const first = yield* Effect.fork(renew(a, adoptAny, failing.obtain, { share: () => Option.some(failureOf(1)) }))
        yield* failing.arrived
        const next = yield* makeObtain(sessionOf("next"))
        const waiter = yield* Effect.fork(renew(b, adoptAny, next.obtain))
        yield* harness.settle
        yield* failing.open
        yield* failsWith(Fiber.join(first), "Unavailable", "the renewal that failed")
        yield* isHeldBack(Fiber.join(waiter), "a waiter")
        yield* isHeldBack(renew(yield* harness.holder(key), adoptAny, next.obtain), "a newcomer")
        yield* isHeldBack(renew(a, adoptAny, next.obtain), "the process that failed")
        yield* same(next.runs(), 0, "renewals while the wait runs")
        const state = yield* b.readVersioned
        yield* same((yield* some(state.failure, "the failure that is read")).count, 1, "the count that is read")
        yield* same(state.isLeased, false, "whether the lease is held after the failure")
      })
    ),

    scenario(
      "shows the next renewal the last failure after its wait, and a commit clears it",
      Effect.gen(function* () {
        const { a, b } = yield* two
        yield* fail(a, failureOf(3, Duration.seconds(1)))
        yield* harness.pass("2 seconds")
        yield* none((yield* b.readVersioned).failure, "a failure whose wait is over")
        let previous: Option.Option<SharedFailure> = Option.none()
        const next = yield* makeObtain(sessionOf("next"), {
          beforeGate: (lease) => Effect.sync(() => (previous = lease.failure))
        })
        yield* renew(b, adoptAny, next.obtain)
        yield* same((yield* some(previous, "the failure that the lease shows")).count, 3, "its count")
        const last = yield* makeObtain(sessionOf("last"), {
          beforeGate: (lease) => Effect.sync(() => (previous = lease.failure))
        })
        yield* renew(a, adoptNone, last.obtain)
        yield* none(previous, "a failure that a commit cleared")
      }),
      "2 seconds"
    ),

    scenario(
      "clears a shared failure whose wait runs with a commit that it does not hold back",
      Effect.gen(function* () {
        const { a, b } = yield* two
        yield* fail(a, failureOf(1))
        const login = yield* makeObtain(sessionOf("login"))
        yield* renew(b, adoptNone, login.obtain, { ignoreSharedFailure: true })
        yield* none((yield* a.readVersioned).failure, "a failure that a commit cleared")
        yield* put(a, sessionOf("next"))
      })
    ),

    scenario(
      "adopts a session although a shared failure is running",
      Effect.gen(function* () {
        const { a, b } = yield* two
        yield* put(a, sessionOf("held"))
        yield* fail(a, failureOf(1))
        const other = yield* makeObtain(sessionOf("other"))
        const adopted = yield* renew(b, adoptAny, other.obtain)
        yield* sameSession(adopted.session, sessionOf("held"), "what the other process gets")
        yield* isHeldBack(renew(b, adoptNone, other.obtain), "a process that cannot adopt")
      })
    ),

    scenario(
      "takes no failure from a process that lost its lease",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.frail(key)
        const b = yield* harness.holder(key)
        const late = yield* makeObtain(sessionOf("never"), { gated: true, afterGate: () => Effect.fail(down) })
        const fiber = yield* loseLease(a, 0, late, { share: () => Option.some(failureOf(1)) })
        yield* put(b, sessionOf("renewed"))
        yield* late.open
        yield* failsWith(Fiber.join(fiber), "Unavailable", "the renewal that failed")
        yield* none((yield* b.readVersioned).failure, "the failure of a process without the lease")
        yield* holds(b, sessionOf("renewed"))
      }),
      harness.lapse
    )
  ]
}
