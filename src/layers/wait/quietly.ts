/**
 * Waiting that does not keep a process alive.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { onSystemClock } from "./systemClock.js"

const unreferenced = (duration: Duration.Duration): Effect.Effect<void> =>
  Effect.async((resume) => {
    const timer: unknown = setTimeout(() => resume(Effect.void), Duration.toMillis(duration))
    if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function") {
      timer.unref()
    }
    return Effect.sync(() => clearTimeout(timer as ReturnType<typeof setTimeout>))
  })

/**
 * Sleeps on the current clock; on the system's with a timer that a process may end over.
 *
 * @since 0.1.0
 */
export const sleep: (duration: Duration.DurationInput) => Effect.Effect<void> = onSystemClock(unreferenced)
