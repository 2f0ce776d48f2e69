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
import { type AuthError, Unavailable, UnexpectedResponse } from "../../schemas/AuthError.js"
import { RENEWAL_LIMIT } from "../../services/AttemptGate.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import type { SessionSourceService } from "../../services/SessionSource.js"
import type { SessionStore, Stored } from "../../services/TokenStore.js"
import type { Cell } from "./Cell.js"
import * as Mint from "./Mint.js"
import { sleep } from "./quietly.js"
import * as SingleFlight from "./SingleFlight.js"
import * as State from "./State.js"

export interface Renewal {
  /** At most one run at a time; ends within 30 s. */
  readonly flight: SingleFlight.SingleFlight<AuthError>
  /** Looks into the store without calling Nomba; at most one run at a time. */
  readonly look: SingleFlight.SingleFlight<never>
  /** Takes over what an announced version of the store brought. */
  readonly follow: (version: number) => Effect.Effect<void>
  /** Ends what is under way: a run that has reached for Nomba is waited for, any other is interrupted. */
  readonly close: Effect.Effect<void>
}

export interface Dependencies {
  readonly auth: NombaAuthService
  readonly config: NombaConfigService
  readonly source: SessionSourceService
  readonly store: SessionStore
  readonly cell: Cell
  readonly fork: SingleFlight.Fork
  readonly closing: Deferred.Deferred<void>
}

/** How long one look into the store may take, and one try to save a session. */
const STORE_LIMIT: Duration.Duration = Duration.seconds(5)

const storeTimeout = () => new Unavailable({ operation: "store", reason: "Store", detail: "ETIMEDOUT" })

const usedUp = new UnexpectedResponse({
  operation: "issue",
  reason: "DeadOnArrival",
  issues: ["its lifetime was used up before its answer was complete"]
})

