/**
 * The session and its events, as `nomba-auth/promise` shows them.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { type CachedSession, SessionEvent } from "../services/TokenCache.js"
import type { NombaError } from "./errors.js"
import { fromError } from "./failure.js"

/**
 * A session as this process knows it. `console.log` and JSON do not show the token.
 *
 * @since 0.1.0
 * @category models
 */
export interface NombaSession {
  /** `token.value` is the access token. It is hidden from `console.log` and JSON. */
  readonly token: { readonly value: string }
  /** What is left of its lifetime, in milliseconds. */
  readonly remainingMs: number
  /** `false` while the token store is down and the session could not be written to it. */
  readonly saved: boolean
  /** Whether this process got it from Nomba, or from the token store. */
  readonly origin: "nomba" | "store"
}

/**
 * What happened to the session.
 *
 * - `Current`: the first event of every listener; without a session before the first token and after a logout
 * - `Issued`, `Refreshed`: Nomba started or renewed the session
 * - `Adopted`: the session of another process was taken from the token store
 * - `Rejected`: Nomba answered 401 to the token; `early` if its lifetime was not over
 * - `LoggedOut`: the session was ended, here or in another process
 * - `RenewalFailed`: a renewal failed; the next one begins after `retryAfterMs`
 * - `Missed`: the listener was too slow, and `count` events were dropped
 *
 * @since 0.1.0
 * @category models
 */
export type NombaSessionEvent =
  | { readonly _tag: "Current"; readonly session: NombaSession | undefined }
  | { readonly _tag: "Issued"; readonly session: NombaSession }
  | { readonly _tag: "Refreshed"; readonly session: NombaSession }
  | { readonly _tag: "Adopted"; readonly session: NombaSession }
  | { readonly _tag: "Rejected"; readonly early: boolean }
  | { readonly _tag: "LoggedOut" }
  | { readonly _tag: "RenewalFailed"; readonly error: NombaError; readonly retryAfterMs: number }
  | { readonly _tag: "Missed"; readonly count: number }

/** A private field, because `inspect` shows a hidden property if it is told to. */
class HiddenToken {
  readonly #token: Redacted.Redacted<string>
  constructor(token: Redacted.Redacted<string>) {
    this.#token = token
  }
  get value(): string {
    return Redacted.value(this.#token)
  }
  toJSON(): string {
    return "<redacted>"
  }
  toString(): string {
    return "<redacted>"
  }
}

/** @internal */
export const viewOf = ({ origin, remaining, saved, session }: CachedSession): NombaSession => ({
  token: new HiddenToken(session.accessToken),
  remainingMs: Duration.toMillis(remaining),
  saved,
  origin
})

/** @internal */
export const eventOf = (event: SessionEvent): NombaSessionEvent =>
  SessionEvent.$match(event, {
    Current: ({ session }): NombaSessionEvent => ({
      _tag: "Current",
      session: Option.getOrUndefined(Option.map(session, viewOf))
    }),
    Issued: ({ session }): NombaSessionEvent => ({ _tag: "Issued", session: viewOf(session) }),
    Refreshed: ({ session }): NombaSessionEvent => ({ _tag: "Refreshed", session: viewOf(session) }),
    Adopted: ({ session }): NombaSessionEvent => ({ _tag: "Adopted", session: viewOf(session) }),
    Rejected: ({ early }): NombaSessionEvent => ({ _tag: "Rejected", early }),
    LoggedOut: (): NombaSessionEvent => ({ _tag: "LoggedOut" }),
    RenewalFailed: ({ error, retryAfter }): NombaSessionEvent => ({
      _tag: "RenewalFailed",
      error: fromError(error),
      retryAfterMs: Duration.toMillis(retryAfter)
    }),
    Missed: ({ count }): NombaSessionEvent => ({ _tag: "Missed", count })
  })
