/**
 * What this process remembers about the renewals of one session, and how long token requests are held back for it: after
 * renewals that failed, and after tokens that were rejected too early. Times are milliseconds of the cache's `Timeline`.
 *
 * It is kept per clock, store and store key, and outlives the cache.
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { AuthError } from "../../schemas/AuthError.js"
import { rejectsCredentials, statedByNomba } from "../../schemas/ErrorMeaning.js"
import type { StoreKey } from "../../schemas/StoreKey.js"
import type { StoreMemory, TokenStoreService } from "../../services/TokenStore.js"
import { makeProcessMemory, RecentTexts } from "../processMemory.js"
import { MAX_FAILURE_WAIT } from "../store/StoreDriver.js"
import type { EarlyEnd } from "../telemetry.js"
import * as RouteGuard from "./RouteGuard.js"

/** An access token that Nomba gave to this process, or that the store held. */
export interface KnownToken {
  /** The end of its lifetime as it was first stated. */
  readonly expiresAt: number
  /** Whether Nomba answered 401 to it, before its lifetime was over or after. */
  readonly rejection: "early" | "late" | undefined
}

export interface RenewalHistory {
  failure: FailureBackoff | undefined
  /** Failures of other credentials for the same session, by their digest. */
  readonly otherFailures: Map<number, FailureBackoff>
  rejections: RejectionBackoff
  readonly tokens: Map<string, KnownToken>
  /** The last refresh tokens that were sent. */
  readonly spentRefreshTokens: RecentTexts
  /** Those among them that Nomba has answered: they are spent for certain. */
  readonly answeredRefreshTokens: RecentTexts
  readonly routes: RouteGuard.RouteGuard
  readonly earlyEnds: RouteGuard.EarlyEnds
  readonly storeMemory: StoreMemory
}

const TOKENS_KEPT = 16

/** Adds what is known about a token; the oldest of more than 16 is forgotten. */
export const remember = ({ tokens }: RenewalHistory, token: string, known: KnownToken): void => {
  tokens.delete(token)
  tokens.set(token, known)
  for (const oldest of tokens.keys()) {
    if (tokens.size <= TOKENS_KEPT) break
    tokens.delete(oldest)
  }
}

export const isRejected = ({ tokens }: RenewalHistory, token: string): boolean =>
  tokens.get(token)?.rejection !== undefined

const histories = makeProcessMemory(
  "RenewalHistory",
  (): RenewalHistory => ({
    failure: undefined,
    otherFailures: new Map(),
    rejections: noRejections,
    tokens: new Map(),
    spentRefreshTokens: new RecentTexts(TOKENS_KEPT),
    answeredRefreshTokens: new RecentTexts(TOKENS_KEPT),
    routes: RouteGuard.make(),
    earlyEnds: RouteGuard.makeEarlyEnds(),
    storeMemory: {}
  })
)

/** The history of this key, until 10 minutes after the last scope that uses it has closed. */
export const use = (store: TokenStoreService, key: StoreKey): Effect.Effect<RenewalHistory, never, Scope.Scope> =>
  histories(store.identity ?? store, key)

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

/** The longest stated wait that is believed: anything but a rate limit often states a wait that has nothing to do with it. */
const believed = (error: AuthError): number => {
  const stated = error.retryAfter === undefined ? 0 : Duration.toMillis(error.retryAfter)
  const limit = statedByNomba(error) === "RateLimited" ? Duration.toMillis(MAX_FAILURE_WAIT) : 2 * MINUTE
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
  /** When another program's login was found to have ended a session: the last three, oldest first. */
  readonly otherLogins: ReadonlyArray<number>
  readonly warnedAt: Readonly<Record<EarlyEnd, number>>
}

export const noRejections: RejectionBackoff = {
  recent: [],
  until: 0,
  otherLogins: [],
  warnedAt: { another_program: Number.NEGATIVE_INFINITY, account_or_route: Number.NEGATIVE_INFINITY }
}

const WINDOW = 10 * MINUTE
const FREE = 10
const WARN_FROM = 3

/**
 * Counts an early rejection. The first ten within ten minutes cause no wait. Each one after them holds its renewal back for
 * 3 to 9 s, counted from the rejection: a wait that began at the last renewal would let the side that renewed last win
 * every time. `random` is between 0 and 1.
 */
export const countRejection = (backoff: RejectionBackoff, now: number, random: number): RejectionBackoff => {
  const recent = backoff.recent.filter((at) => now - at < WINDOW)
  const wait = recent.length < FREE ? 0 : Math.ceil(3 * SECOND + random * 6 * SECOND)
  return { ...backoff, recent: [...recent, now].slice(-FREE), until: now + wait }
}

/** Three early rejections within a minute are worth a warning. Answers when the first of them happened. */
export const rejectedOftenSince = ({ recent }: RejectionBackoff, now: number): number | undefined => {
  const latest = recent.filter((at) => now - at < MINUTE)
  return latest.length >= WARN_FROM ? latest[0] : undefined
}

export const countOtherLogin = (backoff: RejectionBackoff, now: number): RejectionBackoff => ({
  ...backoff,
  otherLogins: [...backoff.otherLogins, now].slice(-WARN_FROM)
})

/** Three within a day are worth a warning: programs that call rarely end each other's session as rarely. */
export const isContested = ({ otherLogins }: RejectionBackoff, now: number): boolean =>
  otherLogins.filter((at) => now - at < 24 * 60 * MINUTE).length >= WARN_FROM

/** There is one warning a minute of each cause: the first may come before it is known that another program logs in. */
export const mayWarn = ({ warnedAt }: RejectionBackoff, cause: EarlyEnd, now: number): boolean =>
  now - warnedAt[cause] >= MINUTE

/** Goes on with what these credentials have failed with, and keeps the failure of the others. */
export const switchCredentials = (history: RenewalHistory, digest: number): void => {
  const { failure, otherFailures } = history
  if (failure?.credentials !== undefined) {
    otherFailures.delete(failure.credentials)
    otherFailures.set(failure.credentials, failure)
    for (const oldest of otherFailures.keys()) {
      if (otherFailures.size <= TOKENS_KEPT) break
      otherFailures.delete(oldest)
    }
  }
  history.failure = otherFailures.get(digest)
}
