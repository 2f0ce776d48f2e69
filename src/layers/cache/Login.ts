/**
 * Putting a session that a person brought in the place of whatever the store holds.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Unavailable } from "../../schemas/AuthError.js"
import type { Session } from "../../schemas/Session.js"
import { RENEWAL_LIMIT } from "../../services/AttemptGate.js"
import type { SessionStore, Stored } from "../../services/TokenStore.js"
import { atMost } from "../wait/atMost.js"
import type { Cell } from "./Cell.js"
import { closed } from "./Mint.js"
import type * as State from "./State.js"

export interface Dependencies {
  readonly cell: Cell
  readonly closing: Deferred.Deferred<void>
  readonly store: SessionStore
  /** Takes a session in hand, and sees to it that it is saved. */
  readonly keep: (stored: Stored, since: State.State) => Effect.Effect<void>
}

/**
 * Takes the exclusive right and commits. Nomba has granted the session already, so that a store that does not take it
 * within 30 s loses nothing but time.
 */
export const make = ({ cell, closing, keep, store }: Dependencies) => {
  let begun = 0
  let kept = 0
  return (session: Session): Effect.Effect<void, Unavailable> =>
    Effect.gen(function* () {
      if (yield* Deferred.isDone(closing)) return yield* closed
      const own = ++begun
      const at = cell.now()
      const left = Effect.sync(() => Duration.subtract(session.lifetime, Math.max(0, cell.now() - at)))
      let since = cell.current()
      let basis = since.highest
      const stored = yield* store
        .renew({
          adopt: () => false,
          share: Option.none,
          isAbandoned: () => false,
          ignoreSharedFailure: true,
          obtain: (_, lease) => {
            // Who logged in later has ended this session, and did not have to wait for the store.
            if (own < kept) return closed
            since = cell.current()
            basis = lease.version
            return Effect.map(left, (remaining) => ({ session, remaining }))
          }
        })
        .pipe(
          atMost(RENEWAL_LIMIT),
          Effect.catchAllCause(() =>
            Effect.map(left, (remaining) => ({
              session,
              remaining,
              version: basis,
              refreshInFlight: false,
              saved: false
            }))
          )
        )
      kept = Math.max(kept, own)
      yield* keep(stored, since)
    })
}
