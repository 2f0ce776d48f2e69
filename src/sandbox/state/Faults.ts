/**
 * The faults that wait for each operation. Bounded: 64 for each.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import type { Endpoint } from "../endpoints.js"
import { type Given, type Misfortune, toMisfortune } from "../Fault.js"

/** A fault that waits. Times are milliseconds by the sandbox's clock. */
export interface Waiting {
  readonly fault: Misfortune
  /** How many requests it befalls yet; infinity where there is no end. */
  readonly left: number
  readonly until: number
}

/** What waits for each operation, the next first. */
export type Faults = Readonly<Record<Endpoint, ReadonlyArray<Waiting>>>

/** None waits. */
export const none: Faults = { issue: [], refresh: [], revoke: [], balance: [] }

/** So many may wait for an operation. */
export const most = 64

/** Those of an operation that wait still. */
export const waiting = (faults: Faults, endpoint: Endpoint, now: number): ReadonlyArray<Waiting> =>
  faults[endpoint].filter(({ until }) => now < until)

/** A fault waits behind those that wait already; none, where too many do. */
export const add = (faults: Faults, endpoint: Endpoint, given: Given, now: number): Option.Option<Faults> => {
  const line = waiting(faults, endpoint, now)
  const { during = Number.POSITIVE_INFINITY } = given
  const { times = given.during === undefined ? 1 : Number.POSITIVE_INFINITY } = given
  return line.length >= most
    ? Option.none()
    : Option.some({
        ...faults,
        [endpoint]: [...line, { fault: toMisfortune(given), left: times, until: now + during }]
      })
}

/** A request meets the first that waits for its operation, if one does. */
export const meet = (faults: Faults, endpoint: Endpoint, now: number): readonly [Option.Option<Misfortune>, Faults] => {
  if (faults[endpoint].length === 0) return [Option.none(), faults]
  const [first, ...rest] = waiting(faults, endpoint, now)
  if (first === undefined) return [Option.none(), { ...faults, [endpoint]: [] }]
  const left = first.left - 1
  return [Option.some(first.fault), { ...faults, [endpoint]: left > 0 ? [{ ...first, left }, ...rest] : rest }]
}
