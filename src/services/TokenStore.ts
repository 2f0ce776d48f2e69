/**
 * The contract of a token store: it holds one session per key and lets one attempt at a time renew it.
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
  /** Fencing version. It rises with every write. */
  readonly version: number
  /** What is left of the lifetime by the store's clock, at the moment the store was read. */
  readonly remaining: Duration.Duration
  /** `true` while a refresh is under way, or after its holder crashed: the refresh token may be spent. */
  readonly refreshInFlight: boolean
  /** `false` if the store did not take the session; `version` is then the one that was read before it was requested. */
  readonly saved: boolean
}

/**
 * A session that Nomba has just granted.
 *
 * @since 0.1.0
 * @category models
 */
export interface NewSession {
  readonly session: Session
  /** What is left of its lifetime, counted from the moment the request was sent. */
  readonly remaining: Duration.Duration
}

/**
 * A failure that Nomba stated to one process and that all processes respect.
 *
 * @since 0.1.0
 * @category models
 */
export interface SharedFailure {
  readonly reason: "RateLimited" | "ServerError"
  /** The HTTP status, if there was one. */
  readonly status: Option.Option<number>
  /** What is left of the wait, at the moment the store was read. Zero when it is over. */
  readonly wait: Duration.Duration
  /** How many renewals in a row have failed, over all processes. */
  readonly count: number
}

/**
 * What one read of the store found.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoreState {
  /** The version of the session or tombstone, 0 if there is neither. */
  readonly version: number
  /** None if there is no session, or if it was logged out. */
  readonly stored: Option.Option<Stored>
  /** An attempt, of this or of another process, holds the lease now. */
  readonly isLeased: boolean
  /** Some only while its wait runs. */
  readonly failure: Option.Option<SharedFailure>
  /** The store lost a write: its version is below one that this process has seen. */
  readonly wentBack: boolean
}

/**
 * The lease ran out or another attempt holds it. `renew` reads the store again; a caller never sees this error.
 *
 * @since 0.1.0
 * @category errors
 */
export class LeaseLost extends Data.TaggedError("LeaseLost") {}

/**
 * No renewal was started, because the wait of a shared failure is still running. A caller never sees this error: the
 * token cache turns it into an `AuthError`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RenewalHeldBack extends Data.TaggedError("RenewalHeldBack")<{ readonly failure: SharedFailure }> {}

/**
 * The exclusive right to renew one session, for a limited time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lease {
  /** The version that was read when the lease was taken, 0 if the store was empty. */
  readonly version: number
  /** The store lost a write; see `StoreState.wentBack`. */
  readonly wentBack: boolean
  /** The highest version that this process has seen. */
  readonly highestSeen: number
  /**
   * The last shared failure, also after its wait is over. Its count goes on until a commit clears it.
   */
  readonly failure: Option.Option<SharedFailure>
  /** Extends the lease, so that it lasts for one request. Run it before each request. */
  readonly extend: Effect.Effect<void, LeaseLost>
  /** Extends the lease and sets the refresh-in-flight flag. Run it before a request that spends the refresh token. */
  readonly beginRefresh: Effect.Effect<void, LeaseLost | Unavailable>
  /**
   * Fails if the last `extend` or `beginRefresh` is too old to cover one more request. Reads this process's clock and not
   * the store: it is the last step before a request is sent, and finds out that the process was stalled.
   */
  readonly assertHeld: Effect.Effect<void, LeaseLost>
  /** Takes the refresh-in-flight flag back, because the request certainly was not processed. */
  readonly cancelRefresh: Effect.Effect<void>
}

/**
 * How `SessionStore.renew` decides.
 *
 * @since 0.1.0
 * @category models
 */
export interface RenewOptions {
  /**
   * Whether to take the stored session instead of renewing. Not asked about a session whose refresh is in flight while
   * another attempt holds the lease.
   */
  readonly adopt: (stored: Stored) => boolean
  /** Requests the new session, under the lease. */
  readonly obtain: (current: Option.Option<Stored>, lease: Lease) => Effect.Effect<NewSession, AuthError | LeaseLost>
  /** The failure to leave in the store for all processes; none if it is a matter of this process alone. */
  readonly share: (error: AuthError, previous: Option.Option<SharedFailure>) => Option.Option<SharedFailure>
  /** `true` once the caller no longer waits. A later attempt of this process may then take its lease over at once. */
  readonly isAbandoned: () => boolean
  /**
   * Called with the version of the new session as soon as it is written; must not throw. The subscribers of `changes` may hear
   * that version before `renew` ends. Default: nothing.
   */
  readonly onStored?: ((version: number) => void) | undefined
  /** `true` if `obtain` sends no token request, so that a shared failure does not hold it back. Default: `false`. */
  readonly ignoreSharedFailure?: boolean | undefined
}

