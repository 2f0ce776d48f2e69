/**
 * Bringing a session into the store that did not take it when Nomba granted it.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Unavailable } from "../../schemas/AuthError.js"
import type { Session } from "../../schemas/Session.js"
import { RENEWAL_LIMIT } from "../../services/AttemptGate.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import type { SessionStore, Stored } from "../../services/TokenStore.js"
import { atMost, STORE_LIMIT } from "../wait/atMost.js"
import { sleep } from "../wait/quietly.js"
import type { Aside } from "./Aside.js"
import type * as Cell from "./Cell.js"
import { closed } from "./Mint.js"
import * as SingleFlight from "./SingleFlight.js"
import * as State from "./State.js"

/** Takes a session in hand, unless it has been overtaken since then. */
export type Adopt = (
  stored: Stored,
  since: State.State,
  origin: State.Held["origin"],
  isRemedy?: boolean
) => Effect.Effect<Cell.Change>

export interface Saving {
  /** Tries once to save the session in hand, if that is due. */
  readonly once: SingleFlight.SingleFlight<Unavailable>
  /** Tries until it is saved, rejected or replaced. */
  readonly untilDone: SingleFlight.SingleFlight<never>
  /** Ends at Nomba a session that a logout has overtaken. */
  readonly discard: (session: Session) => Effect.Effect<unknown>
}

export interface Dependencies {
  readonly adopt: Adopt
  readonly aside: Aside
  readonly auth: NombaAuthService
  readonly cell: Cell.Cell
  readonly fork: SingleFlight.Fork
  readonly store: SessionStore
}

/** A session that was rejected is no longer written. */
export const isDue = (held: State.Held | undefined): held is State.Held =>
  held !== undefined && !held.saved && !held.rejected

export const make = ({ adopt, aside, auth, cell, fork, store }: Dependencies): Saving => {
  const discard: Saving["discard"] = ({ accessToken }) =>
    aside.start(Effect.ignoreLogged(Effect.timeout(auth.revoke(accessToken), RENEWAL_LIMIT)))

  const save = Effect.suspend((): Effect.Effect<unknown, Unavailable> => {
    const state = cell.current()
    const { held } = state
    if (!isDue(held)) return Effect.void
    const { session } = held
    const remaining = Duration.millis(Math.max(0, held.expiresAt - cell.now()))
    return store.save({ ...held, remaining, refreshInFlight: false }).pipe(
      atMost(STORE_LIMIT),
      Effect.flatMap(
        Option.match({
          onNone: () =>
            Effect.zipRight(
              cell.update((state) => (state.held?.session === session ? State.forget(state) : state)),
              discard(session)
            ),
          onSome: (kept) =>
            adopt(kept, state, State.sameToken(kept.session.accessToken, session.accessToken) ? held.origin : "adopted")
        })
      )
    )
  })

  const once = SingleFlight.make<Unavailable>(fork, Effect.asVoid(save), Exit.fail(closed))

  const untilDone = SingleFlight.make<never>(
    fork,
    Effect.gen(function* () {
      for (let wait = 1_000; isDue(cell.current().held); wait = Math.min(wait * 2, 30_000)) {
        yield* sleep(Duration.millis(wait))
        yield* Effect.ignore(once.run)
      }
    }),
    Exit.void
  )

  return { once, untilDone, discard }
}
