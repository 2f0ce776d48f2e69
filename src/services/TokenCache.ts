/**
 * A valid access token, whoever asks and whenever.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import type { AuthError } from "../schemas/AuthError.js"
import type { Session } from "../schemas/Session.js"

/**
 * A session as the cache holds it.
 *
 * @since 0.1.0
 * @category models
 */
export interface HeldSession {
  readonly session: Session
  /** What is left of its lifetime. */
  readonly remaining: Duration.Duration
  /** Whether the token store has it; `false` while a store out of reach keeps it from being written. */
  readonly saved: boolean
  /** Whether this cache obtained it from Nomba itself or adopted it from the token store. */
  readonly origin: "minted" | "adopted"
}

/**
 * A request to a resource, as far as the cache needs to know it.
 *
 * @since 0.1.0
 * @category models
 */
export interface RejectedRequest {
  /** When it was sent, in milliseconds since 1970 by the `Clock`. */
  readonly sentAt: number
  /** Method and path with the ids replaced, and the account id if the request brought its own. */
  readonly route: string
}

/**
 * What to do about a rejected token.
 *
 * - `renew`: call `session` for a token and replay once.
 * - `replay`: a request that was sent later succeeded with this token. Replay once with the same token and report a second
 *   rejection again.
 * - `pass`: this route rejects every token. Give the response to the caller.
 *
 * @since 0.1.0
 * @category models
 */
export type Rejection = "renew" | "replay" | "pass"

/**
 * Holds one session and renews it: ahead of its expiry, once however many ask, and shared through the `TokenStore`.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenCacheService {
  /**
   * A token that is good now. Answers from memory while the token is fresh, renews in the background shortly before it
   * expires, and waits for a renewal only where there is no live token. Fails with what the renewal failed with; while a
   * failed renewal is being paced, at once and with `retryAfter`.
   */
  readonly get: Effect.Effect<Redacted.Redacted<string>, AuthError>
  /** The session that `get` would answer from, with what is left of it. */
  readonly session: Effect.Effect<HeldSession, AuthError>
  /**
   * Reports that Nomba rejected this token, so that the next `get` renews. Many reports of one token cause one renewal. Give
   * the request if you can: it tells a bad route from a bad token. Succeeds with what to do.
   */
  readonly invalidate: (rejected: Redacted.Redacted<string>, request?: RejectedRequest) => Effect.Effect<Rejection>
  /**
   * Reports that Nomba accepted this token. Call it after each response that proves it (any status below 500 but 401, 403
   * and 429), so that later rejections are judged rightly.
   */
  readonly confirm: (accepted: Redacted.Redacted<string>, request?: RejectedRequest) => Effect.Effect<void>
  /**
   * Ends the session at Nomba and in the store. A later `get` starts a new one. Fails when the end is unproved
   * (`Unavailable`, or `Expired` for a 401 on a token that was not past its expiry): no cache adopts the session all the
   * same, and another `logout` tries again.
   */
  readonly logout: Effect.Effect<void, AuthError>
  /** The held session, now and whenever it changes; none after a logout. */
  readonly changes: Stream.Stream<Option.Option<Session>>
}

/**
 * @since 0.1.0
 * @category services
 */
export class TokenCache extends Context.Tag("nomba-auth/TokenCache")<TokenCache, TokenCacheService>() {}
