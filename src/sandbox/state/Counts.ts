/** What the sandbox has done, counted. */
import type { Counted } from "../config/operations.js"

/**
 * What became of the requests to one operation. Everything but `requests` counts answers, so it can lag behind.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tally {
  /** Arrived, whatever came of them. */
  readonly requests: number
  readonly succeeded: number
  /** Refused: answered with a status of 400 or more, or with a code that is an error's. */
  readonly refused: number
  /** Answered by a fault in place of the sandbox. */
  readonly faulted: number
  /** How often each status was answered; `dropped` where the connection broke or the caller left. */
  readonly statuses: Readonly<Record<string, number>>
}

/**
 * What the sandbox has done since it began or was reset. `authorize` are the requests for the page
 * of a person's login and the answers to it; `other` are those for a path or method that the sandbox has not.
 *
 * @since 0.1.0
 * @category models
 */
export interface Counts extends Readonly<Record<Counted, Tally>> {
  /** Sessions started by issue. A `steal` is not counted. */
  readonly issued: number
  /** Sessions carried on by refresh. */
  readonly refreshed: number
  /** Sessions ended by revoke. */
  readonly revoked: number
}

/** What became of a request. */
export type Outcome = "succeeded" | "refused" | "faulted"

const none: Tally = { requests: 0, succeeded: 0, refused: 0, faulted: 0, statuses: {} }

/** Nothing has happened yet. */
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

/** A request arrived. */
export const arrived = (counts: Counts, operation: Counted): Counts =>
  tallied(counts, operation, ({ requests }) => ({ requests: requests + 1 }))

/** A request was answered. */
export const answered = (counts: Counts, operation: Counted, outcome: Outcome, status: number | "dropped"): Counts =>
  tallied(counts, operation, (tally) => ({
    [outcome]: tally[outcome] + 1,
    statuses: { ...tally.statuses, [status]: (tally.statuses[status] ?? 0) + 1 }
  }))

/** A session was started, carried on or ended. */
export const happened = (counts: Counts, what: "issued" | "refreshed" | "revoked"): Counts => ({
  ...counts,
  [what]: counts[what] + 1
})
