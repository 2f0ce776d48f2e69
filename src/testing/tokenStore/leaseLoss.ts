/** A holder that lost its lease without noticing learns of it in time, and does no harm. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import {
  adoptAny,
  adoptNone,
  down,
  failsWith,
  freshKey,
  type Harness,
  holds,
  makeObtain,
  makeRevoke,
  put,
  renew,
  same,
  sameSession,
  scenario,
  sessionOf
} from "./harness.js"
import { loseLease } from "./loseLease.js"
import type { ContractCase } from "./Options.js"

const permissions: ReadonlyArray<"extend" | "beginRefresh"> = ["extend", "beginRefresh"]

export const leaseLoss = (harness: Harness): ReadonlyArray<ContractCase> => {
  const passes = Duration.sum(harness.lapse, "1 second")

  /** Asks for permission and keeps the answer; a renewal goes on only with it. */
  const asking = (permission: "extend" | "beginRefresh", name: string) =>
    Effect.gen(function* () {
      const answers: Array<string> = []
      const obtaining = yield* makeObtain(sessionOf(name), {
        gated: true,
        afterGate: (lease) =>
          Effect.tapBoth(lease[permission], {
            onFailure: (error) => Effect.sync(() => answers.push(error._tag)),
            onSuccess: () => Effect.sync(() => answers.push("permitted"))
          })
      })
      return { ...obtaining, answers }
    })

  return [
    ...permissions.flatMap((permission) => [
      scenario(
        `rejects ${permission} of a holder that another has overtaken, which then adopts`,
        Effect.gen(function* () {
          const key = yield* freshKey()
          const a = yield* harness.frail(key)
          const b = yield* harness.holder(key)
          const { version } = yield* put(b, sessionOf("old"))
          const late = yield* asking(permission, "late")
          const fiber = yield* loseLease(a, version, late)
          const renewed = yield* put(b, sessionOf("renewed"))
          yield* late.open
          yield* harness.pass("1 second")
          const adopted = yield* Fiber.join(fiber)
          yield* same(late.answers.join(), "LeaseLost", `the answers to ${permission}`)
          yield* sameSession(adopted.session, sessionOf("renewed"), "what the overtaken holder gets")
          yield* same(adopted.version, renewed.version, "the version that the overtaken holder gets")
          yield* same(adopted.saved, true, "saved")
          yield* same(
            (yield* holds(b, sessionOf("renewed"))).refreshInFlight,
            false,
            "a refresh-in-flight flag by a holder without the lease"
          )
        }),
        passes
      ),

      scenario(
        `rejects ${permission} of a holder whose lease has expired, although no other took it; it acquires it again`,
        Effect.gen(function* () {
          const key = yield* freshKey()
          const a = yield* harness.frail(key)
          const late = yield* asking(permission, "late")
          const fiber = yield* loseLease(a, 0, late)
          yield* late.open
          yield* harness.pass("1 second")
          const stored = yield* Fiber.join(fiber)
          yield* same(late.answers.join(), "LeaseLost,permitted", `the answers to ${permission}`)
          yield* same(stored.saved, true, "saved, under the second lease")
          yield* holds(yield* harness.holder(key), sessionOf("late"))
        }),
        passes
      )
    ]),

    ...permissions.map((permission) =>
      scenario(
        `revokes what ${permission} permitted to a holder that stalled before its request, which then adopts`,
        Effect.gen(function* () {
          const key = yield* freshKey()
          const a = yield* harness.frail(key)
          const b = yield* harness.holder(key)
          const { version } = yield* put(b, sessionOf("old"))
          let calls = 0
          const late = yield* makeObtain(sessionOf("late"), {
            gated: true,
            beforeGate: (lease) => Effect.zipRight(lease[permission], lease.assertHeld),
            afterGate: (lease) =>
              Effect.zipRight(
                lease.assertHeld,
                Effect.sync(() => (calls += 1))
              )
          })
          const fiber = yield* loseLease(a, version, late)
          const next = yield* makeObtain(sessionOf("next"))
          yield* renew(b, adoptNone, next.obtain)
          yield* late.open
          yield* harness.pass("1 second")
          const adopted = yield* Fiber.join(fiber)
          yield* same(calls, 0, "calls to Nomba with what was permitted before")
          yield* sameSession(adopted.session, sessionOf("next"), "what the holder gets that stood still")
          yield* holds(b, sessionOf("next"))
        }),
        passes
      )
    ),

    scenario(
      "leaves the lease to its new holder when the old one ends",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.frail(key)
        const [b, c] = yield* Effect.all([harness.holder(key), harness.holder(key)])
        const old = yield* makeObtain(sessionOf("never"), { gated: true, afterGate: () => Effect.fail(down) })
        const first = yield* loseLease(a, 0, old)
        const next = yield* makeObtain(sessionOf("next"), { gated: true, afterGate: (lease) => lease.extend })
        const second = yield* Effect.fork(renew(b, adoptAny, next.obtain))
        yield* next.arrived
        yield* old.open
        yield* failsWith(Fiber.join(first), "Unavailable", "a failing renewal")
        const other = yield* makeObtain(sessionOf("other"))
        const third = yield* Effect.fork(renew(c, adoptAny, other.obtain))
        yield* harness.settle
        yield* same(other.runs(), 0, "renewals while another holds the lease")
        yield* next.open
        yield* same((yield* Fiber.join(second)).saved, true, "saved")
        yield* sameSession((yield* Fiber.join(third)).session, sessionOf("next"), "what the one who waited gets")
      }),
      passes
    ),

    scenario(
      "answers a renewal that lost its lease to a logout with a session of its own",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.frail(key)
        const b = yield* harness.holder(key)
        yield* put(b, sessionOf("old"))
        const late = yield* asking("extend", "late")
        const fiber = yield* Effect.fork(renew(a.store, adoptNone, late.obtain))
        yield* late.arrived
        yield* a.lapse
        const { revoke } = yield* makeRevoke()
        yield* b.logout(revoke)
        yield* late.open
        yield* harness.pass("1 second")
        const stored = yield* Fiber.join(fiber)
        yield* same(late.answers.join(), "LeaseLost,permitted", "the answers to check")
        yield* same(Option.isNone(late.current()), true, "the second run finds nothing")
        yield* same(stored.saved, true, "saved")
        yield* holds(b, sessionOf("late"))
      }),
      passes
    )
  ]
}
