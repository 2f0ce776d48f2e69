/** The faults that wait for each operation. Bounded: 64 for each. */
import * as Option from "effect/Option"
import type { Endpoint } from "../config/endpoints.js"
import { type ActiveFault, type ParsedFault, toActiveFault } from "../config/Fault.js"

/** A fault that waits. Times are milliseconds by the sandbox's clock. */
export interface QueuedFault {
  readonly fault: ActiveFault
  /** How many requests it befalls yet; infinity where there is no end. */
  readonly left: number
  readonly until: number
}

/** What waits for each operation, the next first. */
export type FaultQueues = Readonly<Record<Endpoint, ReadonlyArray<QueuedFault>>>

/** None waits. */
export const empty: FaultQueues = { issue: [], refresh: [], revoke: [], balance: [] }

/** So many may wait for an operation. */
export const limit = 64

/** Those of an operation that wait still. */
export const pending = (faults: FaultQueues, endpoint: Endpoint, now: number): ReadonlyArray<QueuedFault> =>
  faults[endpoint].filter(({ until }) => now < until)

/** A fault waits behind those that wait already; none, where too many do. */
export const add = (
  faults: FaultQueues,
  endpoint: Endpoint,
  given: ParsedFault,
  now: number
): Option.Option<FaultQueues> => {
  const line = pending(faults, endpoint, now)
  const { during = Number.POSITIVE_INFINITY } = given
  const { times = given.during === undefined ? 1 : Number.POSITIVE_INFINITY } = given
  return line.length >= limit
    ? Option.none()
    : Option.some({
        ...faults,
        [endpoint]: [...line, { fault: toActiveFault(given), left: times, until: now + during }]
      })
}

/** A request meets the first that waits for its operation, if one does. */
export const take = (
  faults: FaultQueues,
  endpoint: Endpoint,
  now: number
): readonly [Option.Option<ActiveFault>, FaultQueues] => {
  if (faults[endpoint].length === 0) return [Option.none(), faults]
  const [first, ...rest] = pending(faults, endpoint, now)
  if (first === undefined) return [Option.none(), { ...faults, [endpoint]: [] }]
  const left = first.left - 1
  return [Option.some(first.fault), { ...faults, [endpoint]: left > 0 ? [{ ...first, left }, ...rest] : rest }]
}
