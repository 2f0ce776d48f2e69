/**
 * How often one token operation is attempted: the retry policy says whether and after what delay, the server's stated
 * wait takes the place of that delay, and the gate says whether there is time. A failure that it ends tells the
 * wait, whosever it is; but not ours to a caller with a gate of its own, who has a pace of its own as well.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import { type AuthError, isTransient, type Unavailable, withRetryAfter } from "../../schemas/AuthError.js"
import { AttemptGate, type Passage } from "../../services/AttemptGate.js"
import type { RetryPolicyService } from "../../services/RetryPolicy.js"

/**
 * The attempts of one operation.
 *
 * @since 0.1.0
 * @category models
 */
export interface Attempts {
  /** Runs an attempt, and again for as long as it is to be repeated and there is time. */
  readonly run: <A, E extends AuthError, R>(attempt: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Waits, and answers whether another attempt may begin. */
  readonly passage: Passage
}

/**
 * What one operation is repeated by.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly policy: RetryPolicyService
  /** The time that one attempt may take. */
  readonly needed: Duration.Duration
  /** After which failures it may be repeated at all. */
  readonly mayRepeat: (error: Unavailable) => boolean
}

/**
 * Opens the gate in the caller's context for one operation.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = ({ mayRepeat, needed, policy }: Options): Effect.Effect<Attempts> =>
  Effect.gen(function* () {
    const gate = yield* AttemptGate
    const passage = yield* gate.open(needed)
    const driver = yield* Schedule.driver(delaysOf(policy))
    const count = yield* Ref.make(0)

    const run: Attempts["run"] = (attempt) =>
      Ref.updateAndGet(count, (attempts) => attempts + 1).pipe(
        Effect.flatMap((attempts) => Effect.annotateCurrentSpan("nomba.attempts", attempts)),
        Effect.zipRight(attempt),
        Effect.catchAll((error) =>
          isTransient(error) && mayRepeat(error) ? repeat(attempt, error) : Effect.fail(error)
        )
      )

    const repeat = <A, E extends AuthError, R>(
      attempt: Effect.Effect<A, E, R>,
      error: E & Unavailable
    ): Effect.Effect<A, E, R> =>
      Effect.matchEffect(driver.next(error), {
        onFailure: () => Effect.fail(error),
        onSuccess: (delay) => {
          const wait = error.retryAfter ?? delay
          return Effect.if(passage(wait), {
            onTrue: () => run(attempt),
            onFalse: () => Effect.fail(gate === defaultGate ? withRetryAfter(error, wait) : error)
          })
        }
      })

    return { run, passage }
  })

const defaultGate = Context.get(Context.empty(), AttemptGate)

/** The policy's delays as its output, because the wait itself belongs to the gate. */
const delaysOf = (policy: RetryPolicyService): Schedule.Schedule<Duration.Duration, Unavailable> =>
  Schedule.modifyDelay(Schedule.delays(policy), () => Duration.zero)
