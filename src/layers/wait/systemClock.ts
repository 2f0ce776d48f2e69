/**
 * Sleeping where real time passes.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * @since 0.1.0
 */
export const systemClock: Clock.Clock = Context.get(DefaultServices.liveServices, Clock.Clock)

/**
 * Sleeps in a way of its own on the system's clock, and on any other as that clock does.
 *
 * @since 0.1.0
 */
export const onSystemClock =
  (own: (duration: Duration.Duration) => Effect.Effect<void>) =>
  (duration: Duration.DurationInput): Effect.Effect<void> =>
    Effect.clockWith((clock) => {
      const decoded = Duration.decode(duration)
      return clock === systemClock ? own(decoded) : clock.sleep(decoded)
    })
