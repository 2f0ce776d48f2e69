/** What requests are counted by, and what faults apply to. */
import { parseRoute } from "./routePattern.js"

export const operations = ["issue", "refresh", "revoke", "resource"] as const

/**
 * A token operation, or `resource`: every other call under `/v1/` and `/v2/`.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = (typeof operations)[number]

/**
 * What a fault applies to: an operation, or a method and a path such as `POST /v2/transfers/bank`. The method may be `*`. In
 * the path `{name}` stands for one segment and a final `*` for the rest.
 *
 * @since 0.1.0
 * @category models
 */
export type FaultTarget = Operation | `${string} /${string}`

/** `authorize` are the login page and its form; `other` is a path outside the API. */
export const counted = [...operations, "authorize", "other"] as const

export type Counted = (typeof counted)[number]

export const isFaultTarget = (target: unknown): target is FaultTarget =>
  (operations as ReadonlyArray<unknown>).includes(target) ||
  (typeof target === "string" && target.length <= 256 && parseRoute(target) !== undefined)
