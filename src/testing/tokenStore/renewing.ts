/** One holder renews at a time, and the others adopt its session. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import {
  adoptAny,
  adoptNone,
  ensure,
  freshKey,
  type Harness,
  holds,
  makeObtain,
  newerThan,
  none,
  put,
  readStored,
  renew,
  same,
  sameSession,
  scenario,
  sessionOf,
  some
} from "./harness.js"
import type { ContractCase } from "./Options.js"

export const renewing = (harness: Harness): ReadonlyArray<ContractCase> => [
  scenario(
    "renews where there is nothing",
    Effect.gen(function* () {
      const store = yield* harness.holder(yield* freshKey())
      let read = -1
      const { current, obtain, runs } = yield* makeObtain(sessionOf("new"), {
        beforeGate: (lease) => Effect.sync(() => (read = lease.version))
      })
      const stored = yield* renew(store, adoptAny, obtain)
      yield* same(runs(), 1, "calls of obtain")
      yield* none(current(), "the current session of the renewal")
      yield* same(read, 0, "the version that the lease names")
      yield* sameSession(stored.session, sessionOf("new"), "what renew answers")
      yield* same(stored.saved, true, "saved")
    })
  ),

  scenario(
    "adopts rather than renews",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const committed = yield* put(yield* harness.holder(key), sessionOf("held"))
      const b = yield* harness.holder(key)
      const { obtain, runs } = yield* makeObtain(sessionOf("other"))
      const adopted = yield* renew(b, newerThan(0), obtain)
      yield* same(runs(), 0, "calls of obtain")
      yield* sameSession(adopted.session, sessionOf("held"), "what renew answers")
      yield* same(adopted.version, committed.version, "the version of what was adopted")
      yield* same(adopted.saved, true, "saved")
    })
  ),

  scenario(
    "shows the renewal the stored session and its version",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const old = yield* put(yield* harness.holder(key), sessionOf("old"))
      const b = yield* harness.holder(key)
      let read = -1
      const next = yield* makeObtain(sessionOf("next"), {
        beforeGate: (lease) => Effect.sync(() => (read = lease.version))
      })
      const stored = yield* renew(b, newerThan(old.version), next.obtain)
      const current = yield* some(next.current(), "the current session of the renewal")
      yield* sameSession(current.session, sessionOf("old"), "the current session of the renewal")
      yield* same(current.version, old.version, "the version that the renewal is shown")
      yield* same(read, old.version, "the version that the lease names")
      yield* same(stored.saved, true, "saved")
      yield* ensure(stored.version > old.version, "a version did not rise")
      yield* holds(b, sessionOf("next"))
    })
  ),

  scenario(
    "renews once for 32 holders that all find nothing",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const gate = yield* makeObtain(sessionOf("only"), { gated: true })
      const holders = yield* Effect.replicateEffect(harness.holder(key), 32)
      const fibers = yield* Effect.forEach(holders, (_) => Effect.fork(renew(_, adoptAny, gate.obtain)))
      yield* gate.arrived
      yield* harness.settle
      yield* gate.open
      const stored = yield* Effect.forEach(fibers, Fiber.join)
      yield* same(gate.runs(), 1, "renewals of 32 holders")
      for (const { session, version } of stored) {
        yield* sameSession(session, sessionOf("only"), "what a holder gets")
        yield* same(version, stored[0]?.version, "the version that a holder gets")
      }
    })
  ),

  scenario(
    "renews once for 32 renewals of one holder",
    Effect.gen(function* () {
      const store = yield* harness.holder(yield* freshKey())
      const { arrived, obtain, open, runs } = yield* makeObtain(sessionOf("only"), { gated: true })
      const fiber = yield* Effect.fork(
        Effect.all(Effect.replicate(renew(store, adoptAny, obtain), 32), { concurrency: "unbounded" })
      )
      yield* arrived
      yield* harness.settle
      yield* open
      yield* Fiber.join(fiber)
      yield* same(runs(), 1, "renewals of 32 renewals")
    })
  ),

  scenario(
    "never lets two renewals run at once, and never lets a version fall",
    Effect.gen(function* () {
      const key = yield* freshKey()
      let underWay = 0
      let most = 0
      const versions: Array<number> = []
      const renewOnce = (name: string) =>
        Effect.gen(function* () {
          const store = yield* harness.holder(key)
          const { obtain } = yield* makeObtain(sessionOf(name), {
            beforeGate: (lease) =>
              Effect.gen(function* () {
                underWay += 1
                most = Math.max(most, underWay)
                for (const step of [lease.extend, lease.beginRefresh, lease.cancelRefresh, lease.extend]) {
                  yield* step
                  yield* Effect.yieldNow()
                }
                underWay -= 1
              })
          })
          versions.push((yield* renew(store, adoptNone, obtain)).version)
        })
      yield* Effect.all(
        Array.from({ length: 12 }, (_, index) => renewOnce(`s${index}`)),
        { concurrency: "unbounded" }
      )
      yield* same(most, 1, "renewals at once")
      yield* same(new Set(versions).size, 12, "versions of 12 sessions")
      const store = yield* harness.holder(key)
      const last = yield* some(yield* readStored(store), "what the store holds")
      yield* same(last.version, Math.max(...versions), "the version that is held")
    })
  ),

  scenario(
    "wakes a waiter, who then adopts",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* harness.holder(key)
      const b = yield* harness.holder(key)
      const slow = yield* makeObtain(sessionOf("first"), { gated: true })
      const first = yield* Effect.fork(renew(a, adoptAny, slow.obtain))
      yield* slow.arrived
      const other = yield* makeObtain(sessionOf("second"))
      const second = yield* Effect.fork(renew(b, adoptAny, other.obtain))
      yield* harness.settle
      yield* ensure(Option.isNone(yield* Fiber.poll(second)), "renew did not wait for the lease")
      yield* slow.open
      const committed = yield* Fiber.join(first)
      const adopted = yield* Fiber.join(second)
      yield* same(other.runs(), 0, "renewals of the one who waited")
      yield* sameSession(adopted.session, sessionOf("first"), "what the one who waited gets")
      yield* same(adopted.version, committed.version, "the version that the one who waited gets")
    })
  ),

  scenario(
    "lets a waiter renew if it cannot adopt the new session either",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* harness.holder(key)
      const b = yield* harness.holder(key)
      const slow = yield* makeObtain(sessionOf("first"), { gated: true })
      const first = yield* Effect.fork(renew(a, adoptAny, slow.obtain))
      yield* slow.arrived
      const other = yield* makeObtain(sessionOf("second"))
      const second = yield* Effect.fork(renew(b, adoptNone, other.obtain))
      yield* harness.settle
      yield* slow.open
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      const current = yield* some(other.current(), "the current session of the second renewal")
      yield* sameSession(current.session, sessionOf("first"), "the current session of the second renewal")
      yield* holds(a, sessionOf("second"))
    })
  ),

  scenario(
    "goes on if a waiter is interrupted",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const slow = yield* makeObtain(sessionOf("first"), { gated: true })
      const first = yield* Effect.fork(Effect.flatMap(harness.holder(key), (_) => renew(_, adoptAny, slow.obtain)))
      yield* slow.arrived
      const other = yield* makeObtain(sessionOf("second"))
      const [b, c] = yield* Effect.all([harness.holder(key), harness.holder(key)])
      const second = yield* Effect.fork(renew(b, adoptAny, other.obtain))
      const third = yield* Effect.fork(renew(c, adoptAny, other.obtain))
      yield* harness.settle
      const exit = yield* Fiber.interrupt(second)
      yield* ensure(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause), "one who stopped waiting was answered")
      yield* slow.open
      yield* Fiber.join(first)
      const adopted = yield* Fiber.join(third)
      yield* sameSession(adopted.session, sessionOf("first"), "what the other one who waits gets")
      yield* same(other.runs(), 0, "renewals of those who waited")
    })
  )
]
