/**
 * How long the cache holds back calls to Nomba, after renewals that failed and after renewals that did not help.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import type { AuthError } from "../../schemas/AuthError.js"

/** A renewal that failed, until the next may begin. Times are the cache's own clock, in milliseconds. */
export interface Pause {
  readonly error: AuthError
  /** How many in a row have failed in the same way. */
  readonly count: number
  readonly since: number
  readonly until: number
}

const doubling = (first: number, count: number, most: number): number => Math.min(most, first * 2 ** (count - 1))

/**
 * The pause after a failed renewal: what the server stated, else 1 s doubling to 30 s; refused credentials, which do not
 * heal by themselves, 10 s doubling to 5 min.
 */
export const pause = (error: AuthError, previous: Pause | undefined, now: number): Pause => {
  const refused = error._tag === "InvalidCredentials"
  const isSameKind = previous !== undefined && (previous.error._tag === "InvalidCredentials") === refused
  const count = isSameKind ? previous.count + 1 : 1
  const ours = refused ? doubling(10_000, count, 300_000) : doubling(1_000, count, 30_000)
  const stated = error.retryAfter === undefined ? 0 : Duration.toMillis(error.retryAfter)
  return { error, count, since: now, until: now + (stated > 0 ? stated : ours) }
}

/** Whether a pause is running. One that began in what is now the future is over: the clock has jumped back. */
export const isRunning = (span: { readonly since: number; readonly until: number } | undefined, now: number): boolean =>
  span !== undefined && now >= span.since && now < span.until

/**
 * Renewals after a rejection, and whether they helped. One did not if the session is rejected again within 60 s with no
 * confirmed replay between. Two such go at once, then 1 s doubling to 60 s.
 */
export interface Remedies {
  /**
   * The newest token minted because the one before it was rejected, and when it or what came after it began to be used;
   * undefined once it has helped.
   */
  readonly last: { readonly token: Redacted.Redacted<string>; readonly at: number } | undefined
  /** How many in a row did not help. */
  readonly unhelped: number
  readonly since: number
  readonly until: number
}

/** No renewal has been caused by a rejection, or the last one helped. */
export const noRemedies: Remedies = { last: undefined, unhelped: 0, since: 0, until: 0 }

const PROOF = 60_000

/** From this many renewals that did not help on, the next one waits, and the reason is worth a warning. */
export const LASTING = 2

/** The session was rejected, for the first time. */
export const rejected = ({ last, unhelped }: Remedies, now: number): Remedies => {
  if (last === undefined || now < last.at || now - last.at >= PROOF) return noRemedies
  const count = unhelped + 1
  const wait = count < LASTING ? 0 : doubling(1_000, count - LASTING + 1, 60_000)
  return { last, unhelped: count, since: now, until: now + wait }
}

/** A token was minted because the one before it was rejected. */
export const minted = ({ unhelped }: Remedies, token: Redacted.Redacted<string>, now: number): Remedies => ({
  last: { token, at: now },
  unhelped,
  since: 0,
  until: 0
})

/**
 * A newer session came from elsewhere: no wait any more, but whether our renewals help is still open, unless the one in
 * its place was in use for long enough. `inUse` until now, and not rejected.
 */
export const superseded = ({ last, unhelped }: Remedies, inUse: boolean, now: number): Remedies =>
  last === undefined || (inUse && now - last.at >= PROOF)
    ? noRemedies
    : { last: { ...last, at: now }, unhelped, since: 0, until: 0 }

/** The request whose rejection caused a mint has succeeded with that mint's token. */
export const confirmed = (remedies: Remedies, token: Redacted.Redacted<string>): Remedies =>
  remedies.last !== undefined && Redacted.value(remedies.last.token) === Redacted.value(token) ? noRemedies : remedies
