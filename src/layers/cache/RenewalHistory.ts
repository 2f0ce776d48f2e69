/**
 * What this process remembers about the renewals of one session. It is kept per clock, store instance and store key and
 * outlives the cache, so that a layer which is built for each request does not forget its backoff.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { globalValue } from "effect/GlobalValue"
import type * as Scope from "effect/Scope"
import type { StoreKey } from "../../schemas/StoreKey.js"
import type { TokenStoreService } from "../../services/TokenStore.js"
import * as Backoff from "./Backoff.js"
import * as RouteGuard from "./RouteGuard.js"
import * as Timeline from "./Timeline.js"

/** An access token that Nomba gave to this process, or that the store held. */
export interface KnownToken {
  /** The end of its lifetime as it was first stated. */
  readonly expiresAt: number
  /** Whether Nomba answered 401 to it, before its lifetime was over or after. */
  readonly rejection: "early" | "late" | undefined
}

export interface RenewalHistory {
  failure: Backoff.FailureBackoff | undefined
  rejections: Backoff.RejectionBackoff
  readonly tokens: Map<string, KnownToken>
  /** The last refresh tokens that were sent. */
  readonly spentRefreshTokens: RecentTexts
  readonly routes: RouteGuard.RouteGuard
}

const TOKENS_KEPT = 16

/** The last 16 texts that were added. */
export class RecentTexts {
  readonly #texts = new Set<string>()
  has(text: string): boolean {
    return this.#texts.has(text)
  }
  add(text: string): void {
    this.#texts.delete(text)
    this.#texts.add(text)
    for (const oldest of this.#texts) {
      if (this.#texts.size <= TOKENS_KEPT) break
      this.#texts.delete(oldest)
    }
  }
  delete(text: string): void {
    this.#texts.delete(text)
  }
}

/** Adds what is known about a token; the oldest of more than 16 is forgotten. */
export const remember = ({ tokens }: RenewalHistory, token: string, known: KnownToken): void => {
  tokens.delete(token)
  tokens.set(token, known)
  for (const oldest of tokens.keys()) {
    if (tokens.size <= TOKENS_KEPT) break
    tokens.delete(oldest)
  }
}

export const isRejected = ({ tokens }: RenewalHistory, token: string): boolean =>
  tokens.get(token)?.rejection !== undefined

interface Slot {
  readonly history: RenewalHistory
  users: number
  closedAt: number
}

interface Slots {
  readonly open: Map<StoreKey, Slot>
  /** In the order of closing. */
  readonly closed: Map<StoreKey, Slot>
}

const KEPT_FOR = 10 * 60_000

const registry = globalValue(
  Symbol.for("nomba-auth/RenewalHistory"),
  () => new WeakMap<Clock.Clock, WeakMap<TokenStoreService, Slots>>()
)

const slotsOf = (clock: Clock.Clock, store: TokenStoreService): Slots => {
  const stores = registry.get(clock) ?? new WeakMap<TokenStoreService, Slots>()
  registry.set(clock, stores)
  const slots = stores.get(store) ?? { open: new Map<StoreKey, Slot>(), closed: new Map<StoreKey, Slot>() }
  stores.set(store, slots)
  return slots
}

const open = ({ closed, open }: Slots, key: StoreKey, now: number): Slot => {
  for (const [other, slot] of closed) {
    if (now - slot.closedAt < KEPT_FOR) break
    closed.delete(other)
  }
  const slot = open.get(key) ??
    closed.get(key) ?? {
      history: {
        failure: undefined,
        rejections: Backoff.noRejections,
        tokens: new Map(),
        spentRefreshTokens: new RecentTexts(),
        routes: RouteGuard.make()
      },
      users: 0,
      closedAt: 0
    }
  closed.delete(key)
  open.set(key, slot)
  slot.users += 1
  return slot
}

const close = (slots: Slots, key: StoreKey, slot: Slot, now: number): void => {
  slot.users -= 1
  if (slot.users > 0) return
  slot.closedAt = now
  slots.open.delete(key)
  slots.closed.set(key, slot)
}

/** The history of this key, until 10 minutes after the last scope that uses it has closed. */
export const use = (store: TokenStoreService, key: StoreKey): Effect.Effect<RenewalHistory, never, Scope.Scope> =>
  Effect.clockWith((clock) => {
    const slots = slotsOf(clock, store)
    const { now } = Timeline.of(clock)
    return Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => open(slots, key, now())),
        (slot) => Effect.sync(() => close(slots, key, slot, now()))
      ),
      ({ history }) => history
    )
  })
