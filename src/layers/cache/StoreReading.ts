/**
 * Reads the store without calling Nomba: adopts what other processes wrote, and repairs a store that went back.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { Session } from "../../schemas/Session.js"
import { RENEWAL_LIMIT } from "../../services/AttemptGate.js"
import type { SessionStore, Stored, StoreState } from "../../services/TokenStore.js"
import { hardTimeout, STORE_LIMIT } from "../time.js"
import type { Adoption } from "./Adoption.js"
import * as Flight from "./Flight.js"
import * as RenewalHistory from "./RenewalHistory.js"
import type { Saving } from "./Saving.js"
import * as State from "./State.js"

export interface StoreReading {
  /** At most one read at a time. */
  readonly flight: Flight.Flight<never>
  /** Reads the store unless these versions are known already. */
  readonly follow: (versions: Iterable<number>) => Effect.Effect<void>
  /** Adopts what the store holds if it helps. `helpless`: no renewal will bring anything better for now. */
  readonly adoptFrom: (found: StoreState, since: State.State, helpless: boolean) => Effect.Effect<void>
}

export interface Dependencies {
  readonly adoption: Adoption
  readonly fork: Flight.Fork
  readonly history: RenewalHistory.RenewalHistory
  readonly needsLogin: boolean
  readonly now: () => number
  readonly saving: Saving
  readonly state: State.StateRef
  readonly store: SessionStore
}

export const make = ({
  adoption,
  fork,
  history,
  needsLogin,
  now,
  saving,
  state,
  store
}: Dependencies): StoreReading => {
  const { current, update } = state

  /** The highest version that was seen in the store. */
  let seen = 0

  const restore = Effect.gen(function* () {
    const since = current()
    const { cached } = since
    const live = State.isServed(cached, now()) && cached.saved ? Option.some(adoption.storedOf(cached)) : Option.none()
    const restored = yield* hardTimeout(STORE_LIMIT)(store.restore(live))
    if (Option.isSome(restored) && restored.value.version > since.highest) {
      yield* adoption.take(State.adopt, restored.value, since)
    }
  })

  /** A refresh token whose refresh may have been sent is spent; the access token beside it may still be valid. */
  const withoutSpentToken = (stored: Stored): Stored =>
    stored.refreshInFlight
      ? {
          ...stored,
          refreshInFlight: false,
          session: new Session({ ...stored.session, refreshToken: Option.none() })
        }
      : stored

  const adoptFrom = (found: StoreState, since: State.State, helpless: boolean): Effect.Effect<void> =>
    Effect.gen(function* () {
      seen = Math.max(seen, found.version)
      if (Option.isNone(found.stored)) return yield* adoption.endedElsewhere(found.version)
      const stored =
        helpless && !found.isLeased && !needsLogin ? withoutSpentToken(found.stored.value) : found.stored.value
      if (!State.isAdoptable(current(), history, stored, now())) return
      yield* adoption.take(State.adopt, stored, since)
      // A token that is only tolerated for want of a better one, or whose renewal is due, is no success.
      const helped = !found.stored.value.refreshInFlight && State.isFresh(current().cached, now())
      if (helped) history.failure = undefined
    })

  const readStore = Effect.gen(function* () {
    const since = current()
    const helpless = RenewalHistory.isRunning(history.failure, now())
    const found = yield* hardTimeout(STORE_LIMIT)(store.readVersioned)
    if (found.wentBack) yield* restore
    yield* adoptFrom(found, since, helpless)
  })

  const catchUp: Effect.Effect<void> = Effect.suspend(() => Effect.ignore(saving.isDue() ? saving.once.run : readStore))

  const flight = Flight.make<never>({
    fork,
    now,
    limit: RENEWAL_LIMIT,
    work: () =>
      Effect.ensuring(
        catchUp,
        Effect.suspend(() => update((before) => ({ ...before, storeReadAt: now() })))
      ),
    onInterrupt: Exit.void,
    onTimeout: Exit.void
  })

  return {
    flight,
    adoptFrom,
    follow: (versions) =>
      Effect.suspend(() => {
        const known = Math.max(seen, current().highest)
        return Array.from(versions).some((version) => version !== known) ? catchUp : Effect.void
      })
  }
}
