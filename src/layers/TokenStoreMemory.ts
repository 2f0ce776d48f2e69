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
import type { Session } from "../schemas/Session.js"
import type { StoreKey } from "../schemas/StoreKey.js"
import { TokenStore, type TokenStoreService } from "../services/TokenStore.js"
import * as Place from "./store/Place.js"
import * as SessionStore from "./store/SessionStore.js"
import { type Connect, type Entry, KEEP, type StoreDriver } from "./store/StoreDriver.js"

interface Slot {
  place: Place.Place<Session>
  holders: number
  readonly announced: PubSub.PubSub<number>
}

/** Hangs on the clock that the sessions are counted with, so that tests with clocks of their own never meet. */
const slotsOf = globalValue(
  Symbol.for("nomba-auth/TokenStoreMemory"),
  () => new WeakMap<Clock.Clock, Map<StoreKey, Slot>>()
)

const isUnusable = ({ holders, place }: Slot, now: number): boolean => {
  if (holders > 0 || !Place.isFree(place, now)) return false
  if (place.content === undefined || Option.isNone(place.content.session)) return true
  const kept = Option.isSome(place.content.session.value.refreshToken) ? KEEP : Duration.zero
  return now >= place.content.until + Duration.toMillis(kept)
}

const entryOf = ({ place }: Slot, now: number): Option.Option<Entry> =>
  Option.map(Option.fromNullable(place.content), ({ since, until, ...content }) => ({
    ...content,
    remaining: Place.left({ since, until }, now)
  }))

const driverOf = (slot: Slot, clock: Clock.Clock, leaseTime: Duration.Duration): StoreDriver => {
  const at = <A>(run: (now: number) => A): Effect.Effect<A> => Effect.sync(() => run(clock.unsafeCurrentTimeMillis()))
  const take = <A>([answer, place]: Place.Outcome<Session, A>): A => {
    slot.place = place
    return answer
  }
  const announce = Effect.suspend(() => PubSub.publish(slot.announced, slot.place.content?.version ?? 0))
  let present = true
  return {
    leaseTime,
    read: at((now) => entryOf(slot, now)),
    acquire: (owner) =>
      at((now) => ({ held: take(Place.acquire(slot.place, owner, now, leaseTime)), entry: entryOf(slot, now) })),
    extend: (owner) => at((now) => take(Place.extend(slot.place, owner, now, leaseTime))),
    mark: (owner, marked) => at((now) => take(Place.mark(slot.place, owner, marked, now, leaseTime))),
    commit: (owner, basis, next) =>
      Effect.tap(
        at((now) => take(Place.commit(slot.place, owner, basis, next, now))),
        (version) => Effect.when(announce, () => Option.isSome(version))
      ),
    release: (owner) => Effect.asVoid(Effect.when(announce, () => take(Place.release(slot.place, owner)))),
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
        const slot = slots.get(key) ?? { place: Place.empty, holders: 0, announced }
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
export const make: TokenStoreService = { ...SessionStore.fromDriver(connect), isShared: false }

/**
 * Sessions live in this process, shared by key, for as long as they are usable.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TokenStore> = Layer.succeed(TokenStore, TokenStore.of(make))
