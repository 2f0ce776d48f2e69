/** A store that is down, answers that are lost, and entries that cannot be read. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { StoreKey } from "../../schemas/StoreKey.js"
import type { SessionStore } from "../../services/TokenStore.js"
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
  readStored,
  renew,
  same,
  sameSession,
  scenario,
  sessionOf,
  some,
  unsaved
} from "./harness.js"
import type { ContractCase, FaultyStore } from "./Options.js"

/** Nothing can be done, and nothing is done without the store. */
const refusesEverything = (store: SessionStore) =>
  Effect.gen(function* () {
    const { obtain, runs } = yield* makeObtain(sessionOf("never"))
    const { revoke, runs: revocations } = yield* makeRevoke()
    yield* failsWith(readStored(store), "Unavailable", "read")
    yield* failsWith(store.readVersioned, "Unavailable", "look")
    yield* failsWith(renew(store, adoptAny, obtain), "Unavailable", "renew")
    yield* failsWith(store.save(unsaved(sessionOf("never"), 0)), "Unavailable", "save")
    yield* failsWith(store.logout(revoke), "Unavailable", "clear")
    yield* same(runs(), 0, "renewals without the store")
    yield* same(revocations(), 0, "revocations without the store")
  })

export const outages = (
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
      "fails while it is down, sends no token request, and works again afterwards",
      Effect.gen(function* () {
        const { a, b, wire } = yield* two
        yield* put(b, sessionOf("held"))
        yield* wire.disconnect
        yield* refusesEverything(a)
        yield* wire.reconnect
        yield* holds(a, sessionOf("held"))
        yield* put(a, sessionOf("next"))
        yield* holds(b, sessionOf("next"))
      })
    ),

    scenario(
      "opens a key while it is down",
      Effect.gen(function* () {
        const key = yield* freshKey()
        const wire = yield* faulty
        yield* wire.disconnect
        const a = yield* wire.store.open(key, harness.requestTimeout)
        yield* failsWith(readStored(a), "Unavailable", "read")
        yield* wire.reconnect
        yield* put(a, sessionOf("first"))
      })
    ),

    scenario(
      "fails a renewal that loses the store before its request, and never with LeaseLost",
      Effect.gen(function* () {
        for (const permission of ["extend", "beginRefresh"] as const) {
          const { a, b, wire } = yield* two
          yield* put(b, sessionOf("old"))
          const { obtain, runs } = yield* makeObtain(sessionOf("never"), {
            beforeGate: (lease) => Effect.zipRight(wire.disconnect, lease[permission])
          })
          const fiber = yield* Effect.fork(renew(a, adoptNone, obtain))
          yield* harness.pass("1 second")
          yield* failsWith(Fiber.join(fiber), "Unavailable", `a renewal without permission to ${permission}`)
          yield* same(runs(), 1, "calls of obtain")
          yield* wire.reconnect
          yield* holds(b, sessionOf("old"))
        }
      }),
      "2 seconds"
    ),

    scenario(
      "answers a session that could not be written, and saves it later",
      Effect.gen(function* () {
        const { a, b, wire } = yield* two
        const { version } = yield* put(b, sessionOf("old"))
        const { obtain } = yield* makeObtain(sessionOf("granted"))
        yield* wire.loseCommit("request")
        const stored = yield* renew(a, adoptNone, obtain)
        yield* sameSession(stored.session, sessionOf("granted"), "what renew answers: Nomba granted it")
        yield* same(stored.saved, false, "saved")
        yield* same(stored.version, version, "the version of an unsaved session")
        yield* holds(b, sessionOf("old"))

        yield* wire.loseCommit("request")
        yield* failsWith(a.save(stored), "Unavailable", "save")
        const saved = yield* some(yield* a.save(stored), "what save answers")
        yield* sameSession(saved.session, sessionOf("granted"), "what save answers")
        yield* holds(b, sessionOf("granted"))
      })
    ),

    scenario(
      "finds a session saved whose commit was applied although its answer was lost",
      Effect.gen(function* () {
        const { a, b, wire } = yield* two
        const { version } = yield* put(b, sessionOf("old"))
        const { obtain } = yield* makeObtain(sessionOf("granted"))
        yield* wire.loseCommit("answer")
        const stored = yield* renew(a, adoptNone, obtain)
        yield* same(stored.saved, false, "saved, as far as is known")
        yield* same(stored.version, version, "the version of an unsaved session")
        const held = yield* holds(b, sessionOf("granted"))
        const saved = yield* some(yield* a.save(stored), "what save answers")
        yield* sameSession(saved.session, sessionOf("granted"), "what save answers")
        yield* same(saved.saved, true, "saved")
        yield* same(saved.version, held.version, "the version that save answers")
        yield* same((yield* holds(b, sessionOf("granted"))).version, held.version, "the version that is held")
      })
    ),

    scenario(
      "finds a session saved that save wrote although the answer was lost",
      Effect.gen(function* () {
        const { a, b, wire } = yield* two
        const stored = unsaved(sessionOf("granted"), 0)
        yield* wire.loseCommit("answer")
        yield* failsWith(a.save(stored), "Unavailable", "save")
        const held = yield* holds(b, sessionOf("granted"))
        const saved = yield* some(yield* a.save(stored), "what save answers")
        yield* same(saved.version, held.version, "the version that save answers")
      })
    ),

    scenario(
      "drops a session that a logout has overtaken after the answer to its commit was lost",
      Effect.gen(function* () {
        const { a, b, wire } = yield* two
        const { obtain } = yield* makeObtain(sessionOf("granted"))
        yield* wire.loseCommit("answer")
        const stored = yield* renew(a, adoptAny, obtain)
        const { current, revoke } = yield* makeRevoke()
        yield* b.logout(revoke)
        yield* sameSession((yield* some(current(), "what is revoked")).session, sessionOf("granted"), "what is revoked")
        yield* none(yield* a.save(stored), "what save answers")
        yield* holdsNothing(b)
      })
    ),

    scenario(
      "fails a logout whose tombstone may not be written, and lets it be tried again",
      Effect.gen(function* () {
        for (const what of ["request", "answer"] as const) {
          const { a, b, wire } = yield* two
          yield* put(b, sessionOf("held"))
          const { revoke } = yield* makeRevoke()
          yield* wire.loseCommit(what)
          yield* failsWith(a.logout(revoke), "Unavailable", "clear")
          const again = yield* makeRevoke()
          yield* a.logout(again.revoke)
          yield* same(again.runs(), 1, "revocations")
          yield* holdsNothing(b)
        }
      })
    ),

    scenario(
      "frees the lease of a holder whose commit failed",
      Effect.gen(function* () {
        for (const what of ["request", "answer"] as const) {
          const { a, b, wire } = yield* two
          const slow = yield* makeObtain(sessionOf("granted"), { gated: true })
          yield* wire.loseCommit(what)
          const first = yield* Effect.fork(renew(a, adoptNone, slow.obtain))
          yield* slow.arrived
          const next = yield* makeObtain(sessionOf("next"))
          const second = yield* Effect.fork(renew(b, adoptNone, next.obtain))
          yield* harness.settle
          yield* slow.open
          yield* Fiber.join(first)
          yield* Fiber.join(second)
          yield* same(next.runs(), 1, "renewals of the next holder")
          yield* holds(b, sessionOf("next"))
        }
      })
    )
  ]
}

export const unreadable = (
  harness: Harness,
  corrupt: (key: StoreKey) => Effect.Effect<void, Error>
): ReadonlyArray<ContractCase> => [
  scenario(
    "fails with StoreUnreadable for a damaged entry, sends no token request, and leaves it as it is",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* harness.holder(key)
      yield* put(a, sessionOf("held"))
      yield* corrupt(key)
      for (const store of [a, yield* harness.holder(key)]) {
        yield* refusesEverything(store)
        const error = yield* failsWith(readStored(store), "Unavailable", "read")
        yield* same(error.reason, "StoreUnreadable", "the reason")
        yield* ensure(!JSON.stringify(error).includes("held"), "the error quotes what is held")
      }
    })
  )
]
