/**
 * What a cache knows, and the pure steps from one state to the next. All times are milliseconds of the cache's own clock.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type AuthError, healsByWaiting, withRetryAfter } from "../../schemas/AuthError.js"
import type { Session } from "../../schemas/Session.js"
import type { Stored } from "../../services/TokenStore.js"
import * as Pace from "./Pace.js"

/** The session in hand. */
export interface Held {
  readonly session: Session
  readonly version: number
  readonly saved: boolean
  readonly origin: "minted" | "adopted"
  /** When it came. A time before it means that the clock has jumped, and that nothing is known of what is left. */
  readonly since: number
  /** The first `get` from here on begins a renewal. */
  readonly aheadAt: number
  /** It is not handed out from here on: too little is left for a request. */
  readonly usableUntil: number
  readonly expiresAt: number
  /** It has been reported as rejected, and nothing newer has come. */
  readonly rejected: boolean
  /** The answer to `get`, built once. */
  readonly hit: Effect.Effect<Redacted.Redacted<string>>
}

/** The token that was last reported as rejected. */
export interface Refusal {
  readonly token: Redacted.Redacted<string>
  /** It should still have lived: its session is taken for ended by somebody, and its refresh token with it. */
  readonly isEarly: boolean
}

export interface State {
  readonly held: Held | undefined
  /** The highest version ever held. */
  readonly highest: number
  readonly refused: Refusal | undefined
  readonly pause: Pace.Pause | undefined
  readonly remedies: Pace.Remedies
  /** When the store was last looked into, by a renewal that failed or while renewals are held back. */
  readonly lookedAt: number
  /** Counts logouts and logins, so that a renewal begun before one cannot put its session back. */
  readonly epoch: number
}

export const initial: State = {
  held: undefined,
  highest: 0,
  refused: undefined,
  pause: undefined,
  remedies: Pace.noRemedies,
  lookedAt: Number.NEGATIVE_INFINITY,
  epoch: 0
}

/** What a `get` does next. */
export type Decision =
  | { readonly _tag: "Serve"; readonly held: Held; readonly background: "nothing" | "renew" | "look" }
  | { readonly _tag: "Look" }
  | { readonly _tag: "Renew" }
  | { readonly _tag: "Fail"; readonly error: AuthError }

const LOOK_EVERY = 1_000

export const sameToken = (a: Redacted.Redacted<string>, b: Redacted.Redacted<string>): boolean =>
  Redacted.value(a) === Redacted.value(b)

/** Whether the session in hand may be handed out, rejected or not. */
export const isLive = (held: Held | undefined, now: number): boolean =>
  held !== undefined && now >= held.since && now < held.usableUntil

/** Whether callers are served with it, and it has not been rejected. */
export const isServed = (held: Held | undefined, now: number): boolean => isLive(held, now) && held?.rejected === false

const isRefused = ({ refused }: State, token: Redacted.Redacted<string>): boolean =>
  refused !== undefined && sameToken(refused.token, token)

/** Whether a renewal begun now is caused by a rejection, even if the token is served for want of a better one. */
export const isRemedy = (state: State): boolean =>
  state.held !== undefined && isRefused(state, state.held.session.accessToken)

/** Whether this session is taken for ended before its time, so that Nomba would refuse its refresh token as well. */
export const wasEnded = (state: State, session: Session): boolean =>
  state.refused?.isEarly === true && isRefused(state, session.accessToken)

/** Whether it is to be renewed only later, so that `get` needs nothing but it. */
export const isFresh = (held: Held | undefined, now: number): boolean =>
  held !== undefined && isServed(held, now) && now < held.aheadAt

/**
 * The pause after a failure and the pace after renewals that did not help hold back the call to Nomba, and never the look
 * into the store.
 */
export const decide = (state: State, now: number): Decision => {
  const { held, lookedAt, pause, remedies } = state
  const isPaused = Pace.isRunning(pause, now)
  const mayLook = now - lookedAt >= LOOK_EVERY || now < lookedAt
  if (held === undefined || !isLive(held, now)) {
    if (pause === undefined || !isPaused) return { _tag: "Renew" }
    return mayLook ? { _tag: "Look" } : failed(pause, now)
  }
  const isHeldBack = isPaused || Pace.isRunning(remedies, now)
  if (!held.rejected) {
    const background = now < held.aheadAt ? "nothing" : isHeldBack ? (mayLook ? "look" : "nothing") : "renew"
    return { _tag: "Serve", held, background }
  }
  if (!isHeldBack) return { _tag: "Renew" }
  if (mayLook) return { _tag: "Look" }
  return pause !== undefined && isPaused && !healsByWaiting(pause.error)
    ? failed(pause, now)
    : { _tag: "Serve", held, background: "nothing" }
}

const failed = (pause: Pace.Pause, now: number): Decision => ({
  _tag: "Fail",
  error: withRetryAfter(pause.error, Duration.millis(pause.until - now))
})

/** What is left at the end of a session is not handed out. */
const margin = (session: Session): number => Math.min(10_000, Duration.toMillis(session.lifetime) / 10)

