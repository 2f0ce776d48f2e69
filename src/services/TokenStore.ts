/**
 * Where sessions live and who may renew one: the seam between one process and a fleet.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { AuthError, Unavailable } from "../schemas/AuthError.js"
import type { Session } from "../schemas/Session.js"
import type { StoreKey } from "../schemas/StoreKey.js"

/**
 * A session as the store holds it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stored {
  readonly session: Session
  /** Never goes back: `max(previous + 1, the store's time in milliseconds)`. */
  readonly version: number
  /** What is left of its lifetime by the store's clock, at the moment it was read. */
  readonly remaining: Duration.Duration
  /** Whether its refresh token is being spent, or was by a holder that died. */
  readonly marked: boolean
  /** `false` when the store refused or failed to write it; `version` is then the one that its mint had read. */
  readonly saved: boolean
}

/**
 * A session fresh from Nomba.
 *
 * @since 0.1.0
 * @category models
 */
export interface Minted {
  readonly session: Session
  /** What is left of its lifetime, which counts from the moment the request was sent. */
  readonly remaining: Duration.Duration
}

/**
 * The exclusive right is held by another: `renew` reads again. It never reaches a caller.
 *
 * @since 0.1.0
 * @category errors
 */
export class LeaseLost extends Data.TaggedError("LeaseLost") {}

/**
 * The exclusive right to renew one session, for a time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lease {
  /** The version that was read under it, which its commit has to find again; 0 where there was nothing. */
  readonly version: number
  /** Before each call to Nomba: it is still ours, with time for one request. */
  readonly check: Effect.Effect<void, LeaseLost>
  /** The same, and marks the refresh token as being spent. */
  readonly spend: Effect.Effect<void, LeaseLost | Unavailable>
  /**
   * Whether what `check` or `spend` permitted last leaves time for one request still, by this process's own clock. Asks
   * nobody: for the last step before a request is sent, which a process that stood still comes to too late.
   */
  readonly still: Effect.Effect<void, LeaseLost>
  /** The request certainly was not processed: takes the mark back. */
  readonly unspend: Effect.Effect<void>
}

/**
 * One session's place in a store.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionStore {
  /** What is held now; none where there is nothing or a tombstone. */
  readonly read: Effect.Effect<Option.Option<Stored>, Unavailable>
  /** The same, with the version that is there: a tombstone's too, and 0 where there is nothing. */
  readonly look: Effect.Effect<{ readonly version: number; readonly stored: Option.Option<Stored> }, Unavailable>
  /**
   * Reads, and answers what it read if `adoptable`; else takes the exclusive right, reads again in the same step, tests
   * again, and only then runs `mint`, whose session it commits and announces. A session that could not be committed is
   * answered all the same, with `saved: false`. Waits for the right as long as it is let.
   */
  readonly renew: (
    adoptable: (stored: Stored) => boolean,
    mint: (current: Option.Option<Stored>, lease: Lease) => Effect.Effect<Minted, AuthError | LeaseLost>
  ) => Effect.Effect<Stored, AuthError>
  /**
   * Tries once to write a session that `renew` answered with `saved: false`: takes the right, reads again, and answers
   * what the store then holds: the session, now saved, or another that is newer. None where a tombstone has overtaken
   * it: the session is to be revoked and dropped.
   */
  readonly save: (unsaved: Stored) => Effect.Effect<Option.Option<Stored>, Unavailable>
  /**
   * Takes the exclusive right, runs `revoke` on what is held, and commits a tombstone however that ends. Unless `revoke`
   * succeeds, the tombstone keeps the session, so that another `clear` can try again.
   */
  readonly clear: <E>(
    revoke: (current: Option.Option<Stored>, lease: Lease) => Effect.Effect<void, E | LeaseLost>
  ) => Effect.Effect<void, E | Unavailable>
  /**
   * Subscribes: the version of each change from then on, whoever makes it. Only a reason to look: a store that is shared
   * lets others announce what it never held.
   */
  readonly changes: Effect.Effect<Stream.Stream<number>, never, Scope.Scope>
  /** Gives up this hold. Answers whether nobody else can hold the session any more: never in a store that is shared. */
  readonly leave: Effect.Effect<boolean>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface TokenStoreService {
  /**
   * Opens a session's place; connects when it is first used. One connection serves every key. A lease lasts for
   * one request of its holder and 3 s, unless it is extended; a permission is good for 3 s.
   */
  readonly open: (key: StoreKey, requestTimeout: Duration.Duration) => Effect.Effect<SessionStore, never, Scope.Scope>
  /** Whether other processes share its sessions. Default: `true`. */
  readonly isShared?: boolean | undefined
}

/**
 * Holds the session that fibers, processes or hosts share, and lets one of them renew it at a time.
 *
 * @since 0.1.0
 * @category services
 */
export class TokenStore extends Context.Tag("nomba-auth/TokenStore")<TokenStore, TokenStoreService>() {}
