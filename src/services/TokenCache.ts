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
   * Reports that Nomba answered 401 to this token, so that the next `get` renews. Does nothing unless it is the current
   * token, so that many reports of one dead token cost one renewal. Answers whether this report was the one that counted.
   */
  readonly invalidate: (rejected: Redacted.Redacted<string>) => Effect.Effect<boolean>
  /**
   * Reports that a request which had been rejected succeeded when it was replayed with this token, so that the renewal
   * counts as having helped. Only for the request whose `invalidate` counted.
   */
  readonly confirm: (accepted: Redacted.Redacted<string>) => Effect.Effect<void>
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
 * Caches the access token and renews it: one renewal for all callers, ahead of expiry.
 *
 * @since 0.1.0
 * @category services
 */
export class TokenCache extends Context.Tag("nomba-auth/TokenCache")<TokenCache, TokenCacheService>() {}
