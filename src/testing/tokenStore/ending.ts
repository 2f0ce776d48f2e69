/** However a mint ends, the right is free for the next holder, who knows whether a refresh token was spent. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
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

const endingBadly = (kit: Kit): ReadonlyArray<ContractCase> =>
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

export const ending = (kit: Kit): ReadonlyArray<ContractCase> => [
  ...endingBadly(kit),

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
