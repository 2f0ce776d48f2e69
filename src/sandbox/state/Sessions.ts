/**
 * The sessions, the refresh tokens that have ended, and every change of them. Bounded: 16 sessions for each client, 8 earlier
 * access tokens for each session, and the last 256 refresh tokens that have ended.
 */
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Switches } from "../config/Switches.js"
import type { Subject } from "./AccessToken.js"

/** Times are milliseconds since 1970 by the sandbox's clock. */
export interface Access extends Subject {
  readonly accessToken: Redacted.Redacted
  readonly issuedAt: number
  readonly expiresAt: number
}

/** `sessionId` is used only if the tokens start a session. */
export interface NewTokens extends Access {
  readonly sessionId: string
  readonly refreshToken: Redacted.Redacted
  readonly refreshExpiresAt: number
}

/** The newest tokens of a session. `earlier` are access tokens that a refresh left valid, the newest first. */
export interface Session extends NewTokens {
  readonly startedBy: "client" | "another login"
  readonly refreshes: number
  readonly earlier: ReadonlyArray<Access>
}

export type RefreshRefusal =
  | "unknown"
  | "used"
  | "reused"
  | "replaced"
  | "revoked"
  | "expired"
  | "foreign bearer"
  | "expired bearer"
  | "account"

/** Why a bearer token with a valid signature is rejected. */
export type BearerRefusal = "replaced or revoked" | "expired"

interface Ended {
  readonly sessionId: string
  readonly clientId: string
  readonly refreshToken: Redacted.Redacted
  readonly how: RefreshRefusal
}

/** The sessions of each client, the oldest first. */
export interface Sessions {
  readonly live: HashMap.HashMap<string, ReadonlyArray<Session>>
  readonly ended: ReadonlyArray<Ended>
}

/** A change: its result, and the sessions after it. */
export type Change<A> = (sessions: Sessions) => readonly [A, Sessions]

export const empty: Sessions = { live: HashMap.empty(), ended: [] }

const mostEnded = 256
const sessionsOfClient = 16
const earlierOfSession = 8

/** The sessions of a client, the oldest first. */
export const ofClient = (sessions: Sessions, clientId: string): ReadonlyArray<Session> =>
  Option.getOrElse(HashMap.get(sessions.live, clientId), () => [])

export const all = ({ live }: Sessions): ReadonlyArray<Session> => Array.from(HashMap.values(live)).flat()

const withSessions = (sessions: Sessions, clientId: string, live: ReadonlyArray<Session>): Sessions => ({
  ...sessions,
  live: live.length === 0 ? HashMap.remove(sessions.live, clientId) : HashMap.set(sessions.live, clientId, live)
})

const remember = (sessions: Sessions, ...ended: ReadonlyArray<Ended>): Sessions => ({
  ...sessions,
  ended: [...sessions.ended, ...ended].slice(-mostEnded)
})

const end = (sessions: Sessions, ending: ReadonlyArray<Session>, how: RefreshRefusal): Sessions =>
  ending.reduce(
    (left, { clientId, refreshToken, sessionId }) =>
      remember(
        withSessions(
          left,
          clientId,
          ofClient(left, clientId).filter((session) => session.sessionId !== sessionId)
        ),
        { sessionId, clientId, refreshToken, how }
      ),
    sessions
  )

/** Starts a session. It ends those that the client had, or, if several are allowed, the oldest one too many. */
export const start =
  (tokens: NewTokens, startedBy: Session["startedBy"], { singleSession }: Switches): Change<Session> =>
  (sessions) => {
    const session: Session = { ...tokens, startedBy, refreshes: 0, earlier: [] }
    const before = ofClient(sessions, tokens.clientId)
    const room = singleSession ? 0 : sessionsOfClient - 1
    const after = end(sessions, before.slice(0, Math.max(0, before.length - room)), "replaced")
    return [session, withSessions(after, tokens.clientId, [...ofClient(after, tokens.clientId), session])]
  }

export interface RefreshRequest {
  readonly refreshToken: Redacted.Redacted
  /** The bearer token, if there is one and it is checked. */
  readonly bearer: Option.Option<Subject>
  readonly admits: (clientId: string) => boolean
  readonly now: number
}

const accesses = (session: Session): ReadonlyArray<Access> => [session, ...session.earlier]

const hasRefreshToken = ({ refreshToken }: RefreshRequest) => {
  const token = Redacted.value(refreshToken)
  return (one: { readonly refreshToken: Redacted.Redacted }): boolean => Redacted.value(one.refreshToken) === token
}

export const refreshTokenOwner = (sessions: Sessions, request: RefreshRequest): Option.Option<string> =>
  Option.fromNullable([...all(sessions), ...sessions.ended].find(hasRefreshToken(request))?.clientId)

