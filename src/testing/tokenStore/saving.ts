/** What becomes of a session that Nomba granted and the store did not take at once. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { Session } from "../../schemas/Session.js"
import type { SessionStore } from "../../services/TokenStore.js"
import {
  adoptAny,
  adoptNone,
  ensure,
  freshKey,
  type Harness,
  holds,
  holdsNothing,
  LIFETIME,
  makeObtain,
  makeRevoke,
  none,
  put,
  readStored,
  renew,
  same,
  sameSession,
  scenario,
  sessionOf,
  some,
  unsaved
} from "./harness.js"
import type { ContractCase } from "./Options.js"

/** Saves, and finds the session written, for every holder. */
const isWritten = (store: SessionStore, session: Session, expectedVersion: number, other: SessionStore) =>
  Effect.gen(function* () {
    const saved = yield* some(yield* store.save(unsaved(session, expectedVersion)), "what save answers")
    yield* sameSession(saved.session, session, "what save answers")
    yield* same(saved.saved, true, "saved")
    yield* ensure(saved.version > expectedVersion, "a version did not rise")
    const stored = yield* holds(other, session)
    yield* same(stored.version, saved.version, "the version that is held")
    return stored
  })

/** Saves, and is answered with the other session, which stays. */
const isReplaced = (store: SessionStore, session: Session, expectedVersion: number, other: SessionStore) =>
  Effect.gen(function* () {
    const before = yield* some(yield* readStored(other), "what the store holds")
    const saved = yield* some(yield* store.save(unsaved(session, expectedVersion)), "what save answers")
    yield* sameSession(saved.session, before.session, "what save answers")
    yield* same(saved.saved, true, "saved")
    yield* same(saved.version, before.version, "the version that save answers")
    yield* same((yield* holds(other, before.session)).version, before.version, "the version that is held")
  })

const rivals: ReadonlyArray<{
  readonly when: string
  readonly ours: Session
  readonly theirs: Session
  readonly written: boolean
}> = [
  { when: "issued later by Nomba's clock", ours: sessionOf("ours", 2), theirs: sessionOf("theirs", 1), written: true },
  { when: "issued earlier", ours: sessionOf("ours", 1), theirs: sessionOf("theirs", 2), written: false },
  { when: "issued in the same second", ours: sessionOf("ours", 1), theirs: sessionOf("theirs", 1), written: false },
  {
    when: "issued later by a clock of our own",
    ours: sessionOf("ours", 2, "local"),
    theirs: sessionOf("theirs", 1),
    written: false
  },
  {
    when: "issued later than by the other's own clock",
    ours: sessionOf("ours", 2),
    theirs: sessionOf("theirs", 1, "local"),
    written: false
  },
  {
    when: "issued later, both by clocks of their own",
    ours: sessionOf("ours", 2, "local"),
    theirs: sessionOf("theirs", 1, "local"),
    written: false
  }
]

