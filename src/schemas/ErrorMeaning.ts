/**
 * What a failure means for a retry, a refresh token or a token in hand. Each class of `AuthError` says it of itself; these
 * functions ask.
 */
import type * as Duration from "effect/Duration"

/** Registered, because a program may hold two copies of this module. */
export const meaning: unique symbol = Symbol.for("nomba-auth/ErrorMeaning")

export interface ErrorMeaning {
  /**
   * It is one of circumstances, and says nothing about the request, the credentials or the session. Only such a failure is given
   * to the `RetryPolicy`.
   */
  readonly isTransient: boolean
  /** The request certainly was not processed, so that a single-use token or code that it carried is still good. */
  readonly wasNotProcessed: boolean
  /** After this answer to a refresh, the refresh token is spent or invalid. It is not sent again. */
  readonly endsRefreshToken: boolean
  /** Nomba, or a check of ours, turned down what the request presented. It would again. */
  readonly isRefusal: boolean
  /**
   * The failure ends by itself: it needs no change of the program, its settings or the stored session. Any other failure must
   * be reported, and not be hidden by serving a token that Nomba has rejected.
   */
  readonly healsByWaiting: boolean
  /**
   * The next renewal may succeed at once, so that no backoff is due: Nomba answered with a token that had expired on arrival.
   * The used refresh token is replaced by a new session then.
   */
  readonly secondTryMayHelp: boolean
  /** Nomba rejected the credentials, so that waiting does not help and a corrected secret is tried at once. */
  readonly rejectsCredentials: boolean
  /**
   * The reason of a failure that Nomba stated and that holds for every process of a fleet. None for trouble of one host, its
   * secret or its store.
   */
  readonly statedByNomba: "RateLimited" | "ServerError" | undefined
  /** A stalled process can be the cause: its timers fall due before it reads its sockets. */
  readonly mayComeFromStall: boolean
}

export const noMeaning: ErrorMeaning = {
  isTransient: false,
  wasNotProcessed: false,
  endsRefreshToken: false,
  isRefusal: false,
  healsByWaiting: false,
  secondTryMayHelp: false,
  rejectsCredentials: false,
  statedByNomba: undefined,
  mayComeFromStall: false
}

interface Failure {
  readonly _tag: string
  readonly [meaning]: ErrorMeaning
}

/** A program without types may fail with something else, which means nothing here. */
const of = (error: Failure): ErrorMeaning => error[meaning] ?? noMeaning

export const isTransient = <E extends Failure>(error: E): error is Extract<E, { readonly _tag: "Unavailable" }> =>
  of(error).isTransient

export const rejectsCredentials = <E extends Failure>(
  error: E
): error is Extract<E, { readonly _tag: "InvalidCredentials" }> => of(error).rejectsCredentials

export const wasNotProcessed = (error: Failure): boolean => of(error).wasNotProcessed

export const endsRefreshToken = (error: Failure): boolean => of(error).endsRefreshToken

export const isRefusal = (error: Failure): boolean => of(error).isRefusal

export const healsByWaiting = (error: Failure): boolean => of(error).healsByWaiting

export const secondTryMayHelp = (error: Failure): boolean => of(error).secondTryMayHelp

export const statedByNomba = (error: Failure): ErrorMeaning["statedByNomba"] => of(error).statedByNomba

export const mayComeFromStall = (error: Failure): boolean => of(error).mayComeFromStall

/** The same error with another wait. */
export const withRetryAfter = <E extends Failure>(error: E, retryAfter: Duration.Duration): E =>
  rebuild(error, { retryAfter })

/** The same error with advice. */
export const withHint = <E extends Failure>(error: E, hint: string): E => rebuild(error, { hint })

const rebuild = <E extends Failure>(
  error: E,
  change: { readonly retryAfter?: Duration.Duration; readonly hint?: string }
): E => {
  const Class = error.constructor as new (props: E) => E
  return new Class({ ...error, ...change })
}