/**
 * The session of one key in a store.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionStore {
  /**
   * Reads the store once. If the store went back to before a tombstone that this process has seen, the tombstone still
   * counts: `stored` is none and `version` is the tombstone's.
   */
  readonly readVersioned: Effect.Effect<StoreState, Unavailable>
  /**
   * Adopts the stored session if `adopt` says so. Otherwise takes the lease, reads again in the same step, asks `adopt`
   * again, runs `obtain`, commits the new session and announces it. A session that cannot be committed is answered with
   * `saved: false`. Waits for the lease without a limit of its own.
   *
   * While the wait of a shared failure runs, fails with `RenewalHeldBack` at once and without the lease, unless there is
   * a session to adopt.
   */
  readonly renew: (options: RenewOptions) => Effect.Effect<Stored, AuthError | RenewalHeldBack>
  /**
   * Tries once to write a session that `renew` answered with `saved: false`. Answers what the store then holds: this
   * session, now saved, or a newer one. None if it was logged out meanwhile: revoke the session and drop it.
   */
  readonly save: (unsaved: Stored) => Effect.Effect<Option.Option<Stored>, Unavailable>
  /**
   * Repairs a store that went back. Takes the lease and reads again. If the version is still below the highest that this
   * process has seen, writes the tombstone that it saw, otherwise the given live session. Answers what the store then
   * holds.
   */
  readonly restore: (live: Option.Option<Stored>) => Effect.Effect<Option.Option<Stored>, Unavailable>
  /**
   * Takes the lease, runs `revoke` on the stored session, and commits a tombstone whatever `revoke` answers. Unless
   * `revoke` succeeds the tombstone keeps the session, so that another `logout` can try again.
   */
  readonly logout: <E>(
    revoke: (current: Option.Option<Stored>, lease: Lease) => Effect.Effect<void, E | LeaseLost>
  ) => Effect.Effect<void, E | Unavailable>
  /**
   * Subscribes to the versions that are announced from now on, by any process. In a shared store, also emits the version
   * that a heartbeat finds every 30 s if it is lower than one seen before, or higher than any. A version is a reason to
   * read the store and no proof: others may announce what the store never held.
   */
  readonly changes: Effect.Effect<Stream.Stream<number>, never, Scope.Scope>
  /** How often the store answered that another attempt holds the lease: it tells a wait for the lease from a store that hangs. */
  readonly leaseRefusals: () => number
  /** Stops using the session. Answers `true` if no other layer or process can hold it: never in a shared store. */
  readonly close: Effect.Effect<boolean>
}

/**
 * What a process has seen of a session: give the same object to each `open` of its key, so that a session which was refreshed
 * or ended is not taken from a store that went back to an older state. The store alone writes and reads its content.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoreMemory {
  seen?: unknown
}

/**
 * Opens the session of a client, which all processes of the store share.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenStoreService {
  /**
   * Opens the session of one key. Connects on first use; one connection serves every key. A lease lasts for the request
   * timeout plus 3 s unless it is extended.
   */
  readonly open: (
    key: StoreKey,
    requestTimeout: Duration.Duration,
    memory?: StoreMemory
  ) => Effect.Effect<SessionStore, never, Scope.Scope>
  /** Whether other processes can use the same store: Redis and file yes, memory no. */
  readonly isShared: boolean
  /**
   * The same object for every service that reaches the same sessions. What a process has learnt about a session (its backoff,
   * what it has seen) is kept per identity, so that a layer which is built again does not forget it. Default: the service.
   * Not a client with a password, because `inspect` of the service prints it.
   */
  readonly identity?: object | undefined
}

/**
 * Holds one session per client and lets one process at a time renew it. Provided by `TokenStoreMemory`, `TokenStoreFile`,
 * `TokenStoreRedis` or `TokenStoreDriver`.
 *
 * @since 0.1.0
 * @category services
 */
export class TokenStore extends Context.Tag("nomba-auth/TokenStore")<TokenStore, TokenStoreService>() {}
