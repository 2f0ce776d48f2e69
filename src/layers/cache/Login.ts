/**
 * Puts the session of a login in the place of whatever the store holds.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { PublicLoginService } from "../../services/PublicLogin.js"
import type { SessionStore, Stored } from "../../services/TokenStore.js"
import { hardTimeout, RENEWAL_LIMIT } from "../time.js"
import { closed } from "./obtainSession.js"
import type { RenewalHistory } from "./RenewalHistory.js"
import * as State from "./State.js"
import type { StoreSync } from "./StoreSync.js"

export interface Dependencies {
  readonly closing: Deferred.Deferred<void>
  readonly history: RenewalHistory
  readonly now: () => number
  readonly state: State.StateRef
  readonly store: SessionStore
  readonly sync: StoreSync
}

export const make = ({
  closing,
  history,
  now,
  state: { current },
  store,
  sync
}: Dependencies): PublicLoginService["login"] => {
  let loginsStarted = 0
  let lastLoginKept = 0

  return (session) =>
    Effect.gen(function* () {
      if (yield* Deferred.isDone(closing)) return yield* closed
      const own = ++loginsStarted
      const at = now()
      const remaining = () => Duration.subtract(session.lifetime, Duration.millis(now() - at))
      let since = current()
      let version = since.highest
      const stored = yield* store
        .renew({
          adopt: () => false,
          isAbandoned: () => false,
          share: Option.none,
          ignoreSharedFailure: true,
          onStored: sync.stored,
          obtain: (_, lease) =>
            Effect.suspend(() => {
              // A later login has ended this session and did not have to wait for the store.
              if (own < lastLoginKept) return closed
              since = current()
              version = lease.version
              sync.obtained(session, "issue")
              return Effect.succeed({ session, remaining: remaining() })
            })
        })
        .pipe(
          hardTimeout(RENEWAL_LIMIT),
          // Nomba has started the session already, so a store that does not take it loses nothing but time.
          Effect.catchAllCause(() =>
            Effect.sync(
              (): Stored => ({
                session,
                version,
                remaining: remaining(),
                refreshInFlight: false,
                saved: false
              })
            )
          )
        )
      lastLoginKept = Math.max(lastLoginKept, own)
      const { before } = yield* sync.take(State.logIn, stored, since, "issue")
      history.failure = undefined
      if (stored.saved) return
      if (before.epoch !== since.epoch) return yield* sync.discard(stored.session)
      yield* sync.saveUntilDone.start
    })
}
