/**
 * Ends the session, and says so if Nomba did not confirm it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { type AuthError, Unavailable } from "../../schemas/AuthError.js"
import { withHint } from "../../schemas/ErrorMeaning.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import { SessionEvent } from "../../services/TokenCache.js"
import type { SessionStore } from "../../services/TokenStore.js"
import { HEADROOM, hardTimeout, RENEWAL_LIMIT, stallTolerantTimeout } from "../time.js"
import * as State from "./State.js"

export interface Dependencies {
  readonly auth: NombaAuthService
  readonly events: State.SessionEvents
  readonly now: () => number
  readonly state: State.StateRef
  readonly store: SessionStore
}

type Ending = Pick<State.Cached, "session" | "version" | "expiresAt">

const unconfirmed =
  "Nomba did not confirm that the session has ended. A 401 has three causes: the accountId header is missing, the account id is wrong, or the token was expired or revoked already. No cache uses the session any more. Log out again to try again."

const unchanged = "Nothing was changed, because the token store could not be reached. Log out again."

const unknown = "The session may or may not have ended, because the token store did not answer. Log out again."

/**
 * Takes the lease, revokes what the store holds and what this process could not save, and writes a tombstone whatever
 * Nomba answers. A session that Nomba ended when it issued an unsaved one is not revoked.
 */
export const make = ({ auth, events, now, state, store }: Dependencies): Effect.Effect<void, AuthError> => {
  /** What the last logout could not revoke and no tombstone keeps, because the store never had it. */
  let unrevoked: ReadonlyArray<Ending> = []

  const revoke = ({ expiresAt, session }: Ending, deadline: number): Effect.Effect<void, AuthError> =>
    auth.revoke(session.accessToken).pipe(
      stallTolerantTimeout({
        duration: Duration.millis(deadline - now() - Duration.toMillis(HEADROOM)),
        onTimeout: () => new Unavailable({ operation: "revoke", reason: "Timeout" })
      }),
      Effect.catchAll((error) =>
        error._tag === "Expired" && now() >= expiresAt ? Effect.void : Effect.fail(withHint(error, unconfirmed))
      )
    )

  const forget = Effect.gen(function* () {
    const { before } = yield* state.update(State.forget)
    if (before.cached !== undefined) {
      events.publish(SessionEvent.LoggedOut())
      yield* Effect.logDebug("Logging out: the session is not used any more.")
    }
    return before.cached
  })

  return Effect.suspend(() => {
    const deadline = now() + Duration.toMillis(RENEWAL_LIMIT)
    let hasBegun = false
    let unsaved: ReadonlyArray<Ending> = []
    return store
      .logout((current, lease) =>
        Effect.gen(function* () {
          hasBegun = true
          const cached = yield* forget
          if (cached?.saved === false) unsaved = [cached]
          const stored = Option.match(current, {
            onNone: () => [],
            onSome: ({ remaining, session, version }) =>
              unsaved.some((ending) => ending.version === version)
                ? []
                : [{ session, version, expiresAt: now() + Duration.toMillis(remaining) }]
          })
          // Nomba ended what was left unrevoked when it started a newer session.
          const ours = unsaved.length + stored.length === 0 ? unrevoked : unsaved
          const failures = new Map<Ending, AuthError>()
          for (const ending of [...ours, ...stored]) {
            yield* lease.extend
            const outcome = yield* Effect.either(revoke(ending, deadline))
            if (Either.isLeft(outcome)) failures.set(ending, outcome.left)
          }
          unrevoked = ours.filter((ending) => failures.has(ending))
          for (const error of failures.values()) return yield* error
        })
      )
      .pipe(
        hardTimeout(RENEWAL_LIMIT),
        Effect.mapError((error) =>
          error.operation === "store" ? withHint(error, hasBegun ? unknown : unchanged) : error
        )
      )
  })
}
