/** The atomic steps that a database must offer to be a token store. `SessionStore` builds the protocol from them. */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { Unavailable } from "../../schemas/AuthError.js"
import type { StoredContent } from "../../schemas/Session.js"
import type { StoreKey } from "../../schemas/StoreKey.js"
import type { SharedFailure } from "../../services/TokenStore.js"

/**
 * How long a shared store keeps an entry after its session expired: the refresh token may still work, and a tombstone
 * must reach every process.
 *
 * @since 0.1.0
 * @category constants
 */
export const RETENTION: Duration.Duration = Duration.days(30)

/**
 * How long a store keeps a shared failure after its wait is over, so that the next one goes on counting.
 *
 * @since 0.1.0
 * @category constants
 */
export const FAILURE_RETENTION: Duration.Duration = Duration.minutes(10)

/** The longest lease: the maximum of `requestTimeout` and the headroom of `SessionStore`. A longer one is damage. */
export const MAX_LEASE_TIME: Duration.Duration = Duration.seconds(15)

/** The longest wait that is believed of Nomba, a rate limit's. A longer one is damage. */
export const MAX_FAILURE_WAIT: Duration.Duration = Duration.hours(1)

/**
 * A version from here on is damage. It is the last millisecond that a `Date` can name, and
 * leaves room to count on below `Number.MAX_SAFE_INTEGER`.
 *
 * @since 0.1.0
 * @category constants
 */
export const MAX_VERSION = 8_640_000_000_000_000

/**
 * One attempt to hold the lease. Every step compares the whole owner, so two attempts of one process exclude each other.
 *
 * @since 0.1.0
 * @category models
 */
export interface Owner {
  /** A random id of one opened `SessionStore`. */
  readonly store: string
  /** Rises with each attempt of that store. */
  readonly attempt: number
}

/**
 * The owner as one text, for a database that compares texts: `STORE:ATTEMPT`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ownerText = ({ attempt, store }: Owner): string => `${store}:${attempt}`

/**
 * The owner that `ownerText` wrote; undefined if the text is something else.
 *
 * @since 0.1.0
 * @category combinators
 */
export const ownerFromText = (text: string): Owner | undefined => {
  const [, store, attempt] = /^(.+):(\d{1,15})$/.exec(text) ?? []
  return store === undefined ? undefined : { store, attempt: Number(attempt) }
}

/**
 * What one key holds: a session, or a tombstone. A tombstone keeps the session if its revocation is unproven.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry extends StoredContent {
  readonly version: number
  /** Who set the refresh-in-flight flag; none if it is not set. */
  readonly refreshInFlight: Option.Option<Owner>
  /** What is left of the session by the store's clock when the step was carried out; never negative. */
  readonly remaining: Duration.Duration
}

/**
 * What `read` and `acquire` find.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reading {
  readonly entry: Option.Option<Entry>
  /** The store's time in milliseconds since 1970. */
  readonly now: number
  /** Whether a lease is held now, by any owner. */
  readonly isLeased: boolean
  /** The last shared failure, also after its wait is over; `wait` is what is left of it. */
  readonly failure: Option.Option<SharedFailure>
}

/**
 * What `acquire` answers: the reading, and whether the owner holds the lease.
 *
 * @since 0.1.0
 * @category models
 */
export interface Acquired extends Reading {
  /** Whether the owner holds the lease now. */
  readonly held: boolean
}

/**
 * When an acquire may take the lease.
 *
 * @since 0.1.0
 * @category models
 */
export interface AcquireOptions {
  /**
   * By the store's time: a step that is carried out later must not take the lease, because its caller has given up.
   * Without it the step takes the lease at any time.
   */
  readonly notAfter?: number | undefined
  /** A lease of the same `owner.store` with a lower attempt is abandoned: take it over, even if it has not run out. */
  readonly takeOverBelow: number
}

/**
 * What a commit writes in place of the entry. The refresh-in-flight flag is not set afterwards.
 *
 * @since 0.1.0
 * @category models
 */
export interface Write extends StoredContent {
  readonly version: number
  /** What is left of the session when the step is asked for. */
  readonly remaining: Duration.Duration
  /**
   * The same by the store's time, as far as this process knows it. Store the sooner of `expiresAt` and the store's time
   * plus `remaining`: the write may be late, and the store's clock may have been set.
   */
  readonly expiresAt: number
}

