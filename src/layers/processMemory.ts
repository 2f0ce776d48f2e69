/**
 * What a process remembers of a session beyond the life of the layers that use it, so that a layer which is built for each
 * request does not forget it.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { globalValue } from "effect/GlobalValue"
import type * as Scope from "effect/Scope"
import { timelineOf } from "./time.js"

/** One value for the whole process, also if a program holds two copies of this package. */
export const oncePerProcess = <A>(name: string, create: () => A): A =>
  globalValue(Symbol.for(`nomba-auth/${name}`), create)

interface Slot<A> {
  readonly value: A
  users: number
  closedAt: number
}

interface Slots<A> {
  readonly open: Map<string, Slot<A>>
  /** In the order of closing. */
  readonly closed: Map<string, Slot<A>>
}

const KEPT_FOR = 10 * 60_000

const acquire = <A>({ closed, open }: Slots<A>, key: string, now: number, create: () => A): Slot<A> => {
  for (const [other, slot] of closed) {
    if (now - slot.closedAt < KEPT_FOR) break
    closed.delete(other)
  }
  const slot = open.get(key) ?? closed.get(key) ?? { value: create(), users: 0, closedAt: 0 }
  closed.delete(key)
  open.set(key, slot)
  slot.users += 1
  return slot
}

const release = <A>({ closed, open }: Slots<A>, key: string, slot: Slot<A>, now: number): void => {
  slot.users -= 1
  if (slot.users > 0) return
  slot.closedAt = now
  open.delete(key)
  closed.set(key, slot)
}

/** A value per clock, store and key. It is kept until 10 minutes after the last scope that uses it has closed. */
export const makeProcessMemory = <A>(
  name: string,
  create: () => A
): ((store: object, key: string) => Effect.Effect<A, never, Scope.Scope>) => {
  const registry = oncePerProcess(`processMemory/${name}`, () => new WeakMap<Clock.Clock, WeakMap<object, Slots<A>>>())
  return (store, key) =>
    Effect.clockWith((clock) => {
      const stores = registry.get(clock) ?? new WeakMap<object, Slots<A>>()
      registry.set(clock, stores)
      const slots: Slots<A> = stores.get(store) ?? { open: new Map(), closed: new Map() }
      stores.set(store, slots)
      const { now } = timelineOf(clock)
      return Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => acquire(slots, key, now(), create)),
          (slot) => Effect.sync(() => release(slots, key, slot, now()))
        ),
        ({ value }) => value
      )
    })
}

const byText = oncePerProcess("storeIdentities", () => new Map<string, object>())
const byClient = oncePerProcess("storeIdentities/clients", () => new WeakMap<object, object>())

interface Identities<K> {
  readonly get: (key: K) => object | undefined
  readonly set: (key: K, identity: object) => unknown
}

const remembered = <K>(identities: Identities<K>, key: K): object => {
  const identity = identities.get(key) ?? {}
  identities.set(key, identity)
  return identity
}

/**
 * The same object for the same text or client: the identity of a store that is named by a path or an address, or reached over
 * a client. Not the client itself, which `inspect` of the store would print with its password.
 */
export const identityOf = (named: string | object): object =>
  typeof named === "string" ? remembered(byText, named) : remembered(byClient, named)

/** The texts that were added last. */
export class RecentTexts {
  readonly #texts = new Set<string>()
  readonly #most: number
  constructor(most: number) {
    this.#most = most
  }
  has(text: string): boolean {
    return this.#texts.has(text)
  }
  isEmpty(): boolean {
    return this.#texts.size === 0
  }
  add(text: string): void {
    this.#texts.delete(text)
    this.#texts.add(text)
    for (const oldest of this.#texts) {
      if (this.#texts.size <= this.#most) break
      this.#texts.delete(oldest)
    }
  }
  delete(text: string): boolean {
    return this.#texts.delete(text)
  }
}

const WARNINGS_KEPT = 200

/**
 * Runs an effect once in this process for each text, also if the layer that runs it is built again: for warnings about a
 * configuration. By clock, and for the latest 200 texts.
 */
export const oncePerText = (name: string): ((text: string, effect: Effect.Effect<void>) => Effect.Effect<void>) => {
  const textsByClock = oncePerProcess(`oncePerText/${name}`, () => new WeakMap<Clock.Clock, RecentTexts>())
  return (text, effect) =>
    Effect.clockWith((clock) => {
      const texts = textsByClock.get(clock) ?? new RecentTexts(WARNINGS_KEPT)
      textsByClock.set(clock, texts)
      if (texts.has(text)) return Effect.void
      texts.add(text)
      return effect
    })
}
