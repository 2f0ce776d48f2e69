/**
 * Whether a token operation is repeated, and after what delay.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type { Unavailable } from "../schemas/AuthError.js"

/**
 * A schedule over the failures of one token operation. It decides *whether* the operation is repeated and our delay; a
 * wait that the server states takes the place of that delay. Only `Unavailable` reaches it, and of a refresh or an
 * exchange only a failure that certainly was not processed.
 *
 * @since 0.1.0
 * @category models
 */
export type RetryPolicyService = Schedule.Schedule<unknown, Unavailable>

/**
 * Exponential from 200 ms, jittered by a fifth, each delay at most 5 s, four retries.
 *
 * @since 0.1.0
 * @category configuration
 */
export const defaultSchedule: RetryPolicyService = Schedule.exponential("200 millis").pipe(
  Schedule.jittered,
  Schedule.union(Schedule.spaced("5 seconds")),
  Schedule.intersect(Schedule.recurs(4))
)

/**
 * The policy, with a default so that nobody has to provide it. It is read once, when the `NombaAuth` layer is built:
 * provide its layer *under* `Nomba` (`Layer.provide`) or around the whole program. Merged beside `Nomba`, or provided
 * nearer to the call, it has no effect.
 *
 * ```ts
 * import { Layer, Schedule } from "effect"
 * import { Nomba, RetryPolicy } from "nomba-auth"
 *
 * const patient = Nomba.layerConfig().pipe(Layer.provide(RetryPolicy.layer(Schedule.spaced("2 seconds"))))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class RetryPolicy extends Context.Reference<RetryPolicy>()("nomba-auth/RetryPolicy", {
  defaultValue: (): RetryPolicyService => defaultSchedule
}) {
  /**
   * Repeats by the given schedule.
   *
   * @since 0.1.0
   */
  static readonly layer = (schedule: RetryPolicyService): Layer.Layer<RetryPolicy> =>
    Layer.succeed(RetryPolicy, schedule)

  /**
   * Never repeats, and so never waits.
   *
   * @since 0.1.0
   */
  static readonly layerNone: Layer.Layer<RetryPolicy> = Layer.succeed(RetryPolicy, Schedule.stop)
}
