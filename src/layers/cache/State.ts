/**
 * What a cache knows, the pure steps from one state to the next, and the events that tell of them. Times are milliseconds of the cache's `Timeline`.
 */
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { type AuthError, Unavailable } from "../../schemas/AuthError.js"
import { withRetryAfter } from "../../schemas/ErrorMeaning.js"
import type { Session } from "../../schemas/Session.js"
import { type CachedSession, SessionEvent } from "../../services/TokenCache.js"
import type { Stored } from "../../services/TokenStore.js"
import type { Mark, Timeline } from "../time.js"
import * as RenewalHistory from "./RenewalHistory.js"

/** The session that the cache serves. */
export interface Cached {
  readonly session: Session
  readonly version: number
  readonly saved: boolean
  readonly origin: CachedSession["origin"]
  /** The first `get` from here on starts a renewal in the background. */
  readonly renewAfter: number
  /** Not handed out from here on: too little is left for a request. */
  readonly usableUntil: number
  readonly expiresAt: number
  /** Nomba answered 401 to it, and nothing newer has come. */
  readonly rejected: boolean
  /** Until then `get` is `cachedGet`, and does nothing else. */
  readonly freshUntil: Mark
  /** The answer to `get`, built once. */
  readonly cachedGet: Effect.Effect<Redacted.Redacted<string>>
}

export interface State {
  readonly cached: Cached | undefined
  /** The highest version that was ever cached, or that a logout left. */
  readonly highest: number
  /** When the store was last read because renewals were held back. */
  readonly storeReadAt: number
  /** Counts logouts and logins, so that a renewal that began before one cannot put its session back. */
  readonly epoch: number
  /** Counts rejections. */
  readonly rejections: number
}

export const initial: State = {
  cached: undefined,
  highest: 0,
  storeReadAt: Number.NEGATIVE_INFINITY,
  epoch: 0,
  rejections: 0
}

export const sameToken = (a: Redacted.Redacted<string>, b: Redacted.Redacted<string>): boolean =>
  Redacted.value(a) === Redacted.value(b)

/** Its lifetime is not over. It may have been rejected. */
export const isLive = (cached: Cached | undefined, now: number): cached is Cached =>
  cached !== undefined && now < cached.usableUntil

/** Callers are served with it. */
export const isServed = (cached: Cached | undefined, now: number): cached is Cached =>
  isLive(cached, now) && !cached.rejected

/** It is served, and its renewal is not due. */
export const isFresh = (cached: Cached | undefined, now: number): cached is Cached =>
  isServed(cached, now) && now < cached.renewAfter

/** What a `get` does next. */
export type Decision =
  | { readonly _tag: "Serve"; readonly cached: Cached; readonly background: "nothing" | "renew" | "readStore" }
  | { readonly _tag: "ReadStore" }
  | { readonly _tag: "Renew" }
  | { readonly _tag: "Fail"; readonly error: AuthError }

const READ_STORE_EVERY = 1_000

/** A backoff holds back token requests, never a read of the store. */
export const decide = (state: State, history: RenewalHistory.RenewalHistory, now: number): Decision => {
  const { cached, storeReadAt } = state
  const { failure, rejections } = history
  const mayRead = now - storeReadAt >= READ_STORE_EVERY
  if (isServed(cached, now)) {
    const isDue = now >= cached.renewAfter
    const background = !isDue
      ? "nothing"
      : !RenewalHistory.isRunning(failure, now)
        ? "renew"
        : mayRead
          ? "readStore"
          : "nothing"
    return { _tag: "Serve", cached, background }
  }
  const error =
    failure !== undefined && RenewalHistory.isRunning(failure, now)
      ? withRetryAfter(failure.error, Duration.millis(failure.until - now))
      : (cached === undefined || isLive(cached, now)) && RenewalHistory.isRunning(rejections, now)
        ? contested(rejections.until - now)
        : undefined
  if (error === undefined) return { _tag: "Renew" }
  return mayRead ? { _tag: "ReadStore" } : { _tag: "Fail", error }
}

const contested = (wait: number): Unavailable =>
  new Unavailable({
    operation: "request",
    reason: "SessionContested",
    retryAfter: Duration.millis(wait),
    processed: "no"
  })

