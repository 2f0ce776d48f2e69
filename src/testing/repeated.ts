/** The same outcome for several calls. */
import * as Effect from "effect/Effect"

const MOST = 10_000

/** The value `times` times. A defect if `times` is not a whole number from 0 to 10,000. */
export const repeated = <A>(value: A, times: number): Effect.Effect<ReadonlyArray<A>> =>
  Number.isInteger(times) && times >= 0 && times <= MOST
    ? Effect.sync(() => Array.from({ length: times }, () => value))
    : Effect.dieMessage(`times must be a whole number from 0 to ${MOST}, not ${times}`)
