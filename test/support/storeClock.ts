/** A clock that stops until the test sets it, forwards or back. */
import { Clock, Effect } from "effect"

export interface HandClock {
  readonly clock: Clock.Clock
  now: number
}

export const makeHandClock = (now = 0): HandClock => {
  const hand: HandClock = {
    now,
    clock: {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: () => hand.now,
      unsafeCurrentTimeNanos: () => BigInt(hand.now) * 1_000_000n,
      currentTimeMillis: Effect.sync(() => hand.now),
      currentTimeNanos: Effect.sync(() => BigInt(hand.now) * 1_000_000n),
      sleep: () => Effect.never
    }
  }
  return hand
}