/** The last part of a lifetime, in which a token is not handed out. */
const margin = (session: Session): number => Math.min(10_000, Duration.toMillis(session.lifetime) / 10)

const aheadOf = (session: Session, renewAhead: Duration.Duration): number =>
  Math.min(Duration.toMillis(renewAhead), Duration.toMillis(session.lifetime) / 5)

/** Enough of its lifetime is left to hand it out. */
export const isUsable = ({ remaining, session }: Pick<Stored, "remaining" | "session">): boolean =>
  Duration.toMillis(remaining) > margin(session)

/**
 * Nomba ended the first session when it started the second. A late write to a store that went back can bring such a
 * session under a new version.
 */
const isIssuedBefore = (one: Session, other: Session): boolean =>
  one.clock === "server" && other.clock === "server" && one.issuedAt.epochMillis < other.issuedAt.epochMillis

/**
 * Whether a stored session is taken instead of requesting one: it is newer than all that this cache has held. The same
 * session in memory counts too, if an announcement was faster than the renewal.
 */
export const isAdoptable = (
  state: State,
  history: RenewalHistory.RenewalHistory,
  stored: Stored,
  now: number
): boolean => {
  const { cached, highest } = state
  const token = stored.session.accessToken
  const isCached = isFresh(cached, now) && sameToken(cached.session.accessToken, token)
  return (
    (stored.version > highest || isCached) &&
    !stored.refreshInFlight &&
    !(isServed(cached, now) && isIssuedBefore(stored.session, cached.session)) &&
    history.tokens.get(Redacted.value(token))?.rejection === undefined &&
    isUsable(stored)
  )
}

export interface Arrival {
  readonly origin: Cached["origin"]
  readonly renewAhead: Duration.Duration
  readonly timeline: Timeline
  readonly now: number
  /** From 0 to 1: how much earlier than planned it is renewed, so that processes do not do it at the same moment. */
  readonly jitter: number
}

const cache = (stored: Stored, { jitter, now, origin, renewAhead, timeline }: Arrival): Cached => {
  const expiresAt = now + Duration.toMillis(stored.remaining)
  const usableUntil = expiresAt - margin(stored.session)
  const renewAfter = Math.min(usableUntil, expiresAt - aheadOf(stored.session, renewAhead) * (1 + jitter / 10))
  return {
    session: stored.session,
    version: stored.version,
    saved: stored.saved,
    origin,
    renewAfter,
    usableUntil,
    expiresAt,
    rejected: false,
    freshUntil: timeline.mark(renewAfter),
    cachedGet: Effect.succeed(stored.session.accessToken)
  }
}

/** A logout, a login, or something newer from another process came after `since`. */
export const isOvertaken = (state: State, since: State, stored: Stored): boolean =>
  state.epoch !== since.epoch || (stored.saved && since.highest < state.highest && stored.version < state.highest)

/** Takes a session that is newer than the cached one, or the same one with what is known about it now. */
export const adopt = (state: State, stored: Stored, arrival: Arrival): State => {
  const { cached } = state
  const isSame = cached !== undefined && sameToken(cached.session.accessToken, stored.session.accessToken)
  const highest = Math.max(state.highest, stored.version)
  if (!isSame) {
    // A session that expired before its answer was complete does not end a token that is still served.
    const isTooLate = stored.saved && !isUsable(stored) && isServed(cached, arrival.now)
    return { ...state, cached: isTooLate ? cached : cache(stored, arrival), highest }
  }
  // A renewal may bring the same token with more time: the JWT lives longer than Nomba said at first.
  const isExtended =
    (arrival.origin === "nomba" || stored.version > cached.version) &&
    arrival.now + Duration.toMillis(stored.remaining) > cached.expiresAt
  return {
    ...state,
    cached: {
      ...(isExtended ? cache(stored, arrival) : cached),
      session: stored.session,
      version: stored.version,
      saved: stored.saved,
      origin: arrival.origin === "nomba" ? "nomba" : cached.origin,
      rejected: cached.rejected
    },
    highest
  }
}

/** Takes the session of a login, which is newer than whatever is in flight. */
export const logIn = (state: State, stored: Stored, arrival: Arrival): State => ({
  ...adopt(isUsable(stored) ? state : forget(state), stored, arrival),
  epoch: state.epoch + 1
})

