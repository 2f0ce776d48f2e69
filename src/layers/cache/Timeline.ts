/**
 * Elapsed time that a clock which is set back cannot stretch: the larger of wall-clock and monotonic time. The wall clock
 * counts while a machine sleeps, the monotonic clock when the time is set.
 */
import type * as Clock from "effect/Clock"
import { systemClock } from "../wait.js"

/** A moment that can be compared with the clocks as they are read, without arithmetic. */
export interface Mark {
  readonly at: number
  wall: number
  nanos: bigint
  anchor: number
}

export interface Timeline {
  /** Milliseconds, as the wall clock read when the timeline began. It never goes back. */
  readonly now: () => number
  readonly mark: (at: number) => Mark
  /** Whether it goes by the system's clock, so that timers fire when it says. */
  readonly isSystem: boolean
  /** `now() < mark.at`, for the hot path. */
  readonly isBefore: (mark: Mark) => boolean
}

/** Both clocks are slewed and rounded; a larger difference means that one of them was set, or that the machine slept. */
const SET = 1_000

const make = (clock: Clock.Clock): Timeline => {
  let wall = clock.unsafeCurrentTimeMillis()
  let nanos = clock.unsafeCurrentTimeNanos()
  let at = wall
  let anchor = 0
  let latest = at
  let latestNanos = nanos

  const now = (): number => {
    const currentWall = clock.unsafeCurrentTimeMillis()
    const currentNanos = clock.unsafeCurrentTimeNanos()
    const byWall = currentWall - wall
    // What `isBefore` has read counts too, in case both clocks have been set back since.
    const byNanos = Math.floor(Number((currentNanos < latestNanos ? latestNanos : currentNanos) - nanos) / 1e6)
    latest = Math.max(latest, at + Math.max(byWall, byNanos))
    if (currentNanos < latestNanos || Math.abs(byWall - byNanos) > SET) {
      wall = currentWall
      nanos = currentNanos
      at = latest
      anchor += 1
    }
    latestNanos = currentNanos
    return latest
  }

  const place = (mark: Mark): void => {
    mark.wall = wall + (mark.at - at)
    mark.nanos = nanos + BigInt(Math.ceil((mark.at - at) * 1e6))
    mark.anchor = anchor
  }

  return {
    now,
    isSystem: clock === systemClock,
    mark: (moment) => {
      const mark: Mark = { at: moment, wall: 0, nanos: 0n, anchor }
      place(mark)
      return mark
    },
    isBefore: (mark) => {
      const currentNanos = clock.unsafeCurrentTimeNanos()
      if (mark.anchor === anchor && currentNanos >= latestNanos) {
        latestNanos = currentNanos
        return currentNanos < mark.nanos && clock.unsafeCurrentTimeMillis() < mark.wall
      }
      const isBefore = now() < mark.at
      place(mark)
      return isBefore
    }
  }
}

const timelines = new WeakMap<Clock.Clock, Timeline>()

/** One timeline per clock, because everything that is counted with a clock has to agree. */
export const of = (clock: Clock.Clock): Timeline => {
  const existing = timelines.get(clock)
  if (existing !== undefined) return existing
  const timeline = make(clock)
  timelines.set(clock, timeline)
  return timeline
}
