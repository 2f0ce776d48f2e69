/** After any failure of a renewal the lease is free for the next holder, which sees whether a refresh was in flight. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { RENEWAL_LIMIT } from "../../layers/time.js"
import {
  adoptAny,
  adoptNone,
  down,
  ensure,
  failsWith,
  freshKey,
  type Harness,
  holds,
  makeObtain,
  newerThan,
  put,
  renew,
  same,
  sameSession,
  scenario,
  sessionOf,
  some
} from "./harness.js"
import type { ContractCase } from "./Options.js"

/** Ends a renewal after what was done so far. */
const endings = {
  fails: Effect.fail(down),
  "has a defect": Effect.die("a defect of the renewal"),
  "is interrupted": Effect.never
}

const failingRenewals = (harness: Harness): ReadonlyArray<ContractCase> =>
  Object.entries(endings).flatMap(([how, end]) => [
    scenario(
      `frees the lease at once, and without the flag, when a renewal ${how} before its call`,
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.holder(key)
        const b = yield* harness.holder(key)
        const { version } = yield* put(a, sessionOf("old"))
        const doomed = yield* makeObtain(sessionOf("never"), {
          gated: true,
          beforeGate: (lease) => lease.extend,
          afterGate: () => end
        })
        const next = yield* makeObtain(sessionOf("next"))
        const first = yield* Effect.fork(renew(a, adoptNone, doomed.obtain))
        yield* doomed.arrived
        const second = yield* Effect.fork(renew(b, newerThan(version), next.obtain))
        yield* harness.settle
        yield* same(next.runs(), 0, "renewals of one who waits for the lease")
        yield* doomed.open
        if (how === "is interrupted") yield* Fiber.interrupt(first)

        const stored = yield* Fiber.join(second)
        yield* sameSession(stored.session, sessionOf("next"), "what the next holder gets")
        const current = yield* some(next.current(), "the current session of the next renewal")
        yield* sameSession(current.session, sessionOf("old"), "the current session of the next renewal")
        yield* same(current.refreshInFlight, false, "a refresh-in-flight flag, although no refresh token was sent")
        const exit = yield* Fiber.await(first)
        if (how === "fails") yield* same(exit, Exit.fail(down), "the exit of the renewal that failed")
        else yield* ensure(Exit.isFailure(exit), "a renewal that failed was answered")
      })
    ),

    scenario(
      `leaves the refresh-in-flight flag for the next holder when a renewal ${how} after it began a refresh`,
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.holder(key)
        const b = yield* harness.holder(key)
        const { version } = yield* put(a, sessionOf("old"))
        const doomed = yield* makeObtain(sessionOf("never"), {
          gated: true,
          beforeGate: (lease) => lease.beginRefresh,
          afterGate: () => end
        })
        const first = yield* Effect.fork(renew(a, adoptNone, doomed.obtain))
        yield* doomed.arrived
        yield* same(
          (yield* holds(b, sessionOf("old"))).refreshInFlight,
          true,
          "the refresh-in-flight flag during the refresh"
        )
        yield* doomed.open
        yield* how === "is interrupted" ? Fiber.interrupt(first) : Fiber.await(first)

        yield* same(
          (yield* holds(b, sessionOf("old"))).refreshInFlight,
          true,
          "the refresh-in-flight flag of a holder that has ended"
        )
        const next = yield* makeObtain(sessionOf("next"))
        const stored = yield* renew(b, (_) => !_.refreshInFlight, next.obtain)
        const current = yield* some(next.current(), "the current session of the next renewal")
        yield* sameSession(current.session, sessionOf("old"), "the current session of the next renewal")
        yield* same(current.refreshInFlight, true, "the refresh-in-flight flag that the next renewal sees")
        yield* same(current.version, version, "the version of a session that was flagged as refresh in flight")
        yield* same(stored.refreshInFlight, false, "the refresh-in-flight flag of the session that replaced it")
        yield* same(
          (yield* holds(a, sessionOf("next"))).refreshInFlight,
          false,
          "the refresh-in-flight flag of the session that replaced it"
        )
      })
    )
  ])

export const renewalFailure = (harness: Harness): ReadonlyArray<ContractCase> => [
  ...failingRenewals(harness),

  scenario(
    "leaves no failure behind unless it is shared",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* harness.holder(key)
      const b = yield* harness.holder(key)
      const failing = yield* makeObtain(sessionOf("never"), { gated: true, afterGate: () => Effect.fail(down) })
      const first = yield* Effect.fork(renew(a, adoptAny, failing.obtain))
      yield* failing.arrived
      const next = yield* makeObtain(sessionOf("next"))
      const second = yield* Effect.fork(renew(b, adoptAny, next.obtain))
      yield* harness.settle
      yield* failing.open
      yield* failsWith(Fiber.join(first), "Unavailable", "a failing renewal")
      const stored = yield* Fiber.join(second)
      yield* sameSession(stored.session, sessionOf("next"), "what the other holder gets")
    })
  ),

  scenario(
    "takes the refresh-in-flight flag back when the request was not processed",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* harness.holder(key)
      yield* put(a, sessionOf("old"))
      const { obtain } = yield* makeObtain(sessionOf("never"), {
        beforeGate: (lease) => Effect.zipRight(lease.beginRefresh, lease.cancelRefresh),
        afterGate: () => Effect.fail(down)
      })
      yield* failsWith(renew(a, adoptNone, obtain), "Unavailable", "a failing renewal")
      yield* same(
        (yield* holds(yield* harness.holder(key), sessionOf("old"))).refreshInFlight,
        false,
        "the refresh-in-flight flag taken back"
      )
    })
  ),

  scenario(
    "keeps the lease for a renewal that takes longer than a lease",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* harness.holder(key)
      const b = yield* harness.holder(key)
      const slow = yield* makeObtain(sessionOf("slow"), { gated: true, afterGate: (lease) => lease.extend })
      const first = yield* Effect.fork(renew(a, adoptAny, slow.obtain))
      yield* slow.arrived
      const other = yield* makeObtain(sessionOf("other"))
      const second = yield* Effect.fork(renew(b, adoptAny, other.obtain))
      yield* harness.pass(Duration.times(harness.lease, 1.7))
      yield* same(other.runs(), 0, "renewals while another holds the lease")
      yield* slow.open
      yield* same((yield* Fiber.join(first)).saved, true, "saved, after more than a lease")
      yield* Fiber.join(second)
      yield* same(slow.runs(), 1, "calls of the slow obtain")
      yield* same(other.runs(), 0, "renewals of the one who waited")
    }),
    Duration.times(harness.lease, 1.7)
  ),

  scenario(
    "does not keep the lease for a renewal that never ends",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* harness.holder(key)
      const b = yield* harness.holder(key)
      const stuck = yield* makeObtain(sessionOf("never"), { gated: true })
      yield* Effect.fork(renew(a, adoptAny, stuck.obtain))
      yield* stuck.arrived
      const next = yield* makeObtain(sessionOf("next"))
      const second = yield* Effect.fork(renew(b, adoptAny, next.obtain))
      yield* harness.pass(Duration.sum(Duration.sum(RENEWAL_LIMIT, harness.lease), "1 second"))
      yield* ensure(next.runs() === 1, "no process took over from a renewal that never ends")
      const stored = yield* Fiber.join(second)
      yield* sameSession(stored.session, sessionOf("next"), "what the next holder gets")
    }),
    Duration.sum(Duration.sum(RENEWAL_LIMIT, harness.lease), "1 second")
  )
]
