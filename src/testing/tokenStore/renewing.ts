/** One holder renews at a time, the others take over what it got, and nobody is harmed by how it ends. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { RENEWAL_LIMIT } from "../../services/AttemptGate.js"
import {
  adoptAny,
  adoptNone,
  down,
  ensure,
  failsWith,
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

/** Ends a mint after what was done so far. */
const endings = {
  fails: Effect.fail(down),
  dies: Effect.die("a defect of the mint"),
  "is interrupted": Effect.never
}

const deadHolders = (kit: Kit): ReadonlyArray<ContractCase> =>
  Object.entries(endings).flatMap(([how, end]) => [
    scenario(
      `frees the right at once, and unmarked, when a mint ${how} before its call`,
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* kit.holder(key)
        const b = yield* kit.holder(key)
        const { version } = yield* put(a, sessionOf("old"))
        const doomed = yield* makeMint(sessionOf("never"), {
          gated: true,
          beforeGate: (lease) => lease.check,
          afterGate: () => end
        })
        const next = yield* makeMint(sessionOf("next"))
        const first = yield* Effect.fork(a.renew(adoptNone, doomed.mint))
        yield* doomed.arrived
        const second = yield* Effect.fork(b.renew(newerThan(version), next.mint))
        yield* kit.settle
        yield* same(next.runs(), 0, "mints of one who waits for the right")
        yield* doomed.open
        if (how === "is interrupted") yield* Fiber.interrupt(first)

        const stored = yield* Fiber.join(second)
        yield* sameSession(stored.session, sessionOf("next"), "what the next holder gets")
        const current = yield* some(next.current(), "what the next mint is shown")
        yield* sameSession(current.session, sessionOf("old"), "what the next mint is shown")
        yield* same(current.marked, false, "a mark, though nothing was spent")
        const exit = yield* Fiber.await(first)
        if (how === "fails") yield* same(exit, Exit.fail(down), "the end of the mint that failed")
        else yield* ensure(Exit.isFailure(exit), "the mint that ended badly was answered")
      })
    ),

    scenario(
      `leaves the mark for the next holder when a mint ${how} after it began to spend`,
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* kit.holder(key)
        const b = yield* kit.holder(key)
        const { version } = yield* put(a, sessionOf("old"))
        const doomed = yield* makeMint(sessionOf("never"), {
          gated: true,
          beforeGate: (lease) => lease.spend,
          afterGate: () => end
        })
        const first = yield* Effect.fork(a.renew(adoptNone, doomed.mint))
        yield* doomed.arrived
        yield* same((yield* holds(b, sessionOf("old"))).marked, true, "the mark, while the refresh token is spent")
        yield* doomed.open
        yield* how === "is interrupted" ? Fiber.interrupt(first) : Fiber.await(first)

        yield* same((yield* holds(b, sessionOf("old"))).marked, true, "the mark of a holder that has ended")
        const next = yield* makeMint(sessionOf("next"))
        const stored = yield* b.renew((_) => !_.marked, next.mint)
        const current = yield* some(next.current(), "what the next mint is shown")
        yield* sameSession(current.session, sessionOf("old"), "what the next mint is shown")
        yield* same(current.marked, true, "the mark that the next mint is shown")
        yield* same(current.version, version, "the version of a session that was marked")
        yield* same(stored.marked, false, "the mark of the session that replaced it")
        yield* same((yield* holds(a, sessionOf("next"))).marked, false, "the mark of the session that replaced it")
      })
    )
  ])

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
    "shares no failure: each holder fails with its own",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* kit.holder(key)
      const b = yield* kit.holder(key)
      const failing = yield* makeMint(sessionOf("never"), { gated: true, afterGate: () => Effect.fail(down) })
      const first = yield* Effect.fork(a.renew(adoptAny, failing.mint))
      yield* failing.arrived
      const next = yield* makeMint(sessionOf("next"))
      const second = yield* Effect.fork(b.renew(adoptAny, next.mint))
      yield* kit.settle
      yield* failing.open
      yield* failsWith(Fiber.join(first), "Unavailable", "a failing mint")
      const stored = yield* Fiber.join(second)
      yield* sameSession(stored.session, sessionOf("next"), "what the other holder gets")
    })
  ),

  scenario(
    "takes the mark back when the request was not processed",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* kit.holder(key)
      yield* put(a, sessionOf("old"))
      const { mint } = yield* makeMint(sessionOf("never"), {
        beforeGate: (lease) => Effect.zipRight(lease.spend, lease.unspend),
        afterGate: () => Effect.fail(down)
      })
      yield* failsWith(a.renew(adoptNone, mint), "Unavailable", "a failing mint")
      yield* same((yield* holds(yield* kit.holder(key), sessionOf("old"))).marked, false, "the mark taken back")
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
  ),

  ...deadHolders(kit),

  scenario(
    "keeps the right for a mint that takes longer than a lease",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* kit.holder(key)
      const b = yield* kit.holder(key)
      const slow = yield* makeMint(sessionOf("slow"), { gated: true, afterGate: (lease) => lease.check })
      const first = yield* Effect.fork(a.renew(adoptAny, slow.mint))
      yield* slow.arrived
      const other = yield* makeMint(sessionOf("other"))
      const second = yield* Effect.fork(b.renew(adoptAny, other.mint))
      yield* kit.pass(Duration.times(kit.lease, 1.7))
      yield* same(other.runs(), 0, "mints while another holds the right")
      yield* slow.open
      yield* same((yield* Fiber.join(first)).saved, true, "saved, after more than a lease")
      yield* Fiber.join(second)
      yield* same(slow.runs(), 1, "runs of the slow mint")
      yield* same(other.runs(), 0, "mints of the one who waited")
    }),
    Duration.times(kit.lease, 1.7)
  ),

  scenario(
    "does not keep the right for a mint that never ends",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* kit.holder(key)
      const b = yield* kit.holder(key)
      const stuck = yield* makeMint(sessionOf("never"), { gated: true })
      yield* Effect.fork(a.renew(adoptAny, stuck.mint))
      yield* stuck.arrived
      const next = yield* makeMint(sessionOf("next"))
      const second = yield* Effect.fork(b.renew(adoptAny, next.mint))
      yield* kit.pass(Duration.sum(Duration.sum(RENEWAL_LIMIT, kit.lease), "1 second"))
      yield* ensure(next.runs() === 1, "nobody took over from a mint that never ends")
      const stored = yield* Fiber.join(second)
      yield* sameSession(stored.session, sessionOf("next"), "what the next holder gets")
    }),
    Duration.sum(Duration.sum(RENEWAL_LIMIT, kit.lease), "1 second")
  )
]
