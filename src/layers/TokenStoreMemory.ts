/**
 * A token store for one process. All layers of a key share its session, so that a layer that is built for each request
 * does not request a token each time.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { StoredContent } from "../schemas/Session.js"
import type { StoreKey } from "../schemas/StoreKey.js"
import { TokenStore, type TokenStoreService } from "../services/TokenStore.js"
import { oncePerProcess } from "./processMemory.js"
import * as LeasedEntry from "./store/LeasedEntry.js"
import * as SessionStore from "./store/SessionStore.js"
import { type Connect, FAILURE_RETENTION, type Reading, type StoreDriver } from "./store/StoreDriver.js"
import { type Timeline, timelineOf } from "./time.js"

interface Slot {
  entry: LeasedEntry.LeasedEntry<StoredContent>
  users: number
  readonly announced: SessionStore.Announcements
}

interface Slots {
  readonly byKey: Map<StoreKey, Slot>
  /** The next sweep is due at this size. */
  sweepAt: number
}

/** One map per clock: time is counted with the clock of the fiber, and tests with their own clocks never meet. */
const slotsByClock = oncePerProcess("TokenStoreMemory", () => new WeakMap<Clock.Clock, Slots>())

/** How long an unused session with a refresh token is kept past its expiry. A restart loses it anyway. */
const REFRESHABLE: Duration.Duration = Duration.days(1)

const SMALLEST_SWEEP = 64

const isUseless = ({ entry, users }: Slot, now: number): boolean => {
  if (users > 0 || LeasedEntry.isLeased(entry, now)) return false
  const { content, failure } = entry
  if (failure !== undefined && now < failure.until + Duration.toMillis(FAILURE_RETENTION)) return false
  if (content === undefined || Option.isNone(content.value.session)) return true
  const kept = Option.isSome(content.value.session.value.refreshToken) ? REFRESHABLE : Duration.zero
  return now >= content.until + Duration.toMillis(kept)
}

/** Walks all keys only when their number has doubled since the last walk, so that opening a key costs the same with many. */
const sweepIfDue = (slots: Slots, now: number): void => {
  if (slots.byKey.size < slots.sweepAt) return
  for (const [key, slot] of slots.byKey) if (isUseless(slot, now)) slots.byKey.delete(key)
  slots.sweepAt = Math.max(SMALLEST_SWEEP, 2 * slots.byKey.size)
}

const slotsOf = (clock: Clock.Clock): Slots => {
  const slots = slotsByClock.get(clock) ?? { byKey: new Map(), sweepAt: SMALLEST_SWEEP }
  slotsByClock.set(clock, slots)
  return slots
}

/** The number of keys that are kept for this clock. @internal */
export const size: Effect.Effect<number> = Effect.clockWith((clock) => Effect.sync(() => slotsOf(clock).byKey.size))

const readingOf = ({ entry }: Slot, now: number): Reading => ({
  now,
  isLeased: LeasedEntry.isLeased(entry, now),
  failure: LeasedEntry.failureAt(entry, now),
  entry: Option.map(Option.fromNullable(entry.content), (content) => ({
    ...content.value,
    version: content.version,
    refreshInFlight: content.refreshInFlight,
    remaining: LeasedEntry.left(content, now)
  }))
})

const driverOf = (slot: Slot, timeline: Timeline, leaseTime: Duration.Duration): StoreDriver => {
  const at = <A>(run: (now: number) => A): Effect.Effect<A> => Effect.sync(() => run(timeline.now()))
  const apply = <A>([answer, entry]: LeasedEntry.Outcome<StoredContent, A>): A => {
    slot.entry = entry
    return answer
  }
  const announce = Effect.suspend(() => slot.announced.publish(slot.entry.content?.version ?? 0))
  let isOpen = true
  return {
    leaseTime,
    acquireTimeout: Duration.seconds(1),
    read: at((now) => readingOf(slot, now)),
    acquire: (owner, options) =>
      at((now) => {
        const held = apply(LeasedEntry.acquire(slot.entry, owner, options, now, leaseTime))
        return { held, ...readingOf(slot, now) }
      }),
    extend: (owner) => at((now) => apply(LeasedEntry.extend(slot.entry, owner, now, leaseTime))),
    setRefreshInFlight: (owner, inFlight) =>
      at((now) => apply(LeasedEntry.setRefreshInFlight(slot.entry, owner, inFlight, now, leaseTime))),
    commit: (owner, expectedVersion, { session, tombstone, ...write }) =>
      Effect.tap(
        at((now) =>
          apply(
            LeasedEntry.commit(slot.entry, owner, expectedVersion, { ...write, value: { session, tombstone } }, now)
          )
        ),
        (isWritten) => Effect.when(announce, () => isWritten)
      ),
    release: (owner, outcome) =>
      Effect.tap(
        at((now) => apply(LeasedEntry.release(slot.entry, owner, outcome, now))),
        (isReleased) => Effect.when(announce, () => isReleased)
      ).pipe(Effect.asVoid),
    changes: slot.announced.changes,
    close: Effect.sync(() => {
      if (!isOpen) return false
      isOpen = false
      slot.users -= 1
      return slot.users === 0
    })
  }
}

/**
 * The steps that the store is built from.
 *
 * @since 0.1.0
 * @category constructors
 */
export const connect: Connect = Effect.fnUntraced(function* (key, leaseTime) {
  const clock = yield* Effect.clock
  const announced = SessionStore.makeAnnouncements()
  return yield* Effect.acquireRelease(
    Effect.sync(() => {
      const slots = slotsOf(clock)
      const timeline = timelineOf(clock)
      const now = timeline.now()
      sweepIfDue(slots, now)
      const kept = slots.byKey.get(key)
      const slot = kept === undefined || isUseless(kept, now) ? { entry: LeasedEntry.empty, users: 0, announced } : kept
      slots.byKey.set(key, slot)
      slot.users += 1
      return driverOf(slot, timeline, leaseTime)
    }),
    (driver) => driver.close
  )
})

/**
 * The store of this process. All layers that use it share their sessions.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: TokenStoreService = SessionStore.fromDriver(connect, { isShared: false, kind: "memory" })

/**
 * Keeps sessions in this process: until their expiry, and one day longer if they have a refresh token.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TokenStore> = Layer.succeed(TokenStore, TokenStore.of(make))
