/** A store that lost its latest writes, as a failover or a restored dump does, is noticed by who saw them. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { StoreKey } from "../../schemas/StoreKey.js"
import type { SessionStore } from "../../services/TokenStore.js"
import {
  adoptNone,
  down,
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

export const wentBack = (
  harness: Harness,
  snapshot: (key: StoreKey) => Effect.Effect<Effect.Effect<void, Error>, Error>
): ReadonlyArray<ContractCase> => {
  /** Two processes that have seen `old`, and the way back to it. */
  const two = Effect.gen(function* () {
    const key = yield* freshKey()
    const a = yield* harness.holder(key)
    const b = yield* harness.holder(key)
    const { version } = yield* put(a, sessionOf("old"))
    yield* holds(b, sessionOf("old"))
    return { a, b, version, goBack: yield* snapshot(key) }
  })

  const isBack = (store: SessionStore) => Effect.map(store.readVersioned, (_) => _.wentBack)

  return [
    scenario(
      "tells a process that saw a later version that the store went back, and no other",
      Effect.gen(function* () {
        const { a, b, goBack, version } = yield* two
        yield* put(a, sessionOf("new"))
        yield* goBack
        const state = yield* a.readVersioned
        yield* same(state.wentBack, true, "wentBack, for who saw more")
        yield* same(state.version, version, "the version that is stored")
        yield* same(yield* isBack(b), false, "wentBack, for who did not")
        let isTold = false
        const { obtain } = yield* makeObtain(sessionOf("next"), {
          beforeGate: (lease) => Effect.sync(() => (isTold = lease.wentBack))
        })
        const stored = yield* renew(a, adoptNone, obtain)
        yield* same(isTold, true, "wentBack, as the lease tells it")
        yield* ensure(stored.version > state.version, "a version did not rise")
        yield* same(yield* isBack(a), false, "wentBack after a commit")
      })
    ),

    scenario(
      "writes a live session back to a store that went back, above every version seen",
      Effect.gen(function* () {
        const { a, b, goBack } = yield* two
        const live = yield* put(a, sessionOf("live"))
        yield* goBack
        const restored = yield* some(yield* a.restore(Option.some(live)), "what restore answers")
        yield* sameSession(restored.session, sessionOf("live"), "what restore answers")
        yield* ensure(restored.version > live.version, "the version is not above every version seen")
        yield* same((yield* holds(b, sessionOf("live"))).version, restored.version, "the version that is held")
        yield* same(yield* isBack(a), false, "wentBack after restore")
      })
    ),

    scenario(
      "restores nothing in a store that did not go back",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const live = yield* put(a, sessionOf("live"))
        const newer = yield* put(b, sessionOf("newer"))
        const answered = yield* some(yield* a.restore(Option.some(live)), "what restore answers")
        yield* sameSession(answered.session, sessionOf("newer"), "what restore answers")
        yield* same((yield* holds(b, sessionOf("newer"))).version, newer.version, "the version that is held")
      })
    ),

    scenario(
      "leaves a store that went back as it is without a live session, and answers what it holds",
      Effect.gen(function* () {
        const { a, b, goBack, version } = yield* two
        yield* put(a, sessionOf("new"))
        yield* goBack
        const answered = yield* some(yield* a.restore(Option.none()), "what restore answers")
        yield* same(answered.version, version, "the version that restore answers")
        yield* same((yield* holds(b, sessionOf("old"))).version, version, "the version that is held")
      })
    ),

    scenario(
      "counts a tombstone that was seen although the store went back, and writes it again",
      Effect.gen(function* () {
        const { a, b, goBack } = yield* two
        const { revoke } = yield* makeRevoke({ end: Effect.fail(down) })
        yield* failsWith(a.logout(revoke), "Unavailable", "the logout")
        const { version } = yield* a.readVersioned
        yield* goBack
        yield* holds(b, sessionOf("old"))
        const state = yield* a.readVersioned
        yield* none(state.stored, "what is stored, for who saw the tombstone")
        yield* same(state.wentBack, true, "wentBack")
        yield* same(state.version, version, "the version of the tombstone that was seen")

        yield* none(yield* a.restore(Option.none()), "what restore answers over a tombstone")
        yield* holdsNothing(b)
        yield* ensure((yield* b.readVersioned).version > version, "the version is not above every version seen")
        const again = yield* makeRevoke()
        yield* b.logout(again.revoke)
        yield* sameSession(
          (yield* some(again.current(), "what is revoked")).session,
          sessionOf("old"),
          "what is revoked"
        )
      })
    ),

    scenario(
      "renews over a tombstone that was seen as if it were stored",
      Effect.gen(function* () {
        const { a, b, goBack } = yield* two
        const { revoke } = yield* makeRevoke()
        yield* a.logout(revoke)
        const { version } = yield* a.readVersioned
        yield* goBack
        const next = yield* makeObtain(sessionOf("next"))
        const stored = yield* renew(a, () => true, next.obtain)
        yield* none(next.current(), "the current session of a renewal after a logout")
        yield* ensure(stored.version > version, "the version is not above every version seen")
        yield* holds(b, sessionOf("next"))
      })
    )
  ]
}
