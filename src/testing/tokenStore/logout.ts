/** A logout reaches every holder, whatever becomes of the revocation. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import {
  adoptAny,
  adoptNone,
  ensure,
  failsWith,
  freshKey,
  type Harness,
  holds,
  holdsNothing,
  makeObtain,
  makeRevoke,
  none,
  put,
  renew,
  same,
  sameSession,
  scenario,
  sessionOf,
  some
} from "./harness.js"
import type { ContractCase } from "./Options.js"

class Unproved extends Data.TaggedError("Unproved") {}

/** How a revocation ends that does not prove anything. */
const endings: Record<string, Effect.Effect<void, Unproved>> = {
  fails: new Unproved(),
  "has a defect": Effect.die("a defect of the revocation"),
  "is interrupted": Effect.never
}

export const logout = (harness: Harness): ReadonlyArray<ContractCase> => {
  const two = Effect.gen(function* () {
    const key = yield* freshKey()
    return { a: yield* harness.holder(key), b: yield* harness.holder(key) }
  })

  return [
    scenario(
      "revokes what is held, and leaves nothing to adopt",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const { version } = yield* put(b, sessionOf("held"))
        const proved = yield* makeRevoke()
        yield* a.logout(proved.revoke)
        yield* same(proved.runs(), 1, "revocations")
        const current = yield* some(proved.current(), "what is revoked")
        yield* sameSession(current.session, sessionOf("held"), "what is revoked")
        yield* same(current.version, version, "the version of what is revoked")
        yield* holdsNothing(a)
        yield* holdsNothing(b)
        const again = yield* makeRevoke()
        yield* b.logout(again.revoke)
        yield* none(again.current(), "what is revoked after a proved revocation")
      })
    ),

    scenario(
      "leaves a tombstone where nothing was held",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const { current, revoke, runs } = yield* makeRevoke()
        yield* a.logout(revoke)
        yield* same(runs(), 1, "revocations: the holder may have one that the store has not")
        yield* none(current(), "what is revoked")
        yield* holdsNothing(b)
        let expectedVersion = 0
        const { obtain } = yield* makeObtain(sessionOf("next"), {
          beforeGate: (lease) => Effect.sync(() => (expectedVersion = lease.version))
        })
        yield* renew(b, adoptAny, obtain)
        yield* ensure(expectedVersion > 0, "a tombstone has no version")
      })
    ),

    ...Object.entries(endings).flatMap(([how, end]) => [
      scenario(
        `keeps the session inside the tombstone when the revocation ${how}, until another is proved`,
        Effect.gen(function* () {
          const { a, b } = yield* two
          yield* put(b, sessionOf("held"))
          const first = yield* makeRevoke({ end })
          const fiber = yield* Effect.fork(a.logout(first.revoke))
          yield* first.arrived
          const exit = yield* how === "is interrupted" ? Fiber.interrupt(fiber) : Fiber.await(fiber)
          if (how === "fails") yield* same(exit, Exit.fail(new Unproved()), "the end of the logout")
          else yield* ensure(Exit.isFailure(exit), "a logout succeeded though its revocation did not")
          yield* holdsNothing(b)

          const second = yield* makeRevoke({ end: new Unproved() })
          yield* failsWith(b.logout(second.revoke), "Unproved", "the second logout")
          const kept = yield* some(second.current(), "what the second logout revokes")
          yield* sameSession(kept.session, sessionOf("held"), "what the second logout revokes")
          yield* holdsNothing(a)

          const third = yield* makeRevoke()
          yield* a.logout(third.revoke)
          const still = yield* some(third.current(), "what the third logout revokes")
          yield* sameSession(still.session, sessionOf("held"), "what the third logout revokes")

          const fourth = yield* makeRevoke()
          yield* b.logout(fourth.revoke)
          yield* none(fourth.current(), "what is revoked after a proved revocation")
        })
      ),

      scenario(
        `frees the lease at once when the revocation ${how}`,
        Effect.gen(function* () {
          const { a, b } = yield* two
          yield* put(b, sessionOf("held"))
          const { arrived, open, revoke } = yield* makeRevoke({ gated: true, end })
          const first = yield* Effect.fork(a.logout(revoke))
          yield* arrived
          const next = yield* makeObtain(sessionOf("next"))
          const second = yield* Effect.fork(renew(b, adoptNone, next.obtain))
          yield* harness.settle
          yield* same(next.runs(), 0, "renewals during a logout")
          yield* open
          yield* how === "is interrupted" ? Fiber.interrupt(first) : Fiber.await(first)
          yield* Fiber.join(second)
          yield* none(next.current(), "the current session of a renewal after a logout")
          yield* holds(a, sessionOf("next"))
        })
      )
    ]),

    scenario(
      "waits with a logout until a renewal has ended, and revokes what that brought",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const slow = yield* makeObtain(sessionOf("new"), { gated: true })
        const renewal = yield* Effect.fork(renew(b, adoptAny, slow.obtain))
        yield* slow.arrived
        const { current, revoke, runs } = yield* makeRevoke()
        const logout = yield* Effect.fork(a.logout(revoke))
        yield* harness.settle
        yield* same(runs(), 0, "revocations during a renewal")
        yield* slow.open
        yield* same((yield* Fiber.join(renewal)).saved, true, "saved")
        yield* Fiber.join(logout)
        const revoked = yield* some(current(), "what is revoked")
        yield* sameSession(revoked.session, sessionOf("new"), "what is revoked")
        yield* holdsNothing(b)
      })
    ),

    scenario(
      "lets a waiter renew after a logout, and shows the renewal nothing",
      Effect.gen(function* () {
        const { a, b } = yield* two
        yield* put(b, sessionOf("held"))
        const slow = yield* makeRevoke({ gated: true })
        const logout = yield* Effect.fork(a.logout(slow.revoke))
        yield* slow.arrived
        const next = yield* makeObtain(sessionOf("next"))
        const renewal = yield* Effect.fork(renew(b, (_) => _.version > Number.MAX_SAFE_INTEGER, next.obtain))
        yield* harness.settle
        yield* same(next.runs(), 0, "renewals during a logout")
        yield* slow.open
        yield* Fiber.join(logout)
        yield* Fiber.join(renewal)
        yield* none(next.current(), "the current session of a renewal after a logout")
        yield* holds(a, sessionOf("next"))
      })
    ),

    scenario(
      "issues a new session after a logout, also over a session that the tombstone keeps",
      Effect.gen(function* () {
        const { a, b } = yield* two
        yield* put(b, sessionOf("held"))
        const { revoke } = yield* makeRevoke({ end: new Unproved() })
        yield* failsWith(a.logout(revoke), "Unproved", "the logout")
        const next = yield* makeObtain(sessionOf("next"))
        yield* renew(b, adoptAny, next.obtain)
        yield* same(next.runs(), 1, "renewals after a logout")
        yield* none(next.current(), "the current session of a renewal after a logout")
        const last = yield* makeRevoke()
        yield* holds(a, sessionOf("next"))
        yield* a.logout(last.revoke)
        const revoked = yield* some(last.current(), "what is revoked")
        yield* sameSession(revoked.session, sessionOf("next"), "what is revoked")
      })
    ),

    scenario(
      "never lets a version fall over sessions and tombstones",
      Effect.gen(function* () {
        const { a, b } = yield* two
        let last = 0
        const rises = (version: number) =>
          Effect.tap(ensure(version > last, `a version fell from ${last} to ${version}`), () => {
            last = version
          })
        const { revoke } = yield* makeRevoke()
        for (const name of ["one", "two", "three"]) {
          yield* rises((yield* put(a, sessionOf(name))).version)
          yield* b.logout(revoke)
          let tombstone = 0
          const { obtain } = yield* makeObtain(sessionOf(`${name}-next`), {
            beforeGate: (lease) => Effect.sync(() => (tombstone = lease.version))
          })
          const { version } = yield* renew(a, adoptNone, obtain)
          yield* rises(tombstone)
          yield* rises(version)
          yield* rises((yield* put(b, sessionOf(`${name}-last`))).version)
        }
      })
    ),

    scenario(
      "lets one logout run at a time",
      Effect.gen(function* () {
        const { a, b } = yield* two
        yield* put(b, sessionOf("held"))
        const first = yield* makeRevoke({ gated: true })
        const one = yield* Effect.fork(a.logout(first.revoke))
        yield* first.arrived
        const second = yield* makeRevoke()
        const other = yield* Effect.fork(b.logout(second.revoke))
        yield* harness.settle
        yield* same(second.runs(), 0, "revocations during a logout")
        yield* first.open
        yield* Fiber.join(one)
        yield* Fiber.join(other)
        yield* same(Option.isNone(second.current()), true, "the second logout finds nothing")
      })
    ),

    scenario(
      "gives a logout the lease, which it may extend",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const { version } = yield* put(b, sessionOf("held"))
        let read = 0
        yield* a.logout((_, lease) => {
          read = lease.version
          return Effect.zipRight(lease.extend, lease.beginRefresh)
        })
        yield* same(read, version, "the version that the lease names")
        yield* holdsNothing(b)
      })
    )
  ]
}
