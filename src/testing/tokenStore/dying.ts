/** A holder that died with the right is followed by another, who knows whether a refresh token was spent. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
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
import { loseRight } from "./loseRight.js"
import type { ContractCase } from "./Options.js"

export const dying = (kit: Kit): ReadonlyArray<ContractCase> => {
  const passes = Duration.sum(kit.lapse, "1 second")

  return [
    scenario(
      "lets another take over from a holder that died with the right",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* kit.frail(key)
        const b = yield* kit.holder(key)
        const { version } = yield* put(b, sessionOf("old"))
        const dead = yield* makeMint(sessionOf("never"), { gated: true, beforeGate: (lease) => lease.check })
        const next = yield* makeMint(sessionOf("next"))
        const first = yield* Effect.fork(a.store.renew(newerThan(version), dead.mint))
        yield* dead.arrived
        const second = yield* Effect.fork(b.renew(newerThan(version), next.mint))
        yield* kit.settle
        yield* same(next.runs(), 0, "mints while another holds the right")
        yield* a.lapse
        yield* kit.pass("1 second")
        const stored = yield* Fiber.join(second)
        yield* sameSession(stored.session, sessionOf("next"), "what the next holder gets")
        const current = yield* some(next.current(), "what the next mint is shown")
        yield* same(current.marked, false, "a mark, though nothing was spent")
        yield* Fiber.interrupt(first)
        yield* holds(b, sessionOf("next"))
      }),
      passes
    ),

    scenario(
      "tells the next holder of the mark by one that died while it spent",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* kit.frail(key)
        const b = yield* kit.holder(key)
        const { version } = yield* put(b, sessionOf("old"))
        const dead = yield* makeMint(sessionOf("never"), { gated: true, beforeGate: (lease) => lease.spend })
        yield* loseRight(a, version, dead)
        const next = yield* makeMint(sessionOf("next"))
        yield* b.renew((_) => !_.marked, next.mint)
        const current = yield* some(next.current(), "what the next mint is shown")
        yield* sameSession(current.session, sessionOf("old"), "what the next mint is shown")
        yield* same(current.marked, true, "the mark that the next mint is shown")
      }),
      passes
    )
  ]
}
