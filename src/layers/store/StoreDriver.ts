/**
 * The few atomic steps that a token store is made of. `SessionStore.make` builds the rest from them.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Unavailable } from "../../schemas/AuthError.js"
import type { Session } from "../../schemas/Session.js"
import type { StoreKey } from "../../schemas/StoreKey.js"

/**
 * An entry is kept this long past its session's expiry: whoever comes back can refresh, and sees a logout.
 *
 * @since 0.1.0
 */
export const KEEP: Duration.Duration = Duration.days(30)

/**
 * What one key holds: a session, or a tombstone, which may keep a session whose revocation is unproved.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry {
  readonly version: number
  readonly session: Option.Option<Session>
  readonly tombstone: boolean
  readonly marked: boolean
  /** What is left of the session by the store's clock when the step was carried out, never negative. */
  readonly remaining: Duration.Duration
}

/**
 * What a commit puts in the place of an entry; it carries no mark.
 *
 * @since 0.1.0
 * @category models
 */
export interface Next {
  readonly session: Option.Option<Session>
  readonly tombstone: boolean
  /** What is left when the step is asked for. A write that comes later than that leaves less. */
  readonly remaining: Duration.Duration
}

/**
 * Each step is atomic, bounded in the time that the process runs, and fails with `Unavailable` when the store is out of reach.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoreDriver {
  readonly read: Effect.Effect<Option.Option<Entry>, Unavailable>
  /** Takes the lease if it is free, run out, or the owner's already; reads in the same step either way. */
  readonly acquire: (
    owner: string
  ) => Effect.Effect<{ readonly held: boolean; readonly entry: Option.Option<Entry> }, Unavailable>
  /** Gives the owner's lease its full time again; `false` when it is no longer the owner's. */
  readonly extend: (owner: string) => Effect.Effect<boolean, Unavailable>
  /** The same, and marks the entry's refresh token as being spent, or takes the mark back. */
  readonly mark: (owner: string, marked: boolean) => Effect.Effect<boolean, Unavailable>
  /**
   * Writes under the owner's lease and over the version that was read (0 where there was nothing), then announces the
   * new version. None when either no longer holds.
   */
  readonly commit: (owner: string, basis: number, next: Next) => Effect.Effect<Option.Option<number>, Unavailable>
  /**
   * Frees the lease if it is the owner's, and announces the version that is there, to wake who waits for it. Asked also
   * after `acquire` failed, since the store may have got that far: it is to be carried out after it.
   */
  readonly release: (owner: string) => Effect.Effect<void>
  /**
   * Subscribes: the versions announced from then on. Where that takes a connection, it is not waited for: the version that
   * is there once it is made comes first. Goes on through an outage; what is announced meanwhile may be missing.
   */
  readonly changes: Effect.Effect<Stream.Stream<number>, never, Scope.Scope>
  /** Gives up this hold; answers whether it was the last, and the store not shared. */
  readonly leave: Effect.Effect<boolean>
  /** How long a lease lasts unless it is extended. */
  readonly leaseTime: Duration.Duration
}

/**
 * Opens the steps of one key, whose leases last for `leaseTime` unless they are extended; gives up the hold when the scope
 * closes.
 *
 * @since 0.1.0
 * @category models
 */
export type Connect = (key: StoreKey, leaseTime: Duration.Duration) => Effect.Effect<StoreDriver, never, Scope.Scope>
