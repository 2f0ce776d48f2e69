/** The one session of the mocked Nomba, kept by the rules of the sandbox with its default switches. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Switches } from "../sandbox/config/Switches.js"
import * as Sessions from "../sandbox/state/Sessions.js"
import { Session } from "../schemas/Session.js"

export interface NombaState {
  /** How many sessions were issued or refreshed. Tokens are numbered by it. */
  readonly issued: number
  readonly sessions: Sessions.Sessions
}

export const empty: NombaState = { issued: 0, sessions: Sessions.empty }

const switches = Schema.decodeSync(Switches)({})

/** The mock has one client. */
const clientId = "client"

/** The text of an access token is its id, so that a bearer token can be checked without a signature. */
const tokens = (number: number, lifetime: Duration.Duration, now: number): Sessions.NewTokens => ({
  clientId,
  sessionId: `session-${number}`,
  tokenId: `test-access-token-${number}`,
  accessToken: Redacted.make(`test-access-token-${number}`),
  refreshToken: Redacted.make(`test-refresh-token-${number}`),
  issuedAt: now,
  expiresAt: now + Duration.toMillis(lifetime),
  refreshExpiresAt: Number.POSITIVE_INFINITY
})

const toSession = (
  { accessToken, refreshToken }: Sessions.Session,
  lifetime: Duration.Duration,
  now: number
): Session =>
  new Session({
    accessToken,
    refreshToken: Option.some(refreshToken),
    lifetime,
    issuedAt: DateTime.unsafeMake(now),
    clock: "server",
    tokenType: "Bearer",
    businessId: Option.none()
  })

/** Starts a session and ends the one before. */
export const issue = (
  { issued, sessions }: NombaState,
  lifetime: Duration.Duration,
  now: number
): readonly [Session, NombaState] => {
  const number = issued + 1
  const [session, after] = Sessions.start(tokens(number, lifetime, now), "client", switches)(sessions)
  return [toSession(session, lifetime, now), { issued: number, sessions: after }]
}

/** Continues the session of a refresh token; none if the token is not valid. */
export const refresh = (
  state: NombaState,
  refreshToken: Redacted.Redacted,
  lifetime: Duration.Duration,
  now: number
): readonly [Option.Option<Session>, NombaState] => {
  const number = state.issued + 1
  const request = { refreshToken, bearer: Option.none(), admits: () => true, now }
  const [refreshed, sessions] = Sessions.refresh(request, () => tokens(number, lifetime, now), switches)(state.sessions)
  return Either.isRight(refreshed)
    ? [Option.some(toSession(refreshed.right, lifetime, now)), { issued: number, sessions }]
    : [Option.none(), { ...state, sessions }]
}

export const isAlive = ({ sessions }: NombaState, token: string, now: number): boolean =>
  Either.isRight(Sessions.authenticate({ clientId, tokenId: token }, now)(sessions))

export const expire = (state: NombaState, now: number): NombaState => ({
  ...state,
  sessions: Sessions.expire(clientId, "access", now)(state.sessions)[1]
})

export const revoke = (state: NombaState): NombaState => ({
  ...state,
  sessions: Sessions.revokeAll(clientId)(state.sessions)[1]
})
