/**
 * How long token requests are held back, after renewals that failed and after tokens that were rejected too early. Times
 * are milliseconds of the cache's `Timeline`.
 */
import * as Duration from "effect/Duration"
import type { AuthError } from "../../schemas/AuthError.js"
import { rejectsCredentials, statedByNomba } from "../../schemas/ErrorMeaning.js"

const SECOND = 1_000
const MINUTE = 60_000

/** The wait after a renewal that failed. */
export interface FailureBackoff {
  readonly error: AuthError
  /** How many renewals in a row have failed in this way, in the whole fleet. */
  readonly count: number
  readonly until: number
  /** A digest of the secret and account id that Nomba rejected. */
  readonly credentials: number | undefined
}

const doubling = (first: number, count: number, most: number): number =>
  Math.min(most, first * 2 ** Math.min(count - 1, 30))

/** The longest stated wait that is believed: a 5xx often states a wait that has nothing to do with it. */
const believed = (error: AuthError): number => {
  const stated = error.retryAfter === undefined ? 0 : Duration.toMillis(error.retryAfter)
  const limit = statedByNomba(error) === "ServerError" ? 2 * MINUTE : 60 * MINUTE
  return Math.min(stated, limit)
}

/** Whether both are about the credentials, or neither is: the count goes on only then. */
const isSameKind = (a: AuthError, b: AuthError): boolean => rejectsCredentials(a) === rejectsCredentials(b)

/** How long to wait after this failure, which is the `count`-th in a row. */
export const failureWait = (error: AuthError, count: number): number =>
  rejectsCredentials(error)
    ? doubling(10 * SECOND, count, 5 * MINUTE)
    : Math.max(doubling(SECOND, count, 30 * SECOND), believed(error))

/** Which failure in a row this is, with what the fleet has counted. */
export const failureCount = (error: AuthError, previous: FailureBackoff | undefined, sharedCount: number): number =>
  1 + Math.max(sharedCount, previous !== undefined && isSameKind(previous.error, error) ? previous.count : 0)

export const isRunning = (backoff: { readonly until: number } | undefined, now: number): boolean =>
  backoff !== undefined && now < backoff.until

/** Early rejections: the token should still have lived. */
export interface RejectionBackoff {
  /** When the last ten happened, oldest first. */
  readonly recent: ReadonlyArray<number>
  /** The renewal that the latest one causes does not begin before this. */
  readonly until: number
  readonly warnedAt: number
}

export const noRejections: RejectionBackoff = { recent: [], until: 0, warnedAt: Number.NEGATIVE_INFINITY }

const WINDOW = 10 * MINUTE
const FREE = 10
const WARN_FROM = 3

/**
 * Counts an early rejection. The first ten within ten minutes cause no wait. Each one after them holds its renewal back for
 * 3 to 9 s, counted from the rejection: a wait that began at the last renewal would let the side that renewed last win
 * every time. `random` is between 0 and 1.
 */
export const rejected = (backoff: RejectionBackoff, now: number, random: number): RejectionBackoff => {
  const recent = backoff.recent.filter((at) => now - at < WINDOW)
  const wait = recent.length < FREE ? 0 : Math.ceil(3 * SECOND + random * 6 * SECOND)
  return { ...backoff, recent: [...recent, now].slice(-FREE), until: now + wait }
}

/**
 * Three early rejections within a minute are worth one warning a minute. Answers when the first of them happened, if the
 * warning is due.
 */
export const warningDueSince = ({ recent, warnedAt }: RejectionBackoff, now: number): number | undefined => {
  const latest = recent.filter((at) => now - at < MINUTE)
  return latest.length >= WARN_FROM && now - warnedAt >= MINUTE ? latest[0] : undefined
}
