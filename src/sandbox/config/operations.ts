/** What requests are counted by, and what faults apply to. */
import { isPattern, parseRoute } from "./routePattern.js"

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
 * the path `{name}` stands for one segment and a final `*` for the rest. It does not apply to `OPTIONS`, nor to the sandbox's
 * own pages, `/health` and `/_sandbox/`.
 *
 * @since 0.1.0
 * @category models
 */
export type FaultTarget = Operation | `${string} /${string}`

/** `authorize` are the login page and its form; `other` is a path outside the API. */
export const counted = [...operations, "authorize", "other"] as const

export type Counted = (typeof counted)[number]

/** What the sandbox answers for its user and not for a client. */
const ownPath = /^\/(?:$|health$|openapi\.json$|docs(?:\/|$)|assets\/|_sandbox(?:\/|$))/

export const faultTargetIssue = (target: unknown): string | undefined => {
  if ((operations as ReadonlyArray<unknown>).includes(target)) return undefined
  const route = typeof target === "string" && target.length <= 256 ? parseRoute(target) : undefined
  if (route === undefined)
    return `must be one of ${operations.join(", ")}, or a method and a path such as POST /v2/transfers/bank`
  if (!isPattern(route.path))
    return "its path can have {name} for a whole segment and * at its end, and no other { } or *"
  if (ownPath.test(route.path)) return "faults do not apply to the sandbox's own pages, its health and its control API"
  return route.method === "OPTIONS"
    ? "faults do not apply to OPTIONS, with which browsers ask for permission"
    : undefined
}

export const isFaultTarget = (target: unknown): target is FaultTarget => faultTargetIssue(target) === undefined
