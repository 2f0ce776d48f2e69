/**
 * Decides when an attempt of a token operation may be sent.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Unavailable } from "../schemas/AuthError.js"

/** A renewal, with its waits and retries, ends within this time. */
export const RENEWAL_LIMIT: Duration.Duration = Duration.seconds(30)

/** What must be left beside the request's time-out when a token request begins. */
export const HEADROOM: Duration.Duration = Duration.seconds(2)

/**
 * Asked before an operation is repeated and before each of its requests is sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface AttemptGateService {
  /** The last step before each request is sent, after everything that it carries was read. Fails if it must not be sent. */
  readonly beforeSend: Effect.Effect<void, Unavailable>
  /** Called once for each operation. `needed` is the time-out of one attempt. */
  readonly start: (needed: Duration.Duration) => Effect.Effect<WaitForNextAttempt>
}

/**
 * Waits and succeeds with whether another attempt may begin. Succeeds with `false` at once if the wait would leave too
 * little time.
 *
 * @since 0.1.0
 * @category models
 */
export type WaitForNextAttempt = (wait: Duration.Duration) => Effect.Effect<boolean>

/**
 * By default an operation has 30 s in all. A renewal provides its own gate, which knows its deadline, whether its lease is
 * still held and whether its scope is closing.
 *
 * @since 0.1.0
 * @category services
 */
export class AttemptGate extends Context.Reference<AttemptGate>()("nomba-auth/AttemptGate", {
  defaultValue: (): AttemptGateService => ({
    beforeSend: Effect.void,
    start: Effect.fnUntraced(function* (needed) {
      const deadline = (yield* Clock.currentTimeMillis) + Duration.toMillis(RENEWAL_LIMIT)
      return Effect.fnUntraced(function* (wait) {
        if (!hasTime(deadline, yield* Clock.currentTimeMillis, wait, needed)) return false
        yield* Effect.sleep(wait)
        return true
      })
    })
  })
}) {}

/**
 * Whether a token request may begin after the wait: its time-out and the headroom must fit before the deadline.
 *
 * @since 0.1.0
 */
export const hasTime = (deadline: number, now: number, wait: Duration.Duration, needed: Duration.Duration): boolean =>
  now + Duration.toMillis(Duration.sum(Duration.sum(wait, needed), HEADROOM)) <= deadline
