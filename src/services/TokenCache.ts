/**
 * One valid access token for the whole program.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
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
export interface CachedSession {
  readonly session: Session
  /** What is left of its lifetime. */
  readonly remaining: Duration.Duration
  /** `false` while the token store cannot be reached and the session could not be written to it. */
  readonly saved: boolean
  /** Whether this cache got it from Nomba or adopted it from the token store. */
  readonly origin: "nomba" | "store"
}

/**
 * What happened to the session, for `TokenCache.changes`. No event shows a token when it is printed.
 *
 * - `Current`: the first event of every subscriber; no session before the first `get` and after a logout
 * - `Issued`: Nomba started a new session (client credentials or a login)
 * - `Refreshed`: Nomba renewed the session
 * - `Adopted`: the session of another process was taken from the token store
 * - `Rejected`: Nomba answered 401 to the token; `early` if its lifetime was not over
 * - `LoggedOut`: the session was ended here or in another process
 * - `RenewalFailed`: a renewal failed; the next one begins after `retryAfter`
 * - `Missed`: the subscriber was too slow, and so many events before this one were dropped
 *
 * @since 0.1.0
 * @category models
 */
export type SessionEvent = Data.TaggedEnum<{
  Current: { readonly session: Option.Option<CachedSession> }
  Issued: { readonly session: CachedSession }
  Refreshed: { readonly session: CachedSession }
  Adopted: { readonly session: CachedSession }
  Rejected: { readonly early: boolean }
  LoggedOut: Record<never, never>
  RenewalFailed: { readonly error: AuthError; readonly retryAfter: Duration.Duration }
  Missed: { readonly count: number }
}>

/**
 * Constructors and `$match` of the session events.
 *
 * @since 0.1.0
 * @category constructors
 */
export const SessionEvent: Data.TaggedEnum.Constructor<SessionEvent> = Data.taggedEnum<SessionEvent>()

/**
 * The request that a token was used for.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenUse {
  /** When it was sent, in milliseconds of the `Clock`. */
  readonly sentAt: number
  /** Method and path with ids replaced, and the account id if the request names one: `GET /v1/accounts/*`. */
  readonly route: string
  /**
   * What tells this request from others of its route, which may answer 401 to some of them only: the path with its ids, and
   * the query and the body or a digest of them. It is only compared. Default: `route`.
   */
  readonly resource?: string | undefined
  /** `true` for the replay of a request that was answered with 401 before. Default: `false`. */
  readonly isReplay?: boolean | undefined
}

/**
 * What to do about a 401.
 *
 * - `Renewal`: get the token again and replay the request with it
 * - `SameToken`: a request that was sent later succeeded with this token; replay once with the same token
 * - `None`: this route answers 401 whatever the token; give the 401 to the caller
 *
 * @since 0.1.0
 * @category models
 */
export type Remedy = "Renewal" | "SameToken" | "None"

/**
 * Caches one session and renews it ahead of its expiry. Concurrent callers share one renewal, and all processes that use
 * the same `TokenStore` share the session.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenCacheService {
  /**
   * A valid access token. Answers from memory while the token is fresh, starts a renewal in the background shortly before
   * it expires, and waits for a renewal only if there is no valid token. A renewal ends within 30 seconds.
   *
   * Fails with the failure of the renewal. During the backoff after a failed renewal it fails at once with the same error
   * and `retryAfter`.
   */
  readonly get: Effect.Effect<Redacted.Redacted<string>, AuthError>
  /** The session of the token that `get` returns. Renews it as `get` does, and fails as `get` does. */
  readonly session: Effect.Effect<CachedSession, AuthError>
  /** The session in memory if its token can be used now. Never renews and never reads the store: for health checks. */
  readonly peek: Effect.Effect<Option.Option<CachedSession>>
  /** Gets a token and reads the token store once: for checks at start-up. Fails as `get` does, or if the store does. */
  readonly verify: Effect.Effect<void, AuthError>
  /**
   * Reports that Nomba answered 401 to this token. If it is the current token, the next `get` renews it, so many reports
   * of one token cause one renewal. With `use`, a 401 that other requests contradict does not end the token.
   */
  readonly invalidate: (rejected: Redacted.Redacted<string>, use?: TokenUse) => Effect.Effect<Remedy>
  /** Reports that Nomba accepted this token for a request. */
  readonly confirm: (accepted: Redacted.Redacted<string>, use?: TokenUse) => Effect.Effect<void>
  /**
   * Ends the session at Nomba and in the token store; a later `get` starts a new one. Fails if Nomba did not confirm the
   * revocation (`Unavailable`, or `Expired` for a 401 on a token whose lifetime was not over). No cache uses the session
   * afterwards, and another `logout` tries again.
   */
  readonly logout: Effect.Effect<void, AuthError>
  /**
   * The current state, then every change with its reason. Each subscriber has a buffer of 64 events; if it is too slow,
   * the oldest are dropped and `Missed` says how many.
   */
  readonly changes: Stream.Stream<SessionEvent>
}

/**
 * Caches and renews the access token: `get` returns a valid one, however many callers ask.
 *
 * @since 0.1.0
 * @category services
 */
export class TokenCache extends Context.Tag("nomba-auth/TokenCache")<TokenCache, TokenCacheService>() {}