export const make = ({ auth, cell, closing, config, fork, source, store }: Dependencies): Renewal => {
  const isAdoptable = (stored: Stored): boolean => State.isAdoptable(cell.current(), stored, config.renewAhead)

  const adopt = (stored: Stored, origin: State.Held["origin"], isRemedy = false): Effect.Effect<unknown> =>
    Effect.flatMap(Random.next, (jitter) =>
      cell.update((state, now) =>
        State.adopt(state, stored, { origin, isRemedy, jitter, now, renewAhead: config.renewAhead })
      )
    )

  /** Tries once to save; none where a logout has overtaken the session, which is revoked then. */
  const save = (unsaved: Stored): Effect.Effect<Option.Option<Stored>, Unavailable> =>
    store.save(unsaved).pipe(
      Effect.timeoutFail({ duration: STORE_LIMIT, onTimeout: storeTimeout }),
      Effect.tap((kept) =>
        Effect.when(Effect.ignoreLogged(auth.revoke(unsaved.session.accessToken)), () => Option.isNone(kept))
      )
    )

  const needsSaving = (held: State.Held | undefined): held is State.Held =>
    held !== undefined && !held.saved && !held.rejected

  /** The same for the session in hand. */
  const saveHeld: Effect.Effect<void, Unavailable> = Effect.suspend(() => {
    const { held } = cell.current()
    if (!needsSaving(held)) return Effect.void
    const remaining = Duration.millis(Math.max(0, held.expiresAt - cell.now()))
    return Effect.flatMap(
      save({ ...held, remaining, marked: false }),
      Option.match({
        onNone: () => cell.update((state) => (state.held?.session === held.session ? State.forget(state) : state)),
        onSome: (kept) =>
          adopt(kept, State.sameToken(kept.session.accessToken, held.session.accessToken) ? held.origin : "adopted")
      })
    )
  })

  const saving = SingleFlight.make<never>(
    fork,
    Effect.gen(function* () {
      for (let wait = 1_000; needsSaving(cell.current().held); wait = Math.min(wait * 2, 30_000)) {
        yield* sleep(Duration.millis(wait))
        yield* Effect.ignore(saveHeld)
      }
    }),
    Exit.void
  )

  /** Whether the run that is under way has begun to mint, and is waited for when the cache closes. */
  let isMinting = false

  /** What the store holds after one renewal. What Nomba granted is kept, whatever becomes of the store. */
  const renewStored = (deadline: number) =>
    Effect.suspend(() => {
      let granted: Stored | undefined
      const mint = Mint.mint({
        auth,
        source,
        closing,
        deadline,
        requestTimeout: config.requestTimeout,
        hasLiveToken: Effect.sync(() => State.isServed(cell.current().held, cell.now()))
      })
      return store
        .renew(isAdoptable, (current, lease) => {
          isMinting = true
          return Effect.tap(mint(current, lease), (minted) =>
            Effect.sync(() => {
              granted = { ...minted, version: lease.version, marked: false, saved: false }
            })
          )
        })
        .pipe(
          within(deadline),
          Effect.catchAllCause((cause) => (granted === undefined ? Effect.failCause(cause) : Effect.succeed(granted))),
          Effect.map((stored) => ({
            stored,
            isMinted: granted !== undefined && State.sameToken(granted.session.accessToken, stored.session.accessToken)
          }))
        )
    })

  const within =
    (deadline: number) =>
    <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | Unavailable> =>
      Effect.timeoutFail(Effect.disconnect(effect), {
        duration: Duration.millis(Math.max(0, deadline - cell.now())),
        onTimeout: storeTimeout
      })

  const renew: Effect.Effect<void, AuthError> = Effect.gen(function* () {
    if (yield* Deferred.isDone(closing)) return yield* Mint.closed
    isMinting = false
    const deadline = cell.now() + Duration.toMillis(RENEWAL_LIMIT)
    yield* saveHeld
    const { epoch, held } = cell.current()
    if (State.isFresh(held, cell.now())) return

    const { isMinted, stored } = yield* renewStored(deadline)
    const kept = stored.saved
      ? Option.some(stored)
      : yield* save(stored).pipe(
          within(deadline),
          Effect.orElseSucceed(() => Option.some(stored))
        )
    if (Option.isNone(kept)) return
    const isOurs = isMinted && State.sameToken(kept.value.session.accessToken, stored.session.accessToken)
    if (cell.current().epoch !== epoch) {
      if (!kept.value.saved) yield* Effect.ignoreLogged(auth.revoke(stored.session.accessToken))
      return
    }
    if (isOurs && !State.isUsable(kept.value)) return yield* usedUp
    yield* adopt(kept.value, isOurs ? "minted" : "adopted", isOurs && (held?.rejected ?? false))
    if (!kept.value.saved) yield* saving.start
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

  /** One read of the store. An announced version that turns out to hold nothing is a logout elsewhere. */
  const readStore = (announced: boolean): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { epoch } = cell.current()
      return store.read.pipe(
        Effect.timeoutFail({ duration: STORE_LIMIT, onTimeout: storeTimeout }),
        Effect.flatMap((found) => {
          const state = cell.current()
          if (state.epoch !== epoch) return Effect.void
          if (Option.isSome(found)) {
            return isAdoptable(found.value) ? adopt(found.value, "adopted") : Effect.void
          }
          return announced ? cell.update(State.forget) : Effect.void
        }),
        Effect.ignore
      )
    })

  const takeOver = (announced: boolean): Effect.Effect<void> =>
    Effect.suspend(() => (needsSaving(cell.current().held) ? Effect.ignore(saveHeld) : readStore(announced)))

  const look = SingleFlight.make<never>(
    fork,
    cell.update((state, now) => ({ ...state, lookedAt: now })).pipe(Effect.zipRight(takeOver(false))),
    Exit.void
  )

  return {
    flight,
    look,
    follow: (version) => Effect.suspend(() => (version > cell.current().highest ? takeOver(true) : Effect.void)),
    close: Effect.suspend(() => (isMinting ? flight.settled : flight.stop)).pipe(
      Effect.zipRight(saving.stop),
      Effect.zipRight(look.stop),
      Effect.zipRight(Effect.ignore(saveHeld))
    )
  }
}
