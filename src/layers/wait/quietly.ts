/**
 * Waiting that does not keep a process alive.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

const systemClock = Context.get(DefaultServices.liveServices, Clock.Clock)

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
export const sleep = (duration: Duration.Duration): Effect.Effect<void> =>
  Effect.clockWith((clock) => (clock === systemClock ? unreferenced(duration) : clock.sleep(duration)))
