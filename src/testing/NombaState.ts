/**
 * The one session that a pretended Nomba keeps.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Session } from "../schemas/Session.js"

/** What it knows. A session that was replaced or revoked is not here any more. */
export interface NombaState {
  /** How many sessions it has granted; the tokens are numbered by it. */
  readonly granted: number
  readonly live: { readonly session: Session; readonly expiresAt: number } | undefined
}

export const empty: NombaState = { granted: 0, live: undefined }

/** Grants a session, which ends the one before. Times are milliseconds. */
export const grant = (state: NombaState, lifetime: Duration.Duration, now: number): readonly [Session, NombaState] => {
  const granted = state.granted + 1
  const session = new Session({
    accessToken: Redacted.make(`test-access-token-${granted}`),
    refreshToken: Option.some(Redacted.make(`test-refresh-token-${granted}`)),
    lifetime,
    issuedAt: DateTime.unsafeMake(now),
    clock: "server",
    tokenType: "Bearer",
    businessId: Option.none()
  })
  return [session, { granted, live: { session, expiresAt: DateTime.toEpochMillis(session.expiresAt) } }]
}

/** Whether a call with this bearer is let in. */
export const isAlive = ({ live }: NombaState, token: string, now: number): boolean =>
  live !== undefined && now < live.expiresAt && Redacted.value(live.session.accessToken) === token

/** Whether this refresh token can be spent. */
export const isRefreshable = ({ live }: NombaState, token: string): boolean =>
  live !== undefined && Option.exists(live.session.refreshToken, (_) => Redacted.value(_) === token)
