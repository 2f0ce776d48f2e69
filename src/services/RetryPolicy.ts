/**
 * Whether a token request is retried, and after what delay.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type { Unavailable } from "../schemas/AuthError.js"

/**
 * A schedule over the failures of one token request. It decides *whether* the request is retried and the delay; a wait that
 * Nomba states replaces that delay. It sees `Unavailable` only, and of a refresh or an exchange only a failure that certainly
 * was not processed.
 *
 * @since 0.1.0
 * @category models
 */
export type RetryPolicyService = Schedule.Schedule<unknown, Unavailable>

const defaultSchedule: RetryPolicyService = Schedule.exponential("200 millis").pipe(
  Schedule.jittered,
  Schedule.union(Schedule.spaced("5 seconds")),
  Schedule.intersect(Schedule.recurs(4))
)

/**
 * Retries failed token requests. You need not provide it: by default a request is retried four times, after 200 ms, 400 ms and
 * so on, each delay varied by 20 % and at most 5 s.
 *
 * It is read once, when the `NombaAuth` layer is built: provide it *under* `Nomba` (`Layer.provide`) or around the whole program. It
 * has no effect if it is merged beside `Nomba` or provided nearer to the call.
 *
 * ```ts
 * import { Layer, Schedule } from "effect"
 * import { Nomba, RetryPolicy } from "nomba-auth"
 *
 * export const patient = Nomba.layerConfig().pipe(Layer.provide(RetryPolicy.layer(Schedule.spaced("2 seconds"))))
 *
 * export const twice = Nomba.layerConfig().pipe(
 *   Layer.provide(RetryPolicy.layerWith((schedule) => Schedule.intersect(schedule, Schedule.recurs(2))))
 * )
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class RetryPolicy extends Context.Reference<RetryPolicy>()("nomba-auth/RetryPolicy", {
  defaultValue: (): RetryPolicyService => defaultSchedule
}) {
  /**
   * Four retries, exponential from 200 ms, jittered by 20 %, each delay at most 5 s.
   *
   * @since 0.1.0
   */
  static readonly defaultSchedule: RetryPolicyService = defaultSchedule

  /**
   * Retries by the given schedule.
   *
   * @since 0.1.0
   */
  static readonly layer = (schedule: RetryPolicyService): Layer.Layer<RetryPolicy> =>
    Layer.succeed(RetryPolicy, schedule)

  /**
   * Retries by a schedule that is made of the default one.
   *
   * @since 0.1.0
   */
  static readonly layerWith = (make: (schedule: RetryPolicyService) => RetryPolicyService): Layer.Layer<RetryPolicy> =>
    Layer.sync(RetryPolicy, () => make(defaultSchedule))

  /**
   * Never retries, and so never waits.
   *
   * @since 0.1.0
   */
  static readonly layerNone: Layer.Layer<RetryPolicy> = Layer.succeed(RetryPolicy, Schedule.stop)
}
