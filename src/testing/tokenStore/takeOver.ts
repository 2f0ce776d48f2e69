/** No renewal waits for an abandoned lease, and a refresh-in-flight flag without a request is taken back. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
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
  put,
  renew,
  same,
  sameSession,
  scenario,
  sessionOf,
  some,
  soon
} from "./harness.js"
import type { ContractCase, FaultyStore } from "./Options.js"

export const abandonedLease = (harness: Harness): ReadonlyArray<ContractCase> => [
  scenario(
    "takes over the lease of a renewal of the same process whose caller has given up",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* harness.holder(key)
      const b = yield* harness.holder(key)
      let isAbandoned = false
      const stuck = yield* makeObtain(sessionOf("stuck"), { gated: true })
      const first = yield* Effect.fork(renew(a, adoptAny, stuck.obtain, { isAbandoned: () => isAbandoned }))
      yield* stuck.arrived
      const other = yield* makeObtain(sessionOf("other"))
      const waiter = yield* Effect.fork(renew(b, adoptAny, other.obtain))
      yield* harness.settle
      isAbandoned = true
      const next = yield* makeObtain(sessionOf("next"))
      const second = yield* Effect.fork(renew(a, adoptAny, next.obtain))
      yield* ensure(
        yield* soon(Effect.map(harness.settle, () => next.runs() === 1)),
        "a renewal waits for the lease of one whose caller has given up"
      )
      const stored = yield* Fiber.join(second)
      yield* sameSession(stored.session, sessionOf("next"), "what the second renewal gets")
      yield* stuck.open
      yield* same((yield* Fiber.join(first)).saved, false, "whether the abandoned renewal could write")
      yield* holds(b, sessionOf("next"))
      yield* same(other.runs(), 0, "renewals of another process, which has to wait")
      yield* Fiber.interrupt(waiter)
    })
  ),

  scenario(
    "does not take over the lease of a renewal whose caller waits",
    Effect.gen(function* () {
      const a = yield* harness.holder(yield* freshKey())
      const slow = yield* makeObtain(sessionOf("slow"), { gated: true })
      const first = yield* Effect.fork(renew(a, adoptAny, slow.obtain))
      yield* slow.arrived
      const next = yield* makeObtain(sessionOf("next"))
      const second = yield* Effect.fork(renew(a, adoptNone, next.obtain))
      yield* harness.settle
      yield* same(next.runs(), 0, "renewals while another attempt of the same process holds the lease")
      yield* slow.open
      yield* same((yield* Fiber.join(first)).saved, true, "saved")
      yield* Fiber.join(second)
    })
  )
]

export const lostSteps = (
  harness: Harness,
  faulty: Effect.Effect<FaultyStore, Error, Scope.Scope>
): ReadonlyArray<ContractCase> => {
  const two = Effect.gen(function* () {
    const key = yield* freshKey()
    const wire = yield* faulty
    return { wire, a: yield* wire.store.open(key, harness.requestTimeout), b: yield* harness.holder(key) }
  })

  return [
    scenario(
      "gives no lease to an acquire that arrives after its caller gave up",
      Effect.gen(function* () {
        const { a, b, wire } = yield* two
        const { obtain } = yield* makeObtain(sessionOf("never"))
        yield* wire.lateAcquire
        yield* failsWith(renew(a, adoptAny, obtain), "Unavailable", "the renewal whose acquire is late")
        yield* harness.pass("8 seconds")
        const next = yield* makeObtain(sessionOf("next"))
        const renewal = yield* Effect.fork(renew(b, adoptAny, next.obtain))
        yield* ensure(
          yield* soon(Effect.map(harness.settle, () => next.runs() === 1)),
          "a renewal waits for an abandoned lease"
        )
        yield* Fiber.join(renewal)
      }),
      "8 seconds"
    ),

    scenario(
      "takes the refresh-in-flight flag back with the lease if its answer was lost and nothing was sent",
      Effect.gen(function* () {
        const { a, b, wire } = yield* two
        yield* put(b, sessionOf("old"))
        const { obtain } = yield* makeObtain(sessionOf("never"), { beforeGate: (lease) => lease.beginRefresh })
        yield* wire.loseFlagAnswer
        yield* failsWith(renew(a, adoptNone, obtain), "Unavailable", "the renewal that lost an answer")
        yield* same((yield* holds(b, sessionOf("old"))).refreshInFlight, false, "the flag, as another process reads it")
        yield* same((yield* holds(a, sessionOf("old"))).refreshInFlight, false, "the flag")
      })
    ),

    scenario(
      "remembers that nothing was sent, if the flag could not be taken back",
      Effect.gen(function* () {
        const { a, b, wire } = yield* two
        yield* put(b, sessionOf("old"))
        const { obtain } = yield* makeObtain(sessionOf("never"), {
          beforeGate: (lease) => Effect.tapError(lease.beginRefresh, () => wire.disconnect)
        })
        yield* wire.loseFlagAnswer
        yield* failsWith(renew(a, adoptNone, obtain), "Unavailable", "the renewal that lost an answer")
        yield* wire.reconnect
        yield* same((yield* holds(b, sessionOf("old"))).refreshInFlight, true, "the flag, as another process reads it")
        yield* same((yield* holds(a, sessionOf("old"))).refreshInFlight, false, "the flag, as this process reads it")
        const next = yield* makeObtain(sessionOf("next"))
        yield* renew(a, adoptNone, next.obtain)
        const current = yield* some(next.current(), "the current session of the next renewal")
        yield* same(current.refreshInFlight, false, "the flag that the next renewal sees")
      })
    ),

    scenario(
      "keeps the flag of an attempt whose request may have been processed",
      Effect.gen(function* () {
        const { a, b, wire } = yield* two
        yield* put(b, sessionOf("old"))
        const lost = yield* makeObtain(sessionOf("never"), {
          beforeGate: (lease) => lease.beginRefresh,
          afterGate: () => Effect.fail(down)
        })
        yield* failsWith(renew(b, adoptNone, lost.obtain), "Unavailable", "the renewal whose answer was lost")
        const { obtain } = yield* makeObtain(sessionOf("never"), {
          beforeGate: (lease) => Effect.zipRight(lease.cancelRefresh, lease.beginRefresh)
        })
        yield* wire.loseFlagAnswer
        yield* failsWith(renew(a, adoptNone, obtain), "Unavailable", "the renewal that lost an answer")
        for (const store of [a, b]) {
          yield* same((yield* holds(store, sessionOf("old"))).refreshInFlight, true, "the flag")
        }
      })
    ),

    scenario(
      "rejects a commit whose version is not above the stored one",
      Effect.gen(function* () {
        const { a, b, wire } = yield* two
        const { version } = yield* put(b, sessionOf("old"))
        for (const [given, isSaved] of [
          [version, false],
          [version - 1, false],
          [version + 1, true]
        ] as const) {
          yield* wire.nextVersion(given)
          const { obtain } = yield* makeObtain(sessionOf("next"))
          const stored = yield* renew(a, adoptNone, obtain)
          yield* same(stored.saved, isSaved, `saved, with version ${given} over ${version}`)
          yield* holds(b, sessionOf(isSaved ? "next" : "old"))
        }
      })
    )
  ]
}