/**
 * What is left behind with a lease.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleaseOutcome {
  /** Some: replaces the shared failure of the key. Its wait counts from now, by the store's clock. */
  readonly failure: Option.Option<SharedFailure>
  /** Takes the refresh-in-flight flag back. */
  readonly cancelRefresh: boolean
}

/**
 * The steps for one key. Each is atomic, ends within a few seconds of running time, and fails with `Unavailable` if the store
 * is down.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoreDriver {
  readonly read: Effect.Effect<Reading, Unavailable>
  /**
   * Takes the lease if it is free, has run out, is the owner's already, or is abandoned (`takeOverBelow`), and it is not
   * later than `notAfter`. Reads in the same step either way.
   */
  readonly acquire: (owner: Owner, options: AcquireOptions) => Effect.Effect<Acquired, Unavailable>
  /** Gives the owner's lease its full time again; `false` if the owner does not hold it. */
  readonly extend: (owner: Owner) => Effect.Effect<boolean, Unavailable>
  /** The same, and sets or takes back the entry's refresh-in-flight flag in the owner's name. */
  readonly setRefreshInFlight: (owner: Owner, inFlight: boolean) => Effect.Effect<boolean, Unavailable>
  /**
   * Writes and announces the new version, if the owner holds the lease, the stored version is `expectedVersion` (0 if
   * there is nothing) and `write.version` is higher. Clears the flag and the shared failure. Otherwise `false`.
   */
  readonly commit: (owner: Owner, expectedVersion: number, write: Write) => Effect.Effect<boolean, Unavailable>
  /**
   * Frees the lease and leaves the outcome, if the owner holds it, and announces the stored version to wake the waiters.
   * Also asked for after a failed `acquire`, which the store may have carried out.
   */
  readonly release: (owner: Owner, outcome: ReleaseOutcome) => Effect.Effect<void>
  /**
   * Subscribes to the versions announced from now on. If that takes a connection, it does not wait for it: the version
   * that is stored once it is made comes first. Goes on after an outage; what is announced meanwhile may be missing.
   */
  readonly changes: Effect.Effect<Stream.Stream<number>, never, Scope.Scope>
  /** Stops using the key; answers `true` if this was the last user and the store is not shared. */
  readonly close: Effect.Effect<boolean>
  /** How long a lease lasts unless it is extended. */
  readonly leaseTime: Duration.Duration
  /** How long `acquire` may take at most. What the store carries out later has been given up. */
  readonly acquireTimeout: Duration.Duration
}

/**
 * Opens the steps of one key, whose leases last for `leaseTime`; closes it with the scope.
 *
 * @since 0.1.0
 * @category models
 */
export type Connect = (key: StoreKey, leaseTime: Duration.Duration) => Effect.Effect<StoreDriver, never, Scope.Scope>

/**
 * Where a text belongs. Encryption authenticates both, so that a text is refused under another key or version.
 *
 * @since 0.1.0
 * @category models
 */
export interface TextPlace {
  readonly key: StoreKey
  readonly version: number
}

/**
 * Encodes sessions and tombstones as text, and decodes them.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionCodec {
  /** Fails with `Unavailable` (`StoreCodec`) if the session cannot be written. */
  readonly encode: (place: TextPlace, content: StoredContent) => Effect.Effect<string, Unavailable>
  /**
   * Fails with `Unavailable`: `StoreUnreadable` if no program can read the text, because it is damaged, was changed or was
   * moved; `StoreCodec` if a program with another codec, another key or a later version can.
   */
  readonly decode: (place: TextPlace, text: string) => Effect.Effect<StoredContent, Unavailable>
}

/** No program can read it. */
export const damaged: Unavailable = new Unavailable({ operation: "store", reason: "StoreUnreadable" })

/** Another program can read it, or could have written it. */
export const notOurs = (hint: string): Unavailable =>
  new Unavailable({ operation: "store", reason: "StoreCodec", hint })

export const anotherVersion: Unavailable = notOurs("A later version of nomba-auth wrote it.")
