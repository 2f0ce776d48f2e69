/**
 * What is ordered for the next several calls.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

const MOST = 10_000

/**
 * The same so many times. Dies where that is not a whole number from 0 to 10,000.
 *
 * @since 0.1.0
 */
export const repeated = <A>(value: A, times: number): Effect.Effect<ReadonlyArray<A>> =>
  Number.isInteger(times) && times >= 0 && times <= MOST
    ? Effect.sync(() => Array.from({ length: times }, () => value))
    : Effect.dieMessage(`times is a whole number from 0 to ${MOST}, not ${times}`)
