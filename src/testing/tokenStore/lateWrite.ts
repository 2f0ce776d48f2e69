/** The write of a holder without the lease is rejected, and its session is not lost. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
  freshKey,
  type Harness,
  holds,
  holdsNothing,
  makeObtain,
  makeRevoke,
  none,
  put,
  same,
  sameSession,
  scenario,
  sessionOf,
  some
} from "./harness.js"
import { loseLease } from "./loseLease.js"
import type { ContractCase } from "./Options.js"

export const lateWrite = (harness: Harness): ReadonlyArray<ContractCase> => {
  const passes = Duration.sum(harness.lapse, "1 second")

  return [
    scenario(
      "rejects a late write; the session is answered unsaved, with the version that was read before it was requested",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.frail(key)
        const b = yield* harness.holder(key)
        const { version } = yield* put(b, sessionOf("old"))
        const late = yield* makeObtain(sessionOf("late"), { gated: true })
        const fiber = yield* loseLease(a, version, late)
        yield* put(b, sessionOf("renewed"))
        yield* late.open
        const stored = yield* Fiber.join(fiber)
        yield* sameSession(stored.session, sessionOf("late"), "what the late holder gets: Nomba granted it")
        yield* same(stored.saved, false, "saved")
        yield* same(stored.version, version, "the version of an unsaved session")
        yield* holds(b, sessionOf("renewed"))
      }),
      passes
    ),

    scenario(
      "rejects a late write over a tombstone",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.frail(key)
        const b = yield* harness.holder(key)
        const late = yield* makeObtain(sessionOf("late"), { gated: true })
        const fiber = yield* loseLease(a, 0, late)
        const { revoke } = yield* makeRevoke()
        yield* b.logout(revoke)
        yield* late.open
        const stored = yield* Fiber.join(fiber)
        yield* same(stored.saved, false, "saved")
        yield* same(stored.version, 0, "the version of an unsaved session")
        yield* holdsNothing(b)
        yield* none(yield* a.store.save(stored), "what save answers for a session that a logout has overtaken")
        yield* holdsNothing(b)
      }),
      passes
    ),

    scenario(
      "rejects a late write of a holder whose lease has expired, although no other took it; the session is saved later",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.frail(key)
        const b = yield* harness.holder(key)
        const late = yield* makeObtain(sessionOf("late"), { gated: true })
        const fiber = yield* loseLease(a, 0, late)
        yield* late.open
        const stored = yield* Fiber.join(fiber)
        yield* same(stored.saved, false, "saved, without a lease")
        yield* holdsNothing(b)
        const saved = yield* some(yield* a.store.save(stored), "what save answers")
        yield* same(saved.saved, true, "saved")
        yield* holds(b, sessionOf("late"))
      }),
      passes
    )
  ]
}
