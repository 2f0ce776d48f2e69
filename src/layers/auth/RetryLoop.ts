/**
 * Repeats the attempts of one token operation. The retry policy says whether and after what delay; a wait that the server
 * states counts if it is longer than that delay; the `AttemptGate` says whether there is time left.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { type AuthError, isTransient, type Unavailable, withRetryAfter } from "../../schemas/AuthError.js"
import { AttemptGate, type WaitForNextAttempt } from "../../services/AttemptGate.js"
import type { RetryPolicyService } from "../../services/RetryPolicy.js"

export interface RetryLoop {
  /** Runs an attempt, and again while the policy and the gate allow it. */
  readonly run: <A, E extends AuthError, R>(attempt: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly waitForNextAttempt: WaitForNextAttempt
}

/** Retry options of one operation. */
export interface Options {
  readonly policy: RetryPolicyService
  /** The time-out of one attempt. */
  readonly needed: Duration.Duration
  /** Which failures may be repeated at all. */
  readonly mayRepeat: (error: Unavailable) => boolean
}

/** Starts one operation: its policy begins anew, and the gate of the caller's context counts its time. */
export const start = ({ mayRepeat, needed, policy }: Options): Effect.Effect<RetryLoop> =>
  Effect.gen(function* () {
    const gate = yield* AttemptGate
    const waitForNextAttempt = yield* gate.start(needed)
    const driver = yield* Schedule.driver(delaysOf(policy))
    let attempts = 0

    const run = <A, E extends AuthError, R>(attempt: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.gen(function* () {
        while (true) {
          attempts += 1
          yield* Effect.annotateCurrentSpan("nomba.attempts", attempts)
          const result = yield* Effect.either(attempt)
          if (result._tag === "Right") return result.right
          const error: E = result.left
          if (!isTransient(error) || !mayRepeat(error)) return yield* Effect.fail(error)
          const delay = yield* Effect.option(driver.next(error))
          if (delay._tag === "None") return yield* Effect.fail(error)
          // `Retry-After: 0` must not turn the retries into a burst.
          const wait = Duration.max(error.retryAfter ?? Duration.zero, delay.value)
          if (!(yield* waitForNextAttempt(wait))) {
            // A renewal has a gate and a backoff of its own, and states its own wait.
            return yield* Effect.fail(gate === defaultGate ? withRetryAfter(error, wait) : error)
          }
        }
      })

    return { run, waitForNextAttempt }
  })

const defaultGate = Context.get(Context.empty(), AttemptGate)

/** The policy's delays as its output, because the gate does the waiting. */
const delaysOf = (policy: RetryPolicyService): Schedule.Schedule<Duration.Duration, Unavailable> =>
  Schedule.modifyDelay(Schedule.delays(policy), () => Duration.zero)
