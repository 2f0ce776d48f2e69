/** The options of the contract: the store, and the faults that the caller can cause in it. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StoreKey } from "../../schemas/StoreKey.js"
import type { TokenStoreService } from "../../services/TokenStore.js"

/** A store whose connection to its database can be broken; `faultyTokenStore` makes one from the steps of a driver. */
export interface FaultyStore {
  readonly store: TokenStoreService
  /** From now on each step fails with `Unavailable`, and no announcement arrives. */
  readonly disconnect: Effect.Effect<void>
  readonly reconnect: Effect.Effect<void>
  /** The next commit fails with `Unavailable`, after it was applied or instead. */
  readonly loseCommit: (what: "answer" | "request") => Effect.Effect<void>
  /** The next change of the refresh-in-flight flag is applied and fails with `Unavailable`. */
  readonly loseFlagAnswer: Effect.Effect<void>
  /** The next acquire fails with `Unavailable` at once and reaches the database 7 seconds later. */
  readonly lateAcquire: Effect.Effect<void>
  /** The next commit writes this version. */
  readonly nextVersion: (version: number) => Effect.Effect<void>
}

/**
 * The store that `tokenStoreContract` tests, and what the cases may do to it.
 *
 * @since 0.1.0
 * @category models
 */
export interface TokenStoreContractOptions {
  /** A store as a process of its own would build it. All that are built hold the same sessions. */
  readonly store: Effect.Effect<TokenStoreService, Error, Scope.Scope>
  /** Lets time pass, for the processes and for the store. */
  readonly pass: (duration: Duration.Duration) => Effect.Effect<void>
  /** What is given to `open`; the shorter it is, the sooner a lease runs out. Default: 100 ms. */
  readonly requestTimeout?: Duration.Duration | undefined
  /** The same store, breakable. Without it, cases that need an outage are left out, and others take longer. */
  readonly faulty?: Effect.Effect<FaultyStore, Error, Scope.Scope> | undefined
  /** Makes what is stored under a key unreadable. Leave it out for a store that sets such entries aside. */
  readonly corrupt?: ((key: StoreKey) => Effect.Effect<void, Error>) | undefined
  /**
   * Remembers what is stored under a key; running the answer puts it back, as a failover to a stale replica does. Without
   * it, cases of a store that went back are left out.
   */
  readonly snapshot?: ((key: StoreKey) => Effect.Effect<Effect.Effect<void, Error>, Error>) | undefined
}

/** One thing that holds for every store. Fails, or has a defect, with a message that says what was broken. */
export interface ContractCase {
  readonly name: string
  /** How much time it lets pass: in a store that counts real time, it takes that long. */
  readonly passes: Duration.Duration
  readonly effect: Effect.Effect<void, Error, Scope.Scope>
}