/** How long before its expiry a session is renewed. */
const aheadOf = (session: Session, renewAhead: Duration.Duration): number =>
  Math.min(Duration.toMillis(renewAhead), Duration.toMillis(session.lifetime) / 5)

/**
 * What of the store is taken instead of calling Nomba: what is newer than all that was ever held, or is in hand by now and
 * fresh, because an announcement was quicker than the renewal.
 */
export const isAdoptable = (state: State, stored: Stored, now: number, renewAhead: Duration.Duration): boolean => {
  const { held, highest } = state
  const token = stored.session.accessToken
  const isInHand = held !== undefined && isFresh(held, now) && sameToken(held.session.accessToken, token)
  return (
    (stored.version > highest || isInHand) &&
    !stored.marked &&
    !isRefused(state, token) &&
    Duration.toMillis(stored.remaining) > Math.max(aheadOf(stored.session, renewAhead), margin(stored.session))
  )
}

/** The circumstances of an adoption. */
export interface Arrival {
  readonly origin: Held["origin"]
  /** Whether it was minted because the token before it was rejected. */
  readonly isRemedy: boolean
  readonly now: number
  readonly renewAhead: Duration.Duration
  /** From 0 to 1: how much earlier than planned it is renewed, so that processes do not do it at the same moment. */
  readonly jitter: number
}

/** Whether it can be handed out at all. */
export const isUsable = ({ remaining, session }: Stored): boolean => Duration.toMillis(remaining) > margin(session)

const hold = (stored: Stored, { jitter, now, origin, renewAhead }: Arrival): Held => {
  const expiresAt = now + Duration.toMillis(stored.remaining)
  const usableUntil = expiresAt - margin(stored.session)
  const ahead = aheadOf(stored.session, renewAhead) * (1 + jitter / 10)
  return {
    session: stored.session,
    version: stored.version,
    saved: stored.saved,
    origin,
    since: now,
    aheadAt: Math.min(usableUntil, expiresAt - ahead),
    usableUntil,
    expiresAt,
    rejected: false,
    hit: Effect.succeed(stored.session.accessToken)
  }
}

/** Whether what was begun in another state has been overtaken: by a logout or a login, or by something newer from elsewhere. */
export const isOvertaken = (state: State, since: State, stored: Stored): boolean =>
  state.epoch !== since.epoch || (stored.saved && since.highest < state.highest && stored.version < state.highest)

/** A session that is newer than what was held, or the same one now known better. It ends every pause. */
export const adopt = (state: State, stored: Stored, arrival: Arrival): State => {
  const { held } = state
  const token = stored.session.accessToken
  const isSame = held !== undefined && sameToken(held.session.accessToken, token)
  return {
    ...state,
    held: isSame
      ? {
          ...held,
          version: stored.version,
          saved: stored.saved,
          origin: arrival.origin === "minted" ? "minted" : held.origin
        }
      : hold(stored, arrival),
    highest: Math.max(state.highest, stored.version),
    pause: isSame ? state.pause : undefined,
    remedies: arrival.isRemedy
      ? Pace.minted(state.remedies, token, arrival.now)
      : isSame
        ? state.remedies
        : Pace.superseded(state.remedies, held !== undefined && !isRemedy(state), arrival.now)
  }
}

/** A person brought a session, which is newer than whatever is under way. */
export const logIn = (state: State, stored: Stored, arrival: Arrival): State => ({
  ...adopt(state, stored, arrival),
  epoch: state.epoch + 1
})

/**
 * A renewal failed. A token that was rejected and is not past its expiry is good enough while Nomba or the store is out of
 * reach: nobody can say whether it is dead.
 */
export const fail = (state: State, error: AuthError, now: number): State => ({
  ...state,
  lookedAt: now,
  pause: Pace.pause(error, state.pause, now),
  held:
    healsByWaiting(error) && state.held?.rejected === true && isLive(state.held, now)
      ? { ...state.held, rejected: false, aheadAt: Math.min(state.held.aheadAt, now) }
      : state.held
})

/** The token was reported as rejected. Nothing happens unless it is the one in hand, and not known as rejected. */
export const reject = (state: State, token: Redacted.Redacted<string>, now: number): State => {
  const { held } = state
  if (held === undefined || held.rejected || !sameToken(held.session.accessToken, token)) return state
  const rejected = { ...state, held: { ...held, rejected: true } }
  if (isRefused(state, token)) return rejected
  return {
    ...rejected,
    refused: { token, isEarly: isLive(held, now) },
    remedies: Pace.rejected(state.remedies, now)
  }
}

/** A replay with this token succeeded. */
export const confirm = (state: State, token: Redacted.Redacted<string>): State => {
  const remedies = Pace.confirmed(state.remedies, token)
  return remedies === state.remedies ? state : { ...state, remedies }
}

/** The session was ended. What holds renewals back stays: only a newer session ends that. */
export const forget = (state: State): State => ({
  ...state,
  held: undefined,
  refused: state.held === undefined ? state.refused : { token: state.held.session.accessToken, isEarly: true },
  epoch: state.epoch + 1
})

/** The session was ended elsewhere, and its tombstone has this version. What is newer than that stays. */
export const end = (state: State, version: number): State =>
  version > state.highest ? { ...forget(state), highest: version } : state
