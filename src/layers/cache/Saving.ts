/**
 * Writes a session to the store that did not take it when Nomba granted it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Unavailable } from "../../schemas/AuthError.js"
import type { Session } from "../../schemas/Session.js"
import { RENEWAL_LIMIT } from "../../services/AttemptGate.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import { SessionEvent } from "../../services/TokenCache.js"
import type { SessionStore } from "../../services/TokenStore.js"
import { hardTimeout, STORE_LIMIT, storeTimedOut, unrefSleep } from "../time.js"
import type { Adoption } from "./Adoption.js"
import * as Flight from "./Flight.js"
import { closed } from "./obtainSession.js"
import type { SessionEvents } from "./SessionEvents.js"
import * as State from "./State.js"

export interface Saving {
  /** Tries once to save the cached session, if that is due. */
  readonly once: Flight.Flight<Unavailable>
  /** Tries until the session is saved, rejected or replaced. */
  readonly untilDone: Flight.Flight<never>
  /** Revokes a session that a logout has overtaken. */
  readonly discard: (session: Session) => Effect.Effect<void>
  /** The cached session has to be written. One that was rejected is not worth it. */
  readonly isDue: () => boolean
}

export interface Dependencies {
  readonly adoption: Adoption
  readonly auth: NombaAuthService
  readonly events: SessionEvents
  readonly fork: Flight.Fork
  readonly now: () => number
  readonly state: State.StateRef
  readonly store: SessionStore
}

export const make = ({ adoption, auth, events, fork, now, state, store }: Dependencies): Saving => {
  const { current, update } = state

  const discard = ({ accessToken }: Session): Effect.Effect<void> =>
    Effect.sync(() => void fork(Effect.ignoreLogged(Effect.timeout(auth.revoke(accessToken), RENEWAL_LIMIT))))

  const isUnsaved = (cached: State.Cached | undefined): cached is State.Cached =>
    cached !== undefined && !cached.saved && !cached.rejected

  const save = Effect.gen(function* () {
    const since = current()
    const { cached } = since
    if (!isUnsaved(cached)) return
    const kept = yield* hardTimeout(STORE_LIMIT)(store.save(adoption.storedOf(cached)))
    if (Option.isSome(kept)) return void (yield* adoption.take(State.adopt, kept.value, since))
    yield* update((before) => (before.cached?.session === cached.session ? State.forget(before) : before))
    events.publish(SessionEvent.LoggedOut())
    yield* discard(cached.session)
  })

  const once = Flight.make<Unavailable>({
    fork,
    now,
    limit: RENEWAL_LIMIT,
    work: () => save,
    onInterrupt: Exit.fail(closed),
    onTimeout: Exit.fail(storeTimedOut)
  })

  const untilDone = Flight.make<never>({
    fork,
    now,
    limit: Duration.infinity,
    work: () =>
      Effect.gen(function* () {
        for (let wait = 1_000; isUnsaved(current().cached); wait = Math.min(wait * 2, 30_000)) {
          yield* unrefSleep(Duration.millis(wait))
          yield* Effect.ignore(once.run)
        }
      }),
    onInterrupt: Exit.void,
    onTimeout: Exit.void
  })

  return { once, untilDone, discard, isDue: () => isUnsaved(current().cached) }
}
