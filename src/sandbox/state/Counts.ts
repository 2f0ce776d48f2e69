/** Counters. */
import type { Counted } from "../config/operations.js"

/**
 * The requests to one operation. All but `requests` count responses, so they can lag behind.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tally {
  /** Requests that arrived. */
  readonly requests: number
  readonly succeeded: number
  /** Rejected: a status of 400 or more, or the code of an error in a 200. */
  readonly refused: number
  /** The response was replaced by a fault. */
  readonly faulted: number
  /** How often each status was sent; `dropped` if the connection was closed. */
  readonly statuses: Readonly<Record<string, number>>
}

/**
 * Requests and sessions since the start or the last reset. `resource` are calls under `/v1/` and `/v2/`, `authorize` the login
 * page and its form, `other` anything else.
 *
 * @since 0.1.0
 * @category models
 */
export interface Counts extends Readonly<Record<Counted, Tally>> {
  /** Sessions started by issue. A `steal` is not counted. */
  readonly issued: number
  /** Sessions continued by refresh. */
  readonly refreshed: number
  /** Sessions ended by revoke. */
  readonly revoked: number
}

export type Outcome = "succeeded" | "refused" | "faulted"

const none: Tally = { requests: 0, succeeded: 0, refused: 0, faulted: 0, statuses: {} }

export const zero: Counts = {
  issue: none,
  refresh: none,
  revoke: none,
  resource: none,
  authorize: none,
  other: none,
  issued: 0,
  refreshed: 0,
  revoked: 0
}

const tallied = (counts: Counts, operation: Counted, change: (tally: Tally) => Partial<Tally>): Counts => ({
  ...counts,
  [operation]: { ...counts[operation], ...change(counts[operation]) }
})

export const arrived = (counts: Counts, operation: Counted): Counts =>
  tallied(counts, operation, ({ requests }) => ({ requests: requests + 1 }))

export const answered = (counts: Counts, operation: Counted, outcome: Outcome, status: number | "dropped"): Counts =>
  tallied(counts, operation, (tally) => ({
    [outcome]: tally[outcome] + 1,
    statuses: { ...tally.statuses, [status]: (tally.statuses[status] ?? 0) + 1 }
  }))

export const happened = (counts: Counts, what: "issued" | "refreshed" | "revoked"): Counts => ({
  ...counts,
  [what]: counts[what] + 1
})