const refuse = (request: RefreshRequest, session: Session, switches: Switches): RefreshRefusal | undefined => {
  const { admits, bearer, now } = request
  if (now >= session.refreshExpiresAt) return "expired"
  if (Option.isSome(bearer)) {
    const own = accesses(session).find(({ tokenId }) => tokenId === bearer.value.tokenId)
    if (own === undefined) return "foreign bearer"
    if (switches.refreshBearerExpired === "refused" && now >= own.expiresAt) return "expired bearer"
  }
  return admits(session.clientId) ? undefined : "account"
}

const refreshed = (session: Session, tokens: NewTokens, switches: Switches): Session => ({
  ...tokens,
  ...(switches.refreshRotation
    ? {}
    : { refreshToken: session.refreshToken, refreshExpiresAt: session.refreshExpiresAt }),
  sessionId: session.sessionId,
  startedBy: session.startedBy,
  refreshes: session.refreshes + 1,
  earlier: switches.refreshKillsAccessToken
    ? []
    : accesses(session)
        .filter(({ expiresAt }) => tokens.issuedAt < expiresAt)
        .slice(0, earlierOfSession)
})

const refuseEnded =
  (request: RefreshRequest, { refreshReuse }: Switches): Change<RefreshRefusal> =>
  (sessions) => {
    const ended = sessions.ended.find(hasRefreshToken(request))
    if (ended === undefined) return ["unknown", sessions]
    if (ended.how !== "used" || refreshReuse === "refused") return [ended.how, sessions]
    const session = ofClient(sessions, ended.clientId).filter(({ sessionId }) => sessionId === ended.sessionId)
    return [ended.how, end(sessions, session, "reused")]
  }

export const refresh =
  (
    request: RefreshRequest,
    newTokens: (clientId: string) => NewTokens,
    switches: Switches
  ): Change<Either.Either<Session, RefreshRefusal>> =>
  (sessions) => {
    const session = all(sessions).find(hasRefreshToken(request))
    if (session === undefined) {
      const [how, after] = refuseEnded(request, switches)(sessions)
      return [Either.left(how), after]
    }
    const refusal = refuse(request, session, switches)
    if (refusal !== undefined) return [Either.left(refusal), sessions]
    const { clientId, refreshToken, sessionId } = session
    const next = refreshed(session, newTokens(clientId), switches)
    const after = withSessions(
      sessions,
      clientId,
      ofClient(sessions, clientId).map((one) => (one === session ? next : one))
    )
    const spent = { sessionId, clientId, refreshToken, how: "used" as const }
    return [Either.right(next), switches.refreshRotation ? remember(after, spent) : after]
  }

/** Checks a bearer token whose signature is valid. */
export const authenticate =
  (bearer: Subject, now: number) =>
  (sessions: Sessions): Either.Either<Access, BearerRefusal> =>
    Either.fromNullable(
      ofClient(sessions, bearer.clientId)
        .flatMap(accesses)
        .find(({ tokenId }) => tokenId === bearer.tokenId),
      (): BearerRefusal => "replaced or revoked"
    ).pipe(
      Either.filterOrLeft(
        ({ expiresAt }) => now < expiresAt,
        (): BearerRefusal => "expired"
      )
    )

export const expiryOf = (sessions: Sessions, { clientId, tokenId }: Subject): number | undefined =>
  ofClient(sessions, clientId)
    .flatMap(accesses)
    .find((access) => access.tokenId === tokenId)?.expiresAt

/** Ends the session of a token for a valid bearer; true if there was one. An invalid token is no error (RFC 7009 section 2.2). */
export const revoke =
  (bearer: Subject, tokenId: string, now: number): Change<Either.Either<boolean, BearerRefusal>> =>
  (sessions) =>
    Either.match(authenticate(bearer, now)(sessions), {
      onLeft: (refusal) => [Either.left(refusal), sessions],
      onRight: () => {
        const session = ofClient(sessions, bearer.clientId).filter((one) =>
          accesses(one).some((access) => access.tokenId === tokenId)
        )
        return [Either.right(session.length > 0), end(sessions, session, "revoked")]
      }
    })

export const endOne =
  (clientId: string, sessionId: string) =>
  (sessions: Sessions): Sessions =>
    end(
      sessions,
      ofClient(sessions, clientId).filter((session) => session.sessionId === sessionId),
      "revoked"
    )

/** Returns how many sessions ended. */
export const revokeAll =
  (clientId: string): Change<number> =>
  (sessions) => {
    const ending = ofClient(sessions, clientId)
    return [ending.length, end(sessions, ending, "revoked")]
  }

/** Lets a token of each session expire now, and returns how many sessions there are. */
export const expire =
  (clientId: string, token: "access" | "refresh", now: number): Change<number> =>
  (sessions) => {
    const aged = ofClient(sessions, clientId).map(
      (session): Session =>
        token === "refresh"
          ? { ...session, refreshExpiresAt: now }
          : { ...session, expiresAt: now, earlier: session.earlier.map((access) => ({ ...access, expiresAt: now })) }
    )
    return [aged.length, withSessions(sessions, clientId, aged)]
  }