export const saving = (harness: Harness): ReadonlyArray<ContractCase> => {
  const two = Effect.gen(function* () {
    const key = yield* freshKey()
    return { a: yield* harness.holder(key), b: yield* harness.holder(key) }
  })

  return [
    scenario(
      "writes an unsaved session if nothing is stored",
      Effect.gen(function* () {
        const { a, b } = yield* two
        yield* isWritten(a, sessionOf("ours"), 0, b)
      })
    ),

    scenario(
      "writes an unsaved session if the store has come back empty",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const ahead = Date.UTC(2100, 0, 1)
        const saved = yield* some(yield* a.save(unsaved(sessionOf("ours"), ahead)), "what save answers")
        yield* same(saved.saved, true, "saved")
        yield* holds(b, sessionOf("ours"))
      })
    ),

    scenario(
      "writes an unsaved session over the version that was read before it was requested, whatever that was",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const { version } = yield* put(b, sessionOf("old", 9))
        yield* isWritten(a, sessionOf("ours", 1, "local"), version, b)
      })
    ),

    scenario(
      "writes an unsaved session over the tombstone that was read before it was requested",
      Effect.gen(function* () {
        const { a, b } = yield* two
        yield* put(b, sessionOf("old"))
        const { revoke } = yield* makeRevoke()
        yield* b.logout(revoke)
        let expectedVersion = -1
        const { arrived, obtain } = yield* makeObtain(sessionOf("never"), {
          beforeGate: (lease) => Effect.sync(() => (expectedVersion = lease.version)),
          gated: true
        })
        const fiber = yield* Effect.fork(renew(b, adoptAny, obtain))
        yield* arrived
        yield* Fiber.interrupt(fiber)
        yield* isWritten(a, sessionOf("ours"), expectedVersion, b)
      })
    ),

    ...rivals.map(({ ours, theirs, when, written }) =>
      scenario(
        `${written ? "writes an unsaved session" : "adopts the stored session and writes none"} ${when}`,
        Effect.gen(function* () {
          const { a, b } = yield* two
          const { version } = yield* put(b, sessionOf("old"))
          yield* put(b, theirs)
          yield* written ? isWritten(a, ours, version, b) : isReplaced(a, ours, version, b)
        })
      )
    ),

    scenario(
      "drops an unsaved session that a logout has overtaken, whenever it was issued",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const { version } = yield* put(b, sessionOf("old"))
        const { revoke } = yield* makeRevoke()
        yield* b.logout(revoke)
        yield* none(yield* a.save(unsaved(sessionOf("ours", 9), version)), "what save answers")
        yield* holdsNothing(b)
        yield* none(yield* a.save(unsaved(sessionOf("ours", 9), 0)), "what save answers")
        yield* holdsNothing(b)
      })
    ),

    scenario(
      "finds a session saved that is stored already",
      Effect.gen(function* () {
        const { a, b } = yield* two
        for (const clock of ["server", "local"] as const) {
          const { version } = yield* put(b, sessionOf("old"))
          const ours = sessionOf(`ours-${clock}`, 1, clock)
          const { version: written } = yield* put(a, ours)
          const again = yield* some(yield* a.save(unsaved(ours, version)), "what save answers")
          yield* sameSession(again.session, ours, "what save answers")
          yield* same(again.saved, true, "saved")
          yield* same(again.version, written, "the version of a session that was there already")
          yield* same((yield* holds(b, ours)).version, written, "the version that is held")
        }
      })
    ),

    scenario(
      "takes a refresh-in-flight flag with it when it writes an unsaved session",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const { version } = yield* put(b, sessionOf("old"))
        const { arrived, obtain } = yield* makeObtain(sessionOf("ours"), {
          gated: true,
          beforeGate: (lease) => lease.beginRefresh
        })
        const fiber = yield* Effect.fork(renew(a, adoptNone, obtain))
        yield* arrived
        yield* Fiber.interrupt(fiber)
        const stored = yield* isWritten(a, sessionOf("ours"), version, b)
        yield* same(stored.refreshInFlight, false, "the refresh-in-flight flag of the session that was replaced")
      })
    ),

    scenario(
      "waits with saving until a renewal has ended, and decides by what is there then",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const slow = yield* makeObtain(sessionOf("theirs", 5), { gated: true })
        const renewal = yield* Effect.fork(renew(b, adoptAny, slow.obtain))
        yield* slow.arrived
        const saving = yield* Effect.fork(a.save(unsaved(sessionOf("ours", 1), 0)))
        yield* harness.settle
        yield* ensure(Option.isNone(yield* Fiber.poll(saving)), "save did not wait for the lease")
        yield* slow.open
        yield* Fiber.join(renewal)
        const saved = yield* some(yield* Fiber.join(saving), "what save answers")
        yield* sameSession(saved.session, sessionOf("theirs", 5), "what save answers")
      })
    ),

    scenario(
      "counts the wait for the lease off what is left of an unsaved session",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const slow = yield* makeObtain(sessionOf("never"), { gated: true })
        const renewal = yield* Effect.fork(renew(b, adoptAny, slow.obtain))
        yield* slow.arrived
        const saving = yield* Effect.fork(a.save(unsaved(sessionOf("ours"), 0)))
        yield* harness.pass("2 seconds")
        yield* Fiber.interrupt(renewal)
        const saved = yield* some(yield* Fiber.join(saving), "what save answers")
        const read = yield* holds(b, sessionOf("ours"))
        for (const { remaining } of [saved, read]) {
          yield* ensure(
            Duration.lessThanOrEqualTo(remaining, Duration.subtract(LIFETIME, "2 seconds")),
            "the time that save waited is left of the session once more"
          )
        }
      }),
      "2 seconds"
    ),

    scenario(
      "ends even if nothing can interrupt it, as when a layer closes",
      Effect.gen(function* () {
        const { a, b } = yield* two
        yield* Effect.uninterruptible(
          Effect.scoped(Effect.flatMap(harness.holder(yield* freshKey()), (_) => readStored(_)))
        )
        yield* Effect.uninterruptible(isWritten(a, sessionOf("ours"), 0, b))
        const slow = yield* makeObtain(sessionOf("theirs", 5), { gated: true })
        const renewal = yield* Effect.fork(renew(b, adoptNone, slow.obtain))
        yield* slow.arrived
        const saving = yield* Effect.fork(Effect.uninterruptible(a.save(unsaved(sessionOf("late", 1), 0))))
        yield* harness.settle
        yield* slow.open
        yield* Fiber.join(renewal)
        const saved = yield* some(yield* Fiber.join(saving), "what save answers")
        yield* sameSession(saved.session, sessionOf("theirs", 5), "what save answers")
      })
    ),

    scenario(
      "takes over from a crashed holder, even if nothing can interrupt it",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const a = yield* harness.holder(key)
        const b = yield* harness.frail(key)
        const crashed = yield* makeObtain(sessionOf("never"), { gated: true })
        yield* Effect.fork(renew(b.store, adoptNone, crashed.obtain))
        yield* crashed.arrived
        const saving = yield* Effect.fork(Effect.uninterruptible(a.save(unsaved(sessionOf("ours"), 0))))
        yield* b.lapse
        yield* harness.pass("1 second")
        const exit = yield* Fiber.poll(saving)
        yield* ensure(Option.exists(exit, Exit.isSuccess), "save still waits for a holder that crashed")
        yield* holds(a, sessionOf("ours"))
      }),
      harness.lapse
    )
  ]
}
