/**
 * A token store for one process. Every layer of a key shares its session, however often it is built, so that a layer
 * built for each request does not make a session for each request.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { globalValue } from "effect/GlobalValue"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import type { StoreKey } from "../schemas/StoreKey.js"
import { TokenStore, type TokenStoreService } from "../services/TokenStore.js"
import * as SessionStore from "./store/SessionStore.js"
import type { Connect, Entry, Next, StoreDriver } from "./store/StoreDriver.js"

/** A session is kept this long past its expiry while it can be refreshed and nobody holds it. */
const KEEP = Duration.toMillis("30 days")

interface Slot {
  content: (Omit<Next, "remaining"> & { version: number; marked: boolean; since: number; until: number }) | undefined
  lease: { readonly owner: string; readonly since: number; readonly until: number } | undefined
  holders: number
  readonly announced: PubSub.PubSub<number>
}

/** Hangs on the clock that the sessions are counted with, so that tests with clocks of their own never meet. */
const slotsOf = globalValue(
  Symbol.for("nomba-auth/TokenStoreMemory"),
  () => new WeakMap<Clock.Clock, Map<StoreKey, Slot>>()
)

const isUnusable = ({ content, holders, lease }: Slot, now: number): boolean => {
  if (holders > 0 || (lease !== undefined && now < lease.until)) return false
  if (content === undefined || Option.isNone(content.session)) return true
  return now >= content.until + (Option.isSome(content.session.value.refreshToken) ? KEEP : 0)
}

const entryOf = ({ content }: Slot, now: number): Option.Option<Entry> =>
  Option.map(Option.fromNullable(content), ({ marked, session, since, tombstone, until, version }) => ({
    version,
    session,
    tombstone,
    marked,
    remaining: now < since ? Duration.zero : Duration.millis(Math.max(0, until - now))
  }))

const driverOf = (slot: Slot, clock: Clock.Clock, leaseTime: Duration.Duration): StoreDriver => {
  const step = <A>(run: (now: number) => A): Effect.Effect<A> => Effect.sync(() => run(clock.unsafeCurrentTimeMillis()))
  const announce = Effect.suspend(() => PubSub.publish(slot.announced, slot.content?.version ?? 0))
  const isHeldBy = (owner: string, now: number): boolean =>
    slot.lease !== undefined && slot.lease.owner === owner && now < slot.lease.until
  const isFree = (now: number): boolean => slot.lease === undefined || now >= slot.lease.until || now < slot.lease.since
  const extend = (owner: string, now: number): boolean => {
    const ours = isHeldBy(owner, now)
    if (ours) slot.lease = { owner, since: now, until: now + Duration.toMillis(leaseTime) }
    return ours
  }
  let present = true
  return {
    leaseTime,
    read: step((now) => entryOf(slot, now)),
    acquire: (owner) =>
      step((now) => {
        if (isFree(now)) slot.lease = { owner, since: now, until: now + Duration.toMillis(leaseTime) }
        return { held: isHeldBy(owner, now), entry: entryOf(slot, now) }
      }),
    extend: (owner) => step((now) => extend(owner, now)),
    mark: (owner, marked) =>
      step((now) => {
        const ours = extend(owner, now)
        if (ours && slot.content !== undefined) slot.content.marked = marked
        return ours
      }),
    commit: (owner, basis, { remaining, session, tombstone }) =>
      Effect.tap(
        step((now) => {
          const previous = slot.content?.version ?? 0
          if (!isHeldBy(owner, now) || previous !== basis) return Option.none()
          const version = Math.max(previous + 1, now)
          const until = now + Duration.toMillis(remaining)
          slot.content = { version, session, tombstone, marked: false, since: now, until }
          return Option.some(version)
        }),
        (version) => Effect.when(announce, () => Option.isSome(version))
      ),
    release: (owner) =>
      Effect.suspend(() => {
        if (slot.lease?.owner !== owner) return Effect.void
        slot.lease = undefined
        return Effect.asVoid(announce)
      }),
    changes: Stream.fromPubSub(slot.announced, { scoped: true }),
    leave: Effect.sync(() => {
      if (!present) return false
      present = false
      slot.holders -= 1
      return slot.holders === 0
    })
  }
}

/**
 * The steps that the store is made of.
 *
 * @since 0.1.0
 * @category constructors
 */
export const connect: Connect = (key, leaseTime) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const announced = yield* PubSub.sliding<number>(16)
    return yield* Effect.acquireRelease(
      Effect.sync(() => {
        const slots = slotsOf.get(clock) ?? new Map<StoreKey, Slot>()
        slotsOf.set(clock, slots)
        const now = clock.unsafeCurrentTimeMillis()
        for (const [other, slot] of slots) if (isUnusable(slot, now)) slots.delete(other)
        const slot = slots.get(key) ?? { content: undefined, lease: undefined, holders: 0, announced }
        slots.set(key, slot)
        slot.holders += 1
        return driverOf(slot, clock, leaseTime)
      }),
      (driver) => driver.leave
    )
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const make: TokenStoreService = SessionStore.fromDriver(connect)

/**
 * Sessions live in this process, shared by key, for as long as they are usable.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TokenStore> = Layer.succeed(TokenStore, TokenStore.of(make))
