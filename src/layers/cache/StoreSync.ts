/**
 * Keeps the session in memory and the one in the token store together, without calling Nomba: takes sessions into the cache,
 * writes those that the store did not take when Nomba granted them, adopts what other processes wrote, and repairs a store
 * that went back.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import type { Unavailable } from "../../schemas/AuthError.js"
import { Session } from "../../schemas/Session.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import { type CachedSession, SessionEvent } from "../../services/TokenCache.js"
import type { SessionStore, Stored, StoreState } from "../../services/TokenStore.js"
import { hardTimeout, RENEWAL_LIMIT, STORE_LIMIT, storeTimedOut, type Timeline, unrefSleep } from "../time.js"
import * as Flight from "./Flight.js"
import { closed, type Obtained } from "./obtainSession.js"
import * as RenewalHistory from "./RenewalHistory.js"
import * as State from "./State.js"

export interface StoreSync {
  /** Nomba gave this session. If the store is read before the renewal has ended, it still counts as Nomba's. */
  readonly obtained: (session: Session, operation: Obtained["operation"]) => void
  /** This process stored a session under this version. Its announcement needs no read. */
  readonly stored: (version: number) => void
  /** Keeps the session unless a logout, a login or a newer session came after `since`. `operation`: how Nomba gave it, if it did. */
  readonly take: (
    step: typeof State.adopt,
    stored: Stored,
    since: State.State,
    operation?: Obtained["operation"]
  ) => Effect.Effect<State.Change>
  /** Another process ended the session; its tombstone has this version. */
  readonly endedElsewhere: (version: number) => Effect.Effect<void>
  readonly storedOf: (cached: State.Cached) => Stored
  /** Tries once to save the cached session, if that is due. */
  readonly saveOnce: Flight.Flight<Unavailable>
  /** Tries until the session is saved, rejected or replaced. */
  readonly saveUntilDone: Flight.Flight<never>
  /** The cached session has to be written. One that was rejected is not worth it. */
  readonly isSaveDue: () => boolean
  /** Revokes a session that a logout has overtaken. */
  readonly discard: (session: Session) => Effect.Effect<void>
  /** Reads the store, at most once at a time. */
  readonly reading: Flight.Flight<never>
  /** Reads the store unless these versions are known already. */
  readonly follow: (versions: Iterable<number>) => Effect.Effect<void>
  /** Adopts what the store holds if it helps. `helpless`: no renewal will bring anything better for now. */
  readonly adoptFrom: (found: StoreState, since: State.State, helpless: boolean) => Effect.Effect<void>
}

export interface Dependencies {
  readonly auth: NombaAuthService
  readonly config: NombaConfigService
  readonly events: State.SessionEvents
  readonly fork: Flight.Fork
  readonly history: RenewalHistory.RenewalHistory
  readonly needsLogin: boolean
  readonly state: State.StateRef
  readonly store: SessionStore
  readonly timeline: Timeline
}

const happened: Readonly<Record<Obtained["operation"] | "adopt", string>> = {
  issue: "Nomba issued a session.",
  refresh: "Nomba refreshed the session.",
  restore: "Kept the session that the token store had lost.",
  adopt: "Adopted the stored session."
}

const seconds = (millis: number): number => Math.max(0, Math.floor(millis / 1_000))

