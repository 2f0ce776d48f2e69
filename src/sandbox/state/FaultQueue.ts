/** The faults that wait for requests, in a queue for each target. Bounded: 64 for each of at most 64 targets. */
import * as Option from "effect/Option"
import { type ActiveFault, type ParsedFault, toActiveFault } from "../config/Fault.js"
import type { Counted, FaultTarget } from "../config/operations.js"
import { matchesRoute } from "../config/routePattern.js"

/** Times are milliseconds by the sandbox's clock. */
export interface QueuedFault {
  readonly fault: ActiveFault
  /** How many requests it still applies to. */
  readonly left: number
  readonly until: number
}

/** The queue of each target that has one, the next fault first. */
export type FaultQueues = ReadonlyMap<FaultTarget, ReadonlyArray<QueuedFault>>

export const empty: FaultQueues = new Map()

export const limit = 64

export const pending = (queue: ReadonlyArray<QueuedFault>, now: number): ReadonlyArray<QueuedFault> =>
  queue.filter(({ until }) => now < until)

/** Adds a fault behind those of its target; none if there are too many. */
export const add = (
  queues: FaultQueues,
  target: FaultTarget,
  given: ParsedFault,
  now: number
): Option.Option<FaultQueues> => {
  const open = new Map([...queues].filter(([, queue]) => pending(queue, now).length > 0))
  const queue = pending(open.get(target) ?? [], now)
  if (queue.length >= limit || (queue.length === 0 && open.size >= limit)) return Option.none()
  const { during = Number.POSITIVE_INFINITY } = given
  const { times = given.during === undefined ? 1 : Number.POSITIVE_INFINITY } = given
  const added = { fault: toActiveFault(given), left: times, until: now + during }
  return Option.some(open.set(target, [...queue, added]))
}

export interface Arriving {
  readonly operation: Counted
  readonly method: string
  readonly path: string
}

/** Takes the first fault that applies to a request. A fault for its route comes before one for its operation. */
export const take = (
  queues: FaultQueues,
  { method, operation, path }: Arriving,
  now: number
): readonly [Option.Option<ActiveFault>, FaultQueues] => {
  if (queues.size === 0) return [Option.none(), queues]
  const routes = [...queues.keys()].filter((target) => matchesRoute(target, method, path))
  for (const target of [...routes, operation as FaultTarget]) {
    const [first, ...rest] = pending(queues.get(target) ?? [], now)
    if (first === undefined) continue
    const left = first.left - 1
    return [Option.some(first.fault), new Map(queues).set(target, left > 0 ? [{ ...first, left }, ...rest] : rest)]
  }
  return [Option.none(), queues]
}
