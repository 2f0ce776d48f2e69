/**
 * What the sandbox remembers, and every way in which that changes: pure functions, each run in one step on one `Ref`.
 * Bounded: one session for each client, and the last 256 refresh tokens that ended.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Subject } from "./AccessToken.js"
import type { Endpoint } from "./endpoints.js"
import type { Misfortune } from "./Fault.js"

/** The session of a client. Times are milliseconds since 1970 by the sandbox's clock. */
export interface Session extends Subject {
  readonly accessToken: Redacted.Redacted
  readonly refreshToken: Redacted.Redacted
  readonly issuedAt: number
  readonly expiresAt: number
  readonly refreshExpiresAt: number
}

/**
 * What became of the requests to one operation. `succeeded`, `refused` and `faulted` count answers, so they can lag
 * behind `requests`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tally {
  /** Arrived, whatever came of them. */
  readonly requests: number
  readonly succeeded: number
  /** Answered with a status of 400 or more. */
  readonly refused: number
  /** Answered by a fault in place of the sandbox. */
  readonly faulted: number
}

/**
 * What the sandbox has done since it began or was reset. `other` are the requests for a path or method that it has not.
 *
 * @since 0.1.0
 * @category models
 */
export interface Counts extends Readonly<Record<Endpoint | "other", Tally>> {
  /** Sessions started by issue. A `steal` is not counted. */
  readonly issued: number
  /** Sessions carried on by refresh. */
  readonly refreshed: number
  /** Sessions ended by revoke. */
  readonly revoked: number
}

/** Why a refresh token is no good. */
export type RefreshRefusal = "unknown" | "used" | "replaced" | "revoked" | "expired" | "foreign bearer" | "account"

/** Why a bearer token is no good although its signature is. */
export type BearerRefusal = "replaced or revoked" | "expired"

interface Ended {
  readonly refreshToken: Redacted.Redacted
  readonly how: RefreshRefusal
}

/** All that the sandbox remembers. */
export interface State {
  readonly sessions: HashMap.HashMap<string, Session>
  readonly ended: ReadonlyArray<Ended>
  readonly counts: Counts
  readonly faults: Readonly<Record<Endpoint, ReadonlyArray<Misfortune>>>
}

/** A change: what comes of it, and the state after it. */
export type Transition<A> = (state: State) => readonly [A, State]

const none: Tally = { requests: 0, succeeded: 0, refused: 0, faulted: 0 }

/** Nothing has happened yet. */
export const empty: State = {
  sessions: HashMap.empty(),
  ended: [],
  counts: { issue: none, refresh: none, revoke: none, balance: none, other: none, issued: 0, refreshed: 0, revoked: 0 },
  faults: { issue: [], refresh: [], revoke: [], balance: [] }
}

const tally = (state: State, endpoint: Endpoint | "other", what: keyof Tally): State => ({
  ...state,
  counts: {
    ...state.counts,
    [endpoint]: { ...state.counts[endpoint], [what]: state.counts[endpoint][what] + 1 }
  }
})

const count = (state: State, what: "issued" | "refreshed" | "revoked"): State => ({
  ...state,
  counts: { ...state.counts, [what]: state.counts[what] + 1 }
})

const remember = 256

const end = (state: State, { clientId, refreshToken }: Session, how: RefreshRefusal): State => ({
  ...state,
  sessions: HashMap.remove(state.sessions, clientId),
  ended: [...state.ended, { refreshToken, how }].slice(-remember)
})

const begin = (state: State, session: Session, how: RefreshRefusal): State => {
  const ended = Option.match(HashMap.get(state.sessions, session.clientId), {
    onNone: () => state,
    onSome: (previous) => end(state, previous, how)
  })
  return { ...ended, sessions: HashMap.set(ended.sessions, session.clientId, session) }
}

/** A request arrived: it is counted, and meets the first fault that waits for its operation. */
export const arrive =
  (endpoint: Endpoint): Transition<Misfortune> =>
  (state) => {
    const [fault, ...rest] = state.faults[endpoint]
    const counted = tally(state, endpoint, "requests")
    if (fault === undefined) return [{}, counted]
    const left = (fault.times ?? 1) - 1
    const faults = { ...state.faults, [endpoint]: left > 0 ? [{ ...fault, times: left }, ...rest] : rest }
    return [fault, { ...counted, faults }]
  }