/** A renewal failed in a way that heals by waiting, so the rejected token may still be valid. */
export const doubt = (state: State, timeline: Timeline): State => {
  const now = timeline.now()
  const { cached } = state
  if (!isLive(cached, now) || !cached.rejected) return state
  const renewAfter = Math.min(cached.renewAfter, now)
  return { ...state, cached: { ...cached, rejected: false, renewAfter, freshUntil: timeline.mark(renewAfter) } }
}

/** Nomba answered 401 to this token. Nothing happens unless it is the cached one and not known as rejected. */
export const reject = (state: State, token: Redacted.Redacted<string>): State =>
  state.cached === undefined || state.cached.rejected || !sameToken(state.cached.session.accessToken, token)
    ? state
    : { ...state, cached: { ...state.cached, rejected: true }, rejections: state.rejections + 1 }

/** The session was ended. */
export const forget = (state: State): State => ({ ...state, cached: undefined, epoch: state.epoch + 1 })

/** Another process ended the session; its tombstone has this version. What is newer than that stays. */
export const end = (state: State, version: number): State =>
  version > state.highest ? { ...forget(state), highest: version } : state

/** One step: the state before it and after. */
export interface Change {
  readonly before: State
  readonly after: State
}

export interface StateRef {
  /** Without a step of the fiber: the hot path reads it. */
  readonly current: () => State
  readonly update: (step: (state: State) => State) => Effect.Effect<Change>
}

export const makeRef: Effect.Effect<StateRef> = Effect.map(Ref.make(initial), (ref) => {
  let snapshot = initial
  return {
    current: () => snapshot,
    update: (step) =>
      Ref.modify(ref, (before) => {
        snapshot = step(before)
        return [{ before, after: snapshot }, snapshot] as const
      })
  }
})

/** What users see of it. */
export const view = ({ expiresAt, origin, saved, session }: Cached, now: number): CachedSession => ({
  session,
  origin,
  saved,
  remaining: Duration.millis(Math.max(0, expiresAt - now))
})

/** The events of one cache, for any number of subscribers. A slow subscriber does not delay the cache. */
export interface SessionEvents {
  readonly publish: (event: SessionEvent) => void
  /** `current` is the first event of each subscriber. */
  readonly stream: (current: () => SessionEvent) => Stream.Stream<SessionEvent>
  /** Ends every stream after what is buffered. */
  readonly end: Effect.Effect<void>
}

interface Subscriber {
  buffered: Array<SessionEvent>
  missed: number
  readonly latch: Effect.Latch
}

const BUFFER = 64

export const makeEvents = (): SessionEvents => {
  const subscribers = new Set<Subscriber>()
  let isEnded = false

  const take = (subscriber: Subscriber): Effect.Effect<Chunk.Chunk<SessionEvent>, Option.Option<never>> =>
    Effect.flatMap(subscriber.latch.await, () => {
      const { buffered, missed } = subscriber
      if (buffered.length === 0 && isEnded) return Effect.fail(Option.none())
      subscriber.buffered = []
      subscriber.missed = 0
      if (!isEnded) subscriber.latch.unsafeClose()
      return Effect.succeed(
        Chunk.unsafeFromArray(missed === 0 ? buffered : [SessionEvent.Missed({ count: missed }), ...buffered])
      )
    })

  const subscribe = (current: () => SessionEvent): Effect.Effect<Subscriber> =>
    Effect.sync(() => {
      const subscriber = { buffered: [current()], missed: 0, latch: Effect.unsafeMakeLatch(true) }
      subscribers.add(subscriber)
      return subscriber
    })

  return {
    publish: (event) => {
      for (const subscriber of subscribers) {
        subscriber.buffered.push(event)
        if (subscriber.buffered.length > BUFFER) {
          subscriber.buffered.shift()
          subscriber.missed += 1
        }
        subscriber.latch.unsafeOpen()
      }
    },
    stream: (current) =>
      Stream.unwrapScoped(
        Effect.map(
          Effect.acquireRelease(subscribe(current), (subscriber) => Effect.sync(() => subscribers.delete(subscriber))),
          (subscriber) => Stream.repeatEffectChunkOption(take(subscriber))
        )
      ),
    end: Effect.sync(() => {
      isEnded = true
      for (const { latch } of subscribers) latch.unsafeOpen()
    })
  }
}
