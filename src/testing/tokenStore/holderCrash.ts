/** After a holder that crashed with the lease another takes over, and sees whether a refresh was in flight. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
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
import { loseLease } from "./loseLease.js"
import type { ContractCase } from "./Options.js"

export const holderCrash = (harness: Harness): ReadonlyArray<ContractCase> => {
  const passes = Duration.sum(harness.lapse, "1 second")

  return [
    scenario(
      "lets another process take over from a holder that crashed with the lease",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.frail(key)
        const b = yield* harness.holder(key)
        const { version } = yield* put(b, sessionOf("old"))
        const crashed = yield* makeObtain(sessionOf("never"), { gated: true, beforeGate: (lease) => lease.extend })
        const next = yield* makeObtain(sessionOf("next"))
        const first = yield* Effect.fork(renew(a.store, newerThan(version), crashed.obtain))
        yield* crashed.arrived
        const second = yield* Effect.fork(renew(b, newerThan(version), next.obtain))
        yield* harness.settle
        yield* same(next.runs(), 0, "renewals while another holds the lease")
        yield* a.lapse
        yield* harness.pass("1 second")
        const stored = yield* Fiber.join(second)
        yield* sameSession(stored.session, sessionOf("next"), "what the next holder gets")
        const current = yield* some(next.current(), "the current session of the next renewal")
        yield* same(current.refreshInFlight, false, "a refresh-in-flight flag, although no refresh token was sent")
        yield* Fiber.interrupt(first)
        yield* holds(b, sessionOf("next"))
      }),
      passes
    ),

    scenario(
      "shows the next holder the refresh-in-flight flag of one that crashed during its refresh",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.frail(key)
        const b = yield* harness.holder(key)
        const { version } = yield* put(b, sessionOf("old"))
        const crashed = yield* makeObtain(sessionOf("never"), {
          gated: true,
          beforeGate: (lease) => lease.beginRefresh
        })
        yield* loseLease(a, version, crashed)
        const next = yield* makeObtain(sessionOf("next"))
        yield* renew(b, (_) => !_.refreshInFlight, next.obtain)
        const current = yield* some(next.current(), "the current session of the next renewal")
        yield* sameSession(current.session, sessionOf("old"), "the current session of the next renewal")
        yield* same(current.refreshInFlight, true, "the refresh-in-flight flag that the next renewal sees")
      }),
      passes
    )
  ]
}
