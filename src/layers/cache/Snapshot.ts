/**
 * What a cache knows, read without running an effect: for callers outside of Effect, whose hit must not cost a fiber.
 */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { CachedSession, TokenCacheService, TokenUse } from "../../services/TokenCache.js"

export interface Snapshot {
  /** The token that `TokenCache.get` would return from memory without anything else to do. */
  readonly fresh: () => Redacted.Redacted<string> | undefined
  /** What `TokenCache.peek` returns. */
  readonly peek: () => CachedSession | undefined
  /** What `TokenCache.confirm` does. */
  readonly confirm: (accepted: Redacted.Redacted<string>, use?: TokenUse) => void
  /** Waits until the renewal in flight, if there is one, has ended. */
  readonly renewed: Effect.Effect<void>
  /** Calls back once when the renewal in flight has ended. Returns the function that ends it; undefined if there is none. */
  readonly listen: (resume: () => void) => (() => void) | undefined
}

const snapshots = new WeakMap<TokenCacheService, Snapshot>()

export const provide = (cache: TokenCacheService, snapshot: Snapshot): void => {
  snapshots.set(cache, snapshot)
}

/** Undefined for a cache that this library did not build. */
export const of = (cache: TokenCacheService): Snapshot | undefined => snapshots.get(cache)
