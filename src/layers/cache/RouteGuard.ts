/**
 * Whose fault a 401 is. Tells a token that was rejected from a request that is answered with 401 whatever the token, and
 * another program's login from a wrong account id. Times are milliseconds of the cache's `Timeline`.
 */
import * as Duration from "effect/Duration"
import type { TokenUse } from "../../services/TokenCache.js"
import { RecentTexts } from "../processMemory.js"
import type { EarlyEnd } from "../telemetry.js"

interface Route {
  /** The latest token that was answered with 401. */
  token: string
  /** How many renewed tokens were answered with 401 although Nomba accepted them for other requests. */
  proven: number
  /** How many renewed tokens in a row were answered with 401, with no evidence whose fault it is. */
  unproven: number
  /**
   * How many renewals of its own were needless: the rejected token succeeded elsewhere after the 401. Their number does not
   * fall if other requests are answered with 401 as well, because a needless renewal ends the token of those in flight.
   */
  needless: number
  /** While it is not known whose fault it is, there is no renewal before this. */
  heldUntil: number
  suspendedUntil: number
  /** How often it was suspended in a row. */
  suspensions: number
  /** After a suspension the next 401 causes one renewal, whatever the evidence. */
  probes: boolean
  /** The resources that were answered with 401, and with success since the route is watched. */
  readonly rejected: RecentTexts
  readonly accepted: RecentTexts
}

/** What to do about a 401. */
export type Verdict =
  | { readonly _tag: "Reject" }
  /** A request that was sent later succeeded with the same token. */
  | { readonly _tag: "Replay" }
  /**
   * It causes no renewal, because the route is suspended, or every route that has not succeeded. `suspendedFor` is there when
   * that was decided just now.
   */
  | { readonly _tag: "Suspended"; readonly suspendedFor?: Duration.Duration; readonly isOneRoute: boolean }
  /** It causes no renewal for now: the last ones did not help, and it is not known whose fault it is. */
  | { readonly _tag: "Held" }

export interface RouteGuard {
  /** Nomba accepted this token for a request of this account. */
  readonly accepted: (account: string, token: string, sentAt: number, use: TokenUse | undefined) => void
  /** Nomba answered 401. `wait` is how long a renewal is held back at first while it is not known whose fault it is. */
  readonly rejected: (account: string, token: string, use: TokenUse, now: number, wait: number) => Verdict
  /**
   * Nomba answered 401 to a token that was rejected before. If the request usually succeeds, the token was to blame. That says
   * nothing for a route that has never succeeded: the renewal that it caused may have ended the token.
   */
  readonly alsoRejected: (account: string, token: string, use: TokenUse) => void
}

const KEPT = 200
const RESOURCES_KEPT = 100
const SUSPENSIONS = [10, 20, 40, 60].map((minutes) => Duration.minutes(minutes))
const LONGEST_HOLD = 10 * 60_000

