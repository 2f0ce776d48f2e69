/**
 * Ending the session, and knowing whether it has ended.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { type AuthError, Unavailable, withHint } from "../../schemas/AuthError.js"
import { HEADROOM, RENEWAL_LIMIT } from "../../services/AttemptGate.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import type { SessionStore } from "../../services/TokenStore.js"
import { atMost } from "../wait/atMost.js"
import { timeoutFail } from "../wait/patiently.js"
import type { Cell } from "./Cell.js"
import * as State from "./State.js"

export interface Dependencies {
  readonly auth: NombaAuthService
  readonly cell: Cell
  readonly store: SessionStore
}

type Ending = Pick<State.Held, "session" | "version" | "expiresAt">

const unproved =
  "It is not proved that the session has ended at Nomba. A 401 has three causes: the accountId header is absent, the account id is wrong, or the token was dead already. No cache uses the session any more; logging out again tries again."

const unchanged = "Nothing was changed: the token store was not reached. Log out again."

const unrecorded =
  "It is not known whether the session has ended, because the token store did not answer. Log out again."

/**
 * Takes the exclusive right, revokes what the store holds and what this process could not save, and leaves a tombstone
 * whatever Nomba answers. A session that an unsaved one has replaced at Nomba is dead already and is not revoked.
 */
export const make = ({ auth, cell, store }: Dependencies): Effect.Effect<void, AuthError> => {
  /** What the last logout could not prove, of what no tombstone keeps because the store never had it. */
  let owed: ReadonlyArray<Ending> = []

  const revoke = ({ expiresAt, session }: Ending, deadline: number): Effect.Effect<void, AuthError> =>
    auth.revoke(session.accessToken).pipe(
      timeoutFail({
        duration: Duration.millis(deadline - cell.now() - Duration.toMillis(HEADROOM)),
        onTimeout: () => new Unavailable({ operation: "revoke", reason: "Timeout" })
      }),
      Effect.catchAll((error) =>
        error._tag === "Expired" && cell.now() >= expiresAt ? Effect.void : Effect.fail(withHint(error, unproved))
      )
    )

  return Effect.suspend(() => {
    const deadline = cell.now() + Duration.toMillis(RENEWAL_LIMIT)
    let hasBegun = false
    let unsaved: ReadonlyArray<Ending> = []
    const clear = store.logout((current, lease) =>
      Effect.gen(function* () {
        hasBegun = true
        const { held } = (yield* cell.update(State.forget)).before
        if (held?.saved === false) unsaved = [held]
        const theirs = Option.match(current, {
          onNone: () => [],
          onSome: ({ remaining, session, version }) =>
            unsaved.some((_) => _.version === version)
              ? []
              : [{ session, version, expiresAt: cell.now() + Duration.toMillis(remaining) }]
        })
        // What is owed is dead at Nomba as soon as there is a newer session.
        const ours = unsaved.length + theirs.length === 0 ? owed : unsaved
        const failures = new Map<Ending, AuthError>()
        for (const ending of [...ours, ...theirs]) {
          yield* lease.extend
          const outcome = yield* Effect.either(revoke(ending, deadline))
          if (Either.isLeft(outcome)) failures.set(ending, outcome.left)
        }
        owed = ours.filter((ending) => failures.has(ending))
        for (const error of failures.values()) return yield* error
      })
    )
    return clear.pipe(
      atMost(RENEWAL_LIMIT),
      Effect.mapError((error) =>
        error.operation === "store" ? withHint(error, hasBegun ? unrecorded : unchanged) : error
      )
    )
  })
}