/** A request for nothing that is here arrived. */
export const stray: Transition<void> = (state) => [
  undefined,
  tally(tally(state, "other", "requests"), "other", "refused")
]

/** A request was answered. */
export const answer =
  (endpoint: Endpoint, outcome: Exclude<keyof Tally, "requests">): Transition<void> =>
  (state) => [undefined, tally(state, endpoint, outcome)]

/** A fault waits behind those that wait already. */
export const befall =
  (endpoint: Endpoint, fault: Misfortune): Transition<void> =>
  (state) => [undefined, { ...state, faults: { ...state.faults, [endpoint]: [...state.faults[endpoint], fault] } }]

/** A session starts and kills the one that its client had: its token and its refresh token. */
export const start =
  (session: Session): Transition<Session> =>
  (state) => [session, begin(state, session, "replaced")]

/** The same, on a request to issue. */
export const issue =
  (session: Session): Transition<Session> =>
  (state) => [session, count(begin(state, session, "replaced"), "issued")]

/** A refresh token is spent on a new session of the same client, once. */
export const refresh =
  (
    presented: {
      readonly refreshToken: Redacted.Redacted
      /** The token that came as bearer, if one came: it has to be the session's own, and may have expired. */
      readonly bearer: Option.Option<Subject>
      readonly admits: (clientId: string) => boolean
      readonly now: number
    },
    mint: (clientId: string) => Session
  ): Transition<Either.Either<Session, RefreshRefusal>> =>
  (state) => {
    const token = Redacted.value(presented.refreshToken)
    const is = (one: { readonly refreshToken: Redacted.Redacted }) => Redacted.value(one.refreshToken) === token
    const session = Array.from(HashMap.values(state.sessions)).find(is)
    if (session === undefined) return [Either.left(state.ended.find(is)?.how ?? "unknown"), state]
    if (presented.now >= session.refreshExpiresAt) return [Either.left("expired"), state]
    if (Option.exists(presented.bearer, ({ tokenId }) => tokenId !== session.tokenId)) {
      return [Either.left("foreign bearer"), state]
    }
    if (!presented.admits(session.clientId)) return [Either.left("account"), state]
    const fresh = mint(session.clientId)
    return [Either.right(fresh), count(begin(state, fresh, "used"), "refreshed")]
  }

/** The session of a bearer token whose signature is good, if it is still alive. */
export const authenticate =
  (bearer: Subject, now: number) =>
  (state: State): Either.Either<Session, BearerRefusal> =>
    HashMap.get(state.sessions, bearer.clientId).pipe(
      Option.filter((session) => session.tokenId === bearer.tokenId),
      Either.fromOption((): BearerRefusal => "replaced or revoked"),
      Either.filterOrLeft(
        (session) => now < session.expiresAt,
        (): BearerRefusal => "expired"
      )
    )

/** A session ends at its own bearer's request. A token that is dead already is left dead (RFC 7009 section 2.2). */
export const revoke =
  (bearer: Subject, tokenId: string, now: number): Transition<Either.Either<void, BearerRefusal>> =>
  (state) =>
    Either.match(authenticate(bearer, now)(state), {
      onLeft: (refusal) => [Either.left(refusal), state],
      onRight: (session) => [
        Either.right(undefined),
        session.tokenId === tokenId ? count(end(state, session, "revoked"), "revoked") : state
      ]
    })

/** A token of a client's session dies of age now, whatever lifetime it was given. False when there is no session. */
export const expire =
  (clientId: string, token: "access" | "refresh", now: number): Transition<boolean> =>
  (state) =>
    Option.match(HashMap.get(state.sessions, clientId), {
      onNone: () => [false, state],
      onSome: (session) => [
        true,
        {
          ...state,
          sessions: HashMap.set(state.sessions, clientId, {
            ...session,
            [token === "access" ? "expiresAt" : "refreshExpiresAt"]: now
          })
        }
      ]
    })
