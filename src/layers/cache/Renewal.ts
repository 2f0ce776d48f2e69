/**
 * Renewing the session in hand, and taking over what other holders of the store did.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { type AuthError, type Unavailable, UnexpectedResponse } from "../../schemas/AuthError.js"
import { RENEWAL_LIMIT } from "../../services/AttemptGate.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import type { PublicLoginService } from "../../services/PublicLogin.js"
import type { SessionSourceService } from "../../services/SessionSource.js"
import type { SessionStore, Stored } from "../../services/TokenStore.js"
import { atMost, STORE_LIMIT } from "../wait/atMost.js"
import type { Aside } from "./Aside.js"
import type * as Cell from "./Cell.js"
import * as Login from "./Login.js"
import * as Mint from "./Mint.js"
import * as Saving from "./Saving.js"
import * as SingleFlight from "./SingleFlight.js"
import * as State from "./State.js"

export interface Renewal {
  /** At most one run at a time; ends within 30 s in which the process runs. */
  readonly flight: SingleFlight.SingleFlight<AuthError>
  /** Looks into the store without calling Nomba; at most one run at a time. */
  readonly look: SingleFlight.SingleFlight<never>
  /** Puts a session that a person brought in the place of whatever is there. */
  readonly login: PublicLoginService["login"]
  /** Takes over what the store holds, where a version is announced that is not known. */
  readonly follow: (versions: Iterable<number>) => Effect.Effect<void>
  /** Ends what is under way: a run that has reached for Nomba is waited for, any other is interrupted. */
  readonly close: Effect.Effect<void>
}

export interface Dependencies {
  readonly aside: Aside
  readonly auth: NombaAuthService
  readonly config: NombaConfigService
  readonly source: SessionSourceService
  readonly store: SessionStore
  readonly cell: Cell.Cell
  readonly fork: SingleFlight.Fork
  readonly closing: Deferred.Deferred<void>
}

const usedUp = new UnexpectedResponse({
  operation: "issue",
  reason: "AlreadyExpired",
  issues: ["its lifetime was used up before its answer was complete"]
})

