/** One holder renews at a time, the others take over what it got, and nobody is harmed by how it ends. */
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
  holds,
  type Kit,
  makeMint,
  newerThan,
  none,
  put,
  same,
  sameSession,
  scenario,
  sessionOf,
  some
} from "./Kit.js"
import type { ContractCase } from "./Options.js"

export const renewing = (kit: Kit): ReadonlyArray<ContractCase> => [
  scenario(
    "mints where there is nothing",
    Effect.gen(function* () {
      const store = yield* kit.holder(yield* freshKey())
      let read = -1
      const { current, mint, runs } = yield* makeMint(sessionOf("new"), {
        beforeGate: (lease) => Effect.sync(() => (read = lease.version))
      })
      const stored = yield* store.renew(adoptAny, mint)
      yield* same(runs(), 1, "runs of the mint")
      yield* none(current(), "what the mint is shown")
      yield* same(read, 0, "the version that the lease names")
      yield* sameSession(stored.session, sessionOf("new"), "what renew answers")
      yield* same(stored.saved, true, "saved")
    })
  ),

  scenario(
    "adopts rather than mints",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const committed = yield* put(yield* kit.holder(key), sessionOf("held"))
      const b = yield* kit.holder(key)
      const { mint, runs } = yield* makeMint(sessionOf("other"))
      const adopted = yield* b.renew(newerThan(0), mint)
      yield* same(runs(), 0, "runs of the mint")
      yield* sameSession(adopted.session, sessionOf("held"), "what renew answers")
      yield* same(adopted.version, committed.version, "the version of what was adopted")
      yield* same(adopted.saved, true, "saved")
    })
  ),

  scenario(
    "shows the mint what is held and its version, when that will not do",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const old = yield* put(yield* kit.holder(key), sessionOf("old"))
      const b = yield* kit.holder(key)
      let read = -1
      const next = yield* makeMint(sessionOf("next"), {
        beforeGate: (lease) => Effect.sync(() => (read = lease.version))
      })
      const stored = yield* b.renew(newerThan(old.version), next.mint)
      const current = yield* some(next.current(), "what the mint is shown")
      yield* sameSession(current.session, sessionOf("old"), "what the mint is shown")
      yield* same(current.version, old.version, "the version that the mint is shown")
      yield* same(read, old.version, "the version that the lease names")
      yield* ensure(stored.version > old.version, "a version did not rise")
      yield* holds(b, sessionOf("next"))
    })
  ),

  scenario(
    "mints once for 32 holders that all find nothing",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const gate = yield* makeMint(sessionOf("only"), { gated: true })
      const holders = yield* Effect.replicateEffect(kit.holder(key), 32)
      const fibers = yield* Effect.forEach(holders, (_) => Effect.fork(_.renew(adoptAny, gate.mint)))
      yield* gate.arrived
      yield* kit.settle
      yield* gate.open
      const stored = yield* Effect.forEach(fibers, Fiber.join)
      yield* same(gate.runs(), 1, "mints of 32 holders")
      for (const { session, version } of stored) {
        yield* sameSession(session, sessionOf("only"), "what a holder gets")
        yield* same(version, stored[0]?.version, "the version that a holder gets")
      }
    })
  ),

  scenario(
    "mints once for 32 renewals of one holder",
    Effect.gen(function* () {
      const store = yield* kit.holder(yield* freshKey())
      const { arrived, mint, open, runs } = yield* makeMint(sessionOf("only"), { gated: true })
      const fiber = yield* Effect.fork(
        Effect.all(Effect.replicate(store.renew(adoptAny, mint), 32), { concurrency: "unbounded" })
      )
      yield* arrived
      yield* kit.settle
      yield* open
      yield* Fiber.join(fiber)
      yield* same(runs(), 1, "mints of 32 renewals")
    })
  ),

  scenario(
    "never lets two mints run at once, and never lets a version fall",
    Effect.gen(function* () {
      const key = yield* freshKey()
      let underWay = 0
      let most = 0
      const versions: Array<number> = []
      const renewOnce = (name: string) =>
        Effect.gen(function* () {
          const store = yield* kit.holder(key)
          const { mint } = yield* makeMint(sessionOf(name), {
            beforeGate: (lease) =>
              Effect.gen(function* () {
                underWay += 1
                most = Math.max(most, underWay)
                for (const step of [lease.check, lease.spend, lease.unspend, lease.check]) {
                  yield* step
                  yield* Effect.yieldNow()
                }
                underWay -= 1
              })
          })
          versions.push((yield* store.renew(adoptNone, mint)).version)
        })
      yield* Effect.all(
        Array.from({ length: 12 }, (_, index) => renewOnce(`s${index}`)),
        { concurrency: "unbounded" }
      )
      yield* same(most, 1, "mints at once")
      yield* same(new Set(versions).size, 12, "versions of 12 sessions")
      const store = yield* kit.holder(key)
      const last = yield* some(yield* store.read, "what the store holds")
      yield* same(last.version, Math.max(...versions), "the version that is held")
    })
  ),

  scenario(
    "wakes who waits for the right, and lets them adopt",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* kit.holder(key)
      const b = yield* kit.holder(key)
      const slow = yield* makeMint(sessionOf("first"), { gated: true })
      const first = yield* Effect.fork(a.renew(adoptAny, slow.mint))
      yield* slow.arrived
      const other = yield* makeMint(sessionOf("second"))
      const second = yield* Effect.fork(b.renew(adoptAny, other.mint))
      yield* kit.settle
      yield* ensure(Option.isNone(yield* Fiber.poll(second)), "renew did not wait for the right")
      yield* slow.open
      const committed = yield* Fiber.join(first)
      const adopted = yield* Fiber.join(second)
      yield* same(other.runs(), 0, "mints of the one who waited")
      yield* sameSession(adopted.session, sessionOf("first"), "what the one who waited gets")
      yield* same(adopted.version, committed.version, "the version that the one who waited gets")
    })
  ),

  scenario(
    "lets who waited mint, when what came meanwhile will not do either",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* kit.holder(key)
      const b = yield* kit.holder(key)
      const slow = yield* makeMint(sessionOf("first"), { gated: true })
      const first = yield* Effect.fork(a.renew(adoptAny, slow.mint))
      yield* slow.arrived
      const other = yield* makeMint(sessionOf("second"))
      const second = yield* Effect.fork(b.renew(adoptNone, other.mint))
      yield* kit.settle
      yield* slow.open
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      const current = yield* some(other.current(), "what the second mint is shown")
      yield* sameSession(current.session, sessionOf("first"), "what the second mint is shown")
      yield* holds(a, sessionOf("second"))
    })
  ),

  scenario(
    "is not harmed by one who stops waiting for the right",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const slow = yield* makeMint(sessionOf("first"), { gated: true })
      const first = yield* Effect.fork(Effect.flatMap(kit.holder(key), (_) => _.renew(adoptAny, slow.mint)))
      yield* slow.arrived
      const other = yield* makeMint(sessionOf("second"))
      const [b, c] = yield* Effect.all([kit.holder(key), kit.holder(key)])
      const second = yield* Effect.fork(b.renew(adoptAny, other.mint))
      const third = yield* Effect.fork(c.renew(adoptAny, other.mint))
      yield* kit.settle
      const exit = yield* Fiber.interrupt(second)
      yield* ensure(Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause), "one who stopped waiting was answered")
      yield* slow.open
      yield* Fiber.join(first)
      const adopted = yield* Fiber.join(third)
      yield* sameSession(adopted.session, sessionOf("first"), "what the other one who waits gets")
      yield* same(other.runs(), 0, "mints of those who waited")
    })
  )
]