export const make = (): RouteGuard => {
  /** The most recently used last. */
  const routes = new Map<string, Route>()
  let latest: { readonly token: string; readonly sentAt: number } | undefined
  /** The token that was rejected last, until it succeeds, and the routes whose 401 rejected it. */
  let rejection: { readonly token: string; readonly names: ReadonlyArray<string> } | undefined

  const nameOf = (account: string, { route }: TokenUse): string => `${account} ${route}`

  /**
   * All routes of an account that are not watched yet count as one. Otherwise ids that look like words, or many routes that
   * always answer 401, would cause a renewal each.
   */
  const othersOf = (account: string): string => `${account} *`

  const touch = (name: string, token: string): Route => {
    const route = routes.get(name) ?? {
      token,
      proven: 0,
      unproven: 0,
      needless: 0,
      heldUntil: 0,
      suspendedUntil: 0,
      suspensions: 0,
      probes: false,
      rejected: new RecentTexts(RESOURCES_KEPT),
      accepted: new RecentTexts(RESOURCES_KEPT)
    }
    routes.delete(name)
    routes.set(name, route)
    for (const oldest of routes.keys()) {
      if (routes.size <= KEPT) break
      routes.delete(oldest)
    }
    return route
  }

  const suspend = (route: Route, now: number): Verdict => {
    const duration = SUSPENSIONS[Math.min(route.suspensions, SUSPENSIONS.length - 1)] ?? Duration.minutes(60)
    route.suspensions += 1
    route.suspendedUntil = now + Duration.toMillis(duration)
    route.probes = true
    return { _tag: "Suspended", suspendedFor: duration, isOneRoute: true }
  }

  /** A renewal that this route caused did not help it. */
  const countUnhelped = (route: Route, token: string, now: number, wait: number): void => {
    const isRenewed = route.token !== token
    route.token = token
    if (latest?.token === token) {
      route.proven += route.unproven + (isRenewed ? 1 : 0)
      route.unproven = 0
    } else if (isRenewed) {
      route.unproven += 1
      if (route.unproven > 1) route.heldUntil = now + Math.min(LONGEST_HOLD, wait * 2 ** (route.unproven - 2))
    }
  }

  const doubt = (route: Route): void => {
    route.proven = 0
    route.unproven = 0
    route.heldUntil = 0
  }

  const blameToken = (route: Route): void => {
    doubt(route)
    route.needless = 0
  }

  const judge = (name: string, token: string, use: TokenUse, now: number, wait: number): Verdict => {
    const resource = use.resource ?? use.route
    const known = routes.get(name)
    const isTrusted = known?.accepted.has(resource) === true
    if (known !== undefined && !isTrusted && now < known.suspendedUntil) return { _tag: "Suspended", isOneRoute: true }
    if (!use.isReplay && latest?.token === token && latest.sentAt > use.sentAt) return { _tag: "Replay" }
    if (known !== undefined && isTrusted) {
      blameToken(known)
      known.accepted.delete(resource)
      return { _tag: "Reject" }
    }
    const route = touch(name, token)
    route.rejected.add(resource)
    if (route.probes) {
      route.probes = false
      route.token = token
      return { _tag: "Reject" }
    }
    countUnhelped(route, token, now, wait)
    if (route.proven >= 2 || route.needless >= 2) return suspend(route, now)
    return now < route.heldUntil ? { _tag: "Held" } : { _tag: "Reject" }
  }

  return {
    accepted: (account, token, sentAt, use) => {
      if (latest === undefined || latest.token !== token || sentAt > latest.sentAt) latest = { token, sentAt }
      // The name of a route takes longer to make than a request may cost.
      if (use === undefined || routes.size === 0) return
      if (rejection?.token === token) {
        for (const name of rejection.names) {
          const route = routes.get(name)
          if (route?.token === token) route.needless += 1
        }
        rejection = undefined
      }
      for (const name of [nameOf(account, use), othersOf(account)]) {
        const route = routes.get(name)
        if (route === undefined) continue
        const resource = use.resource ?? use.route
        if (route.rejected.delete(resource)) blameToken(route)
        if (route.rejected.isEmpty()) routes.delete(name)
        else route.accepted.add(resource)
      }
    },
    rejected: (account, token, use, now, wait) => {
      const own = nameOf(account, use)
      const names = routes.has(own) ? [own] : [othersOf(account), own]
      for (const name of names) {
        const verdict = judge(name, token, use, now, wait)
        if (verdict._tag === "Suspended") return { ...verdict, isOneRoute: name === own }
        if (verdict._tag !== "Reject") return verdict
      }
      rejection = { token, names }
      return { _tag: "Reject" }
    },
    alsoRejected: (account, token, use) => {
      const own = routes.get(nameOf(account, use)) ?? routes.get(othersOf(account))
      const usuallySucceeds = own === undefined || own.accepted.has(use.resource ?? use.route)
      if (!usuallySucceeds) return
      for (const route of routes.values()) {
        if (route.token === token && !route.accepted.isEmpty()) doubt(route)
      }
    }
  }
}

/** The session whose end is not explained yet. `resource`: the request that was answered with 401, if it is known. */
interface OpenEnd {
  readonly token: string
  readonly resource: string | undefined
  /** Nomba has accepted a newer token for some request. */
  isCured: boolean
}

/**
 * Finds out why a session ended before its time: another program has logged in if the request that was answered with 401
 * succeeds with a newer token; the account id or the route is to blame if it fails again.
 */
export interface EarlyEnds {
  /** Whether there is a session to explain: the hot path asks only this. */
  readonly isOpen: () => boolean
  /** A session has ended early. Returns why the one before it ended, if that is known. */
  readonly ended: (token: string, resource: string | undefined) => EarlyEnd | undefined
  readonly accepted: (token: string, resource: string | undefined) => EarlyEnd | undefined
  readonly rejected: (token: string, resource: string | undefined) => EarlyEnd | undefined
}

export const makeEarlyEnds = (): EarlyEnds => {
  let open: OpenEnd | undefined

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
        rejected(token, resource) ?? (open === undefined || open.isCured ? undefined : explain("account_or_route"))
      open = { token, resource, isCured: false }
      return before
    },
    accepted: (token, resource) => {
      if (open === undefined || open.token === token) return undefined
      open.isCured = true
      return open.resource === resource ? explain("another_program") : undefined
    },
    rejected
  }
}