export const make = ({
  auth,
  config,
  events,
  fork,
  history,
  needsLogin,
  state,
  store,
  timeline
}: Dependencies): StoreSync => {
  const { current, update } = state
  const { now } = timeline

  const eventOf = (operation: Obtained["operation"] | undefined, session: CachedSession): SessionEvent => {
    switch (operation) {
      case "issue":
        return SessionEvent.Issued({ session })
      case "refresh":
        return SessionEvent.Refreshed({ session })
      case "restore":
      case undefined:
        return SessionEvent.Adopted({ session })
    }
  }

  let latest: { readonly session: Session; readonly operation: Obtained["operation"] } | undefined

  const take: StoreSync["take"] = (step, stored, since, given) =>
    Effect.gen(function* () {
      const isOurs = latest !== undefined && State.sameToken(latest.session.accessToken, stored.session.accessToken)
      const operation = given ?? (isOurs ? latest?.operation : undefined)
      const jitter = yield* Random.next
      const at = now()
      const origin = operation === undefined ? "store" : "nomba"
      const change = yield* update((before) =>
        State.isOvertaken(before, since, stored)
          ? before
          : step(before, stored, { origin, jitter, now: at, timeline, renewAhead: config.renewAhead })
      )
      const { cached } = change.after
      if (cached === undefined || cached.session.accessToken === change.before.cached?.session.accessToken)
        return change
      const token = Redacted.value(cached.session.accessToken)
      if (!history.tokens.has(token)) {
        RenewalHistory.remember(history, token, { expiresAt: cached.expiresAt, rejection: undefined })
      }
      const isSame =
        change.before.cached !== undefined &&
        State.sameToken(change.before.cached.session.accessToken, cached.session.accessToken)
      if (!isSame) {
        yield* Effect.logDebug(`${happened[operation ?? "adopt"]} It expires in ${seconds(cached.expiresAt - at)} s.`)
        events.publish(eventOf(operation, State.view(cached, at)))
      }
      return change
    })

  const endedElsewhere = (version: number): Effect.Effect<void> =>
    Effect.flatMap(
      update((before) => State.end(before, version)),
      ({ after, before }) => {
        if (before.cached === undefined || after.cached !== undefined) return Effect.void
        events.publish(SessionEvent.LoggedOut())
        return Effect.logDebug("Another process ended the session.")
      }
    )

  const storedOf = (cached: State.Cached): Stored => ({
    session: cached.session,
    version: cached.version,
    saved: cached.saved,
    refreshInFlight: Option.exists(cached.session.refreshToken, (token) =>
      history.spentRefreshTokens.has(Redacted.value(token))
    ),
    remaining: Duration.millis(Math.max(0, cached.expiresAt - now()))
  })

  const discard = ({ accessToken }: Session): Effect.Effect<void> =>
    Effect.sync(() => void fork(Effect.ignoreLogged(Effect.timeout(auth.revoke(accessToken), RENEWAL_LIMIT))))

  const isUnsaved = (cached: State.Cached | undefined): cached is State.Cached =>
    cached !== undefined && !cached.saved && !cached.rejected

  const save = Effect.gen(function* () {
    const since = current()
    const { cached } = since
    if (!isUnsaved(cached)) return
    const kept = yield* hardTimeout(STORE_LIMIT)(store.save(storedOf(cached)))
    if (Option.isSome(kept)) return void (yield* take(State.adopt, kept.value, since))
    yield* update((before) => (before.cached?.session === cached.session ? State.forget(before) : before))
    events.publish(SessionEvent.LoggedOut())
    yield* discard(cached.session)
  })

  const saveOnce = Flight.make<Unavailable>({
    fork,
    now,
    limit: RENEWAL_LIMIT,
    work: () => save,
    onInterrupt: Exit.fail(closed),
    onTimeout: Exit.fail(storeTimedOut)
  })

  const saveUntilDone = Flight.make<never>({
    fork,
    now,
    limit: Duration.infinity,
    hasHeartbeat: timeline.isSystem,
    work: () =>
      Effect.gen(function* () {
        for (let wait = 1_000; isUnsaved(current().cached); wait = Math.min(wait * 2, 30_000)) {
          yield* unrefSleep(Duration.millis(wait))
          yield* Effect.ignore(saveOnce.run)
        }
      }),
    onInterrupt: Exit.void,
    onTimeout: Exit.void
  })

  const isSaveDue = (): boolean => isUnsaved(current().cached)

  /** The highest version that was seen in the store. */
  let seen = 0

  const restore = Effect.gen(function* () {
    const since = current()
    const { cached } = since
    const live = State.isServed(cached, now()) && cached.saved ? Option.some(storedOf(cached)) : Option.none()
    const restored = yield* hardTimeout(STORE_LIMIT)(store.restore(live))
    if (Option.isSome(restored) && restored.value.version > since.highest) {
      yield* take(State.adopt, restored.value, since)
    }
  })

  /** A refresh token whose refresh may have been sent is spent; the access token beside it may still be valid. */
  const withoutSpentToken = (stored: Stored): Stored => {
    if (!stored.refreshInFlight) return stored
    // A public client tries its refresh token again before the end user has to log in.
    const session = needsLogin ? stored.session : new Session({ ...stored.session, refreshToken: Option.none() })
    return { ...stored, refreshInFlight: false, session }
  }

  const adoptFrom = (found: StoreState, since: State.State, helpless: boolean): Effect.Effect<void> =>
    Effect.gen(function* () {
      seen = Math.max(seen, found.version)
      if (Option.isNone(found.stored)) return yield* endedElsewhere(found.version)
      // This process has seen a later session there, perhaps in a cache that was closed since.
      if (found.wentBack) return
      const stored = helpless && !found.isLeased ? withoutSpentToken(found.stored.value) : found.stored.value
      if (!State.isAdoptable(current(), history, stored, now())) return
      yield* take(State.adopt, stored, since)
      // A flagged session, or one whose renewal is due, does not end the backoff.
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

  const catchUp: Effect.Effect<void> = Effect.suspend(() => Effect.ignore(isSaveDue() ? saveOnce.run : readStore))

  const reading = Flight.make<never>({
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

  const follow: StoreSync["follow"] = (versions) =>
    Effect.suspend(() => {
      const known = Math.max(seen, current().highest)
      return Array.from(versions).some((version) => version !== known) ? catchUp : Effect.void
    })

  return {
    obtained: (session, operation) => {
      latest = { session, operation }
    },
    stored: (version) => {
      seen = Math.max(seen, version)
    },
    take,
    endedElsewhere,
    storedOf,
    saveOnce,
    saveUntilDone,
    isSaveDue,
    discard,
    reading,
    follow,
    adoptFrom
  }
}
