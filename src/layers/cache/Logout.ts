/**
 * Ending the session, and knowing whether it has ended.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type AuthError, Unavailable, withHint } from "../../schemas/AuthError.js"
import { RENEWAL_LIMIT } from "../../services/AttemptGate.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import type { Lease, LeaseLost, SessionStore, Stored } from "../../services/TokenStore.js"
import type { Cell } from "./Cell.js"
import * as State from "./State.js"

const unproved =
  "It is not proved that the session has ended at Nomba. A 401 has three causes: the accountId header is absent, the account id is wrong, or the token was dead already. No cache uses the session any more; logging out again tries again."

const revokeOne = (auth: NombaAuthService, lease: Lease, stored: Stored): Effect.Effect<void, AuthError | LeaseLost> =>
  Effect.zipRight(
    lease.check,
    Effect.catchAll(auth.revoke(stored.session.accessToken), (error) =>
      error._tag === "Expired" && Duration.toMillis(stored.remaining) === 0
        ? Effect.void
        : Effect.fail(withHint(error, unproved))
    )
  )

/** The session in hand that the store does not have, with what is left of it now. */
const unsaved = (cell: Cell): Option.Option<Stored> =>
  Option.map(
    Option.liftPredicate(cell.current().held, (held): held is State.Held => held?.saved === false),
    (held) => ({ ...held, marked: false, remaining: Duration.millis(Math.max(0, held.expiresAt - cell.now())) })
  )

/**
 * Takes the exclusive right, revokes what the store holds and what it was not yet given, and leaves a tombstone whatever
 * Nomba answers. A session that the unsaved one has replaced at Nomba is dead already and is not revoked.
 */
export const logout = (auth: NombaAuthService, store: SessionStore, cell: Cell): Effect.Effect<void, AuthError> =>
  Effect.suspend(() => {
    const ours = unsaved(cell)
    return store.clear((current, lease) => {
      const theirs = Option.filter(current, (stored) => !Option.exists(ours, (_) => _.version === stored.version))
      return Effect.zipRight(
        cell.update(State.forget),
        Effect.forEach(
          [...Option.toArray(ours), ...Option.toArray(theirs)],
          (stored) => revokeOne(auth, lease, stored),
          {
            discard: true
          }
        )
      )
    })
  }).pipe(
    Effect.disconnect,
    Effect.timeoutFail({
      duration: RENEWAL_LIMIT,
      onTimeout: () => new Unavailable({ operation: "store", reason: "Store", detail: "ETIMEDOUT", hint: unproved })
    })
  )
