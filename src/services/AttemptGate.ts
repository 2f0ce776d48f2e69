/**
 * What stands between two attempts of one token operation.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Unavailable } from "../schemas/AuthError.js"

/** A renewal, waits and retries included, ends within this time. */
export const RENEWAL_LIMIT: Duration.Duration = Duration.seconds(30)

/** What must be left beside the request's own time-out when a call to Nomba begins. */
export const HEADROOM: Duration.Duration = Duration.seconds(2)

/**
 * Asked before an operation is repeated, and before each of its requests is sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface AttemptGateService {
  /** The last step before each request is sent, when all that it carries is at hand. Fails where it may not go. */
  readonly admit: Effect.Effect<void, Unavailable>
  /** Opened once for each operation; `needed` is the time that one attempt may take. */
  readonly open: (needed: Duration.Duration) => Effect.Effect<Passage>
}

/**
 * Waits, and answers whether another attempt may begin. When the wait would leave too little time it answers `false` at
 * once.
 *
 * @since 0.1.0
 * @category models
 */
export type Passage = (wait: Duration.Duration) => Effect.Effect<boolean>

/**
 * By default an operation has 30 s in all. A renewal puts its own gate here, which knows its deadline, whether its lease
 * is still held and whether its scope is closing.
 *
 * @since 0.1.0
 * @category services
 */
export class AttemptGate extends Context.Reference<AttemptGate>()("nomba-auth/AttemptGate", {
  defaultValue: (): AttemptGateService => ({
    admit: Effect.void,
    open: (needed) =>
      Effect.map(
        Clock.currentTimeMillis,
        (start): Passage =>
          (wait) =>
            Effect.flatMap(Clock.currentTimeMillis, (now) =>
              hasTime(start + Duration.toMillis(RENEWAL_LIMIT), now, wait, needed)
                ? Effect.as(Effect.sleep(wait), true)
                : Effect.succeed(false)
            )
      )
  })
}) {}

/**
 * Whether a call to Nomba may begin after the wait: its time-out and the headroom must fit before the deadline.
 *
 * @since 0.1.0
 */
export const hasTime = (deadline: number, now: number, wait: Duration.Duration, needed: Duration.Duration): boolean =>
  now + Duration.toMillis(Duration.sum(Duration.sum(wait, needed), HEADROOM)) <= deadline
