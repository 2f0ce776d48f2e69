/** A logout that loses its lease still ends the session that is held, once. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
  ensure,
  freshKey,
  type Harness,
  holdsNothing,
  makeRevoke,
  put,
  same,
  sameSession,
  scenario,
  sessionOf,
  some
} from "./harness.js"
import type { ContractCase } from "./Options.js"

export const logoutLeaseLoss = (harness: Harness): ReadonlyArray<ContractCase> => {
  const passes = Duration.sum(harness.lapse, "1 second")

  return [
    scenario(
      "revokes the stored session again if a logout has lost its lease",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.frail(key)
        const b = yield* harness.holder(key)
        yield* put(b, sessionOf("old"))
        const { arrived, current, open, revoke, runs } = yield* makeRevoke({ gated: true })
        const fiber = yield* Effect.fork(a.store.logout(revoke))
        yield* arrived
        yield* a.lapse
        const renewed = yield* put(b, sessionOf("renewed"))
        yield* open
        yield* harness.pass("1 second")
        yield* Fiber.join(fiber)
        yield* same(runs(), 2, "revocations")
        const last = yield* some(current(), "what was revoked last")
        yield* sameSession(last.session, sessionOf("renewed"), "what was revoked last")
        yield* holdsNothing(b)
        const after = yield* put(b, sessionOf("after"))
        yield* ensure(after.version > renewed.version + 1, "a version did not rise over a tombstone")
      }),
      passes
    ),

    scenario(
      "does not revoke again after a proved revocation if a logout lost its lease before its tombstone",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.frail(key)
        const b = yield* harness.holder(key)
        yield* put(b, sessionOf("held"))
        const { arrived, open, revoke, runs } = yield* makeRevoke({ gated: true })
        const fiber = yield* Effect.fork(a.store.logout(revoke))
        yield* arrived
        yield* a.lapse
        yield* open
        yield* harness.pass("1 second")
        yield* Fiber.join(fiber)
        yield* same(runs(), 1, "revocations")
        yield* holdsNothing(b)
      }),
      passes
    ),

    scenario(
      "does not take a lost lease for a proved revocation",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.frail(key)
        const b = yield* harness.holder(key)
        yield* put(b, sessionOf("held"))
        const { arrived, open, revoke } = yield* makeRevoke({ gated: true })
        let revoked = 0
        const fiber = yield* Effect.fork(
          a.store.logout((current, lease) =>
            Effect.gen(function* () {
              yield* revoke(current, lease)
              yield* lease.extend
              revoked += 1
            })
          )
        )
        yield* arrived
        yield* a.lapse
        yield* open
        yield* harness.pass("1 second")
        yield* Fiber.join(fiber)
        yield* same(revoked, 1, "revocations that were permitted")
        yield* holdsNothing(b)
      }),
      passes
    )
  ]
}