export const make = ({ aside, auth, cell, closing, config, fork, source, store }: Dependencies): Renewal => {
  const isAdoptable = (stored: Stored): boolean =>
    State.isAdoptable(cell.current(), stored, cell.now(), config.renewAhead)

  const take =
    (step: typeof State.adopt): Saving.Adopt =>
    (stored, since, origin, isRemedy = false) =>
      Effect.flatMap(Random.next, (jitter) =>
        cell.update((state, now) =>
          State.isOvertaken(state, since, stored)
            ? state
            : step(state, stored, { origin, isRemedy, jitter, now, renewAhead: config.renewAhead })
        )
      )

  const adopt = take(State.adopt)
  const logIn = take(State.logIn)

  const saving = Saving.make({ adopt, aside, auth, cell, fork, store })

  /** Whether the run that is under way has reached for Nomba, and is waited for when the cache closes. */
  let isMinting = false

  /**
   * What the store holds after one renewal. What Nomba granted is kept, whatever becomes of the store. None where a
   * session was in hand and has been ended by a logout meanwhile: another is started only for who still asks.
   */
  const renewStored = ({ held, highest }: State.State, deadline: number) =>
    Effect.suspend(() => {
      let granted: { readonly stored: Stored; readonly at: number } | undefined
      let isEnded = false
      const mint = Mint.mint({
        auth,
        source,
        closing,
        deadline,
        requestTimeout: config.requestTimeout,
        wasEnded: (session) => State.wasEnded(cell.current(), session),
        hasLiveToken: Effect.sync(() => State.isServed(cell.current().held, cell.now()))
      })
      return store
        .renew(isAdoptable, (current, lease) => {
          isEnded = held !== undefined && Option.isNone(current) && lease.version > highest
          if (isEnded) {
            return Effect.zipRight(
              cell.update((state) => State.end(state, lease.version)),
              Mint.closed
            )
          }
          isMinting = true
          return mint(current, lease).pipe(
            Effect.tap((minted) =>
              Effect.sync(() => {
                granted = { stored: { ...minted, version: lease.version, marked: false, saved: false }, at: cell.now() }
              })
            ),
            Effect.onError(() => Effect.sync(() => (isMinting = false)))
          )
        })
        .pipe(
          atMost(Duration.millis(deadline - cell.now())),
          Effect.catchAllCause((cause) =>
            granted === undefined ? Effect.failCause(cause) : Effect.succeed(aged(granted))
          ),
          Effect.map((stored) => ({
            stored,
            isMinted:
              granted !== undefined && State.sameToken(granted.stored.session.accessToken, stored.session.accessToken)
          })),
          Effect.asSome,
          Effect.catchIf(
            () => isEnded,
            () => Effect.succeedNone
          )
        )
    })

  /** Takes a session in hand, and sees to it that it is saved. */
  const keep = (
    stored: Stored,
    since: State.State,
    adopting: Effect.Effect<Cell.Change>,
    saveNow: Effect.Effect<void>
  ): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { before } = yield* adopting
      if (stored.saved) return
      if (before.epoch !== since.epoch) return void (yield* saving.discard(stored.session))
      yield* saveNow
      yield* saving.untilDone.start
    })

  /** With what is left of it now. */
  const aged = ({ at, stored }: { readonly stored: Stored; readonly at: number }): Stored => ({
    ...stored,
    remaining: Duration.subtract(stored.remaining, Math.max(0, cell.now() - at))
  })

  const newDeadline = (): number => cell.now() + Duration.toMillis(RENEWAL_LIMIT)

  const renewBy = (deadline: number): Effect.Effect<void, AuthError> =>
    Effect.gen(function* () {
      if (yield* Deferred.isDone(closing)) return yield* Mint.closed
      isMinting = false
      yield* saving.once.run
      const state = cell.current()
      if (State.isFresh(state.held, cell.now())) return

      const renewed = yield* renewStored(state, deadline)
      if (Option.isNone(renewed)) return
      const { isMinted, stored } = renewed.value
      if (isMinted && !State.isUsable(stored)) return yield* usedUp
      const adopting = adopt(stored, state, isMinted ? "minted" : "adopted", isMinted && State.isRemedy(state))
      const saveNow = Effect.ignore(atMost(Duration.millis(deadline - cell.now()))(saving.once.run))
      yield* keep(stored, state, adopting, saveNow)
    })

  /** Begins again, once, where all the time went by while the process stood still: it would have been interrupted else. */
  const renew: Effect.Effect<void, AuthError> = Effect.suspend(() => {
    const deadline = newDeadline()
    return Effect.catchIf(
      renewBy(deadline),
      (error) => Mint.isOutOfTime(error) && cell.now() >= deadline,
      () => renewBy(newDeadline())
    )
  })

  const failed = (error: AuthError): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (error._tag === "Unavailable" && error.reason === "Closed") return Effect.void
      const isServing = State.isServed(cell.current().held, cell.now())
      return Effect.zipRight(
        cell.update((state, now) => State.fail(state, error, now)),
        Effect.when(
          Effect.logWarning(`The session could not be renewed ahead of its expiry. ${error.message}`),
          () => isServing
        )
      )
    })

  const flight = SingleFlight.make<AuthError>(
    fork,
    Effect.withSpan(Effect.tapError(renew, failed), "TokenCache.renew", { root: true, captureStackTrace: false }),
    Exit.fail(Mint.closed)
  )

  /** The highest version that was seen in the store, whatever was announced. */
  let seen = 0

  /** One look into the store. A newer version that holds nothing is a logout elsewhere. */
  const readStore: Effect.Effect<unknown, Unavailable> = Effect.suspend(() => {
    const since = cell.current()
    return Effect.flatMap(atMost(STORE_LIMIT)(store.look), ({ stored, version }): Effect.Effect<unknown> => {
      seen = Math.max(seen, version)
      if (Option.isNone(stored)) return cell.update((state) => State.end(state, version))
      return isAdoptable(stored.value) ? adopt(stored.value, since, "adopted") : Effect.void
    })
  })

  const takeOver: Effect.Effect<void> = Effect.suspend(() =>
    Effect.ignore(Saving.isDue(cell.current().held) ? saving.once.run : readStore)
  )

  const look = SingleFlight.make<never>(
    fork,
    Effect.zipRight(
      takeOver,
      cell.update((state, now) => ({ ...state, lookedAt: now }))
    ),
    Exit.void
  )

  return {
    flight,
    look,
    login: Login.make({
      cell,
      closing,
      store,
      keep: (stored, since) => keep(stored, since, logIn(stored, since, "minted"), Effect.void)
    }),
    follow: (versions) =>
      Effect.suspend(() => {
        const known = Math.max(seen, cell.current().highest)
        return Array.from(versions).some((version) => version > known) ? takeOver : Effect.void
      }),
    close: Effect.suspend(() => (isMinting ? flight.settled : flight.stop)).pipe(
      Effect.zipRight(saving.untilDone.stop),
      Effect.zipRight(look.stop),
      Effect.zipRight(Effect.ignore(saving.once.run))
    )
  }
}
