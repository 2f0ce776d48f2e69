/**
 * Finds out why a session ended before its time: another program has logged in if the request that was answered with 401
 * succeeds with a newer token; the account id or the route is to blame if it fails again.
 */
import type { EarlyEnd } from "../telemetry.js"

/** The session whose end is not explained yet. `resource`: the request that was answered with 401, if it is known. */
interface Open {
  readonly token: string
  readonly resource: string | undefined
  /** Nomba has accepted a newer token for some request. */
  isCured: boolean
}

export interface EarlyEnds {
  /** Whether there is a session to explain: the hot path asks only this. */
  readonly isOpen: () => boolean
  /** A session has ended early. Returns why the one before it ended, if that was open. */
  readonly ended: (token: string, resource: string | undefined) => EarlyEnd | undefined
  readonly accepted: (token: string, resource: string | undefined) => EarlyEnd | undefined
  readonly rejected: (token: string, resource: string | undefined) => EarlyEnd | undefined
}

export const make = (): EarlyEnds => {
  let open: Open | undefined

  const explain = (cause: EarlyEnd): EarlyEnd => {
    open = undefined
    return cause
  }

  const rejected: EarlyEnds["rejected"] = (token, resource) =>
    open !== undefined && open.token !== token && open.resource !== undefined && open.resource === resource
      ? explain("account_or_route")
      : undefined

  return {
    isOpen: () => open !== undefined,
    ended: (token, resource) => {
      const before =
        rejected(token, resource) ??
        (open === undefined ? undefined : explain(open.isCured ? "another_program" : "account_or_route"))
      open = { token, resource, isCured: false }
      return before
    },
    accepted: (token, resource) => {
      if (open === undefined || open.token === token) return undefined
      open.isCured = true
      const isSame = open.resource === undefined || resource === undefined || open.resource === resource
      return isSame ? explain("another_program") : undefined
    },
    rejected
  }
}
