/**
 * An end to waiting for an answer, and not for one that is there.
 *
 * A process that stands still, because it is stopped, busy or denied the processor, finds its timers due before it looks
 * at its sockets: what has come in meanwhile would count as late, and what takes several turns would have none. Time
 * passes in steps here, of which standing still costs one, however long it is.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import { onSystemClock, systemClock } from "./systemClock.js"

/** Until the process has looked at its sockets once; the next timer stands for that where a platform does not tell it. */
const lookedOnce: Effect.Effect<void> = Effect.async((resume) => {
  const go = (): void => resume(Effect.void)
  if (typeof setImmediate === "function") setImmediate(go)
  else setTimeout(go, 0)
})

/** One in which the process stands still leaves the others to an answer that takes several turns. */
const STEPS = 10

const sleepAndLook = (duration: Duration.Duration): Effect.Effect<void> =>
  systemClock.sleep(Duration.unsafeDivide(duration, STEPS)).pipe(Effect.repeatN(STEPS - 1), Effect.zipRight(lookedOnce))

const patientClock: Clock.Clock = {
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: () => systemClock.unsafeCurrentTimeMillis(),
  unsafeCurrentTimeNanos: () => systemClock.unsafeCurrentTimeNanos(),
  currentTimeMillis: systemClock.currentTimeMillis,
  currentTimeNanos: systemClock.currentTimeNanos,
  sleep: sleepAndLook
}

/**
 * Sleeps on the current clock; on the system's for as long as the process runs, and until what has come in by then has been
 * looked at too.
 *
 * @since 0.1.0
 */
export const sleep: (duration: Duration.DurationInput) => Effect.Effect<void> = onSystemClock(sleepAndLook)

/**
 * `Effect.timeoutFail` with this sleep.
 *
 * @since 0.1.0
 */
export const timeoutFail =
  <E1>(options: { readonly duration: Duration.DurationInput; readonly onTimeout: LazyArg<E1> }) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | E1, R> =>
    Effect.clockWith((clock) =>
      clock === systemClock
        ? effect.pipe(Effect.withClock(systemClock), Effect.timeoutFail(options), Effect.withClock(patientClock))
        : Effect.timeoutFail(effect, options)
    )
