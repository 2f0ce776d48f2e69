/** The one session of the mocked Nomba. */
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Session } from "../schemas/Session.js"

/** A session that was replaced or revoked is not kept. */
export interface NombaState {
  /** How many sessions were issued. Tokens are numbered by it. */
  readonly granted: number
  readonly live: { readonly session: Session; readonly expiresAt: number } | undefined
}

export const empty: NombaState = { granted: 0, live: undefined }

/** Starts a session and ends the one before. Times are milliseconds. */
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

export const isAlive = ({ live }: NombaState, token: string, now: number): boolean =>
  live !== undefined && now < live.expiresAt && Redacted.value(live.session.accessToken) === token

export const isRefreshable = ({ live }: NombaState, token: string): boolean =>
  live !== undefined && Option.exists(live.session.refreshToken, (_) => Redacted.value(_) === token)
