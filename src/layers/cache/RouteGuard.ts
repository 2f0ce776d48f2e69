/**
 * Tells a token that was rejected from a route that answers 401 whatever the token. Times are milliseconds of the cache's
 * `Timeline`.
 */
import * as Duration from "effect/Duration"
import type { TokenUse } from "../../services/TokenCache.js"

interface Route {
  /** The latest token that was answered with 401. */
  token: string
  /** How many renewed tokens in a row were answered with 401. */
  renewed: number
  /** With no evidence that the latest token is good or bad, there is no renewal before this. */
  undecidedUntil: number
  suspendedUntil: number
  /** How often it was suspended in a row. */
  suspensions: number
  /** After a suspension the next 401 causes one renewal, whatever the evidence. */
  probes: boolean
}

/** What to do about a 401. */
export type Verdict =
  | { readonly _tag: "Reject" }
  /** A request that was sent later succeeded with the same token. */
  | { readonly _tag: "Replay" }
  /** The route causes no renewal. `suspendedFor` is there when that was decided just now. */
  | { readonly _tag: "Pass"; readonly suspendedFor?: Duration.Duration }

export interface RouteGuard {
  /** Nomba accepted this token for a request. */
  readonly accepted: (token: string, sentAt: number, use: Pick<TokenUse, "route" | "resource"> | undefined) => void
  /** Nomba accepted a token for a request that was sent at this time of the wall clock or later. */
  readonly hasAcceptedSince: (sentAt: number) => boolean
  /** Nomba answered 401. `wait` is how long a renewal is held back while it is not known whose fault it is. */
  readonly rejected: (token: string, use: TokenUse, now: number, wait: number) => Verdict
}

const KEPT = 200
const SUSPENSIONS = [10, 20, 40, 60].map((minutes) => Duration.minutes(minutes))

/** The routes that were used last, by name. */
const makeRoutes = () => {
  const routes = new Map<string, Route>()

  const touch = (name: string, token: string): { readonly route: Route; readonly isNew: boolean } => {
    const existing = routes.get(name)
    const route = existing ?? {
      token,
      renewed: 0,
      undecidedUntil: 0,
      suspendedUntil: 0,
      suspensions: 0,
      probes: false
    }
    routes.delete(name)
    routes.set(name, route)
    for (const oldest of routes.keys()) {
      if (routes.size <= KEPT) break
      routes.delete(oldest)
    }
    return { route, isNew: existing === undefined }
  }

  const suspend = (route: Route, now: number): Verdict => {
    const duration = SUSPENSIONS[Math.min(route.suspensions, SUSPENSIONS.length - 1)] ?? Duration.minutes(60)
    route.suspensions += 1
    route.suspendedUntil = now + Duration.toMillis(duration)
    route.probes = true
    return { _tag: "Pass", suspendedFor: duration }
  }

  return {
    isEmpty: () => routes.size === 0,
    forget: (name: string): void => void routes.delete(name),
    isSuspended: (name: string, now: number): boolean => now < (routes.get(name)?.suspendedUntil ?? 0),
    rejected: (name: string, token: string, isKnownGood: boolean, now: number, wait: number): Verdict => {
      const { isNew, route } = touch(name, token)
      if (route.probes) {
        route.probes = false
        route.renewed = 1
        route.token = token
        return { _tag: "Reject" }
      }
      if (!isNew && route.token !== token) {
        route.token = token
        route.renewed += 1
        route.undecidedUntil = now + wait
      }
      if (route.renewed < 2) return { _tag: "Reject" }
      if (isKnownGood) return suspend(route, now)
      return now < route.undecidedUntil ? { _tag: "Pass" } : { _tag: "Reject" }
    }
  }
}

export const make = (): RouteGuard => {
  const routes = makeRoutes()
  /** A route that answers 401 for some ids only is never known as bad, but its requests for these ids are. */
  const resources = makeRoutes()
  let latest: { readonly token: string; readonly sentAt: number } | undefined

  return {
    accepted: (token, sentAt, use) => {
      if (latest === undefined || latest.token !== token || sentAt > latest.sentAt) latest = { token, sentAt }
      // The name of a route takes longer to make than a request may cost.
      if (use === undefined || resources.isEmpty()) return
      routes.forget(use.route)
      resources.forget(use.resource ?? use.route)
    },
    hasAcceptedSince: (sentAt) => latest !== undefined && latest.sentAt >= sentAt,
    rejected: (token, { isReplay = false, resource, route, sentAt }, now, wait) => {
      const name = resource ?? route
      if (routes.isSuspended(route, now) || resources.isSuspended(name, now)) return { _tag: "Pass" }
      if (!isReplay && latest?.token === token && latest.sentAt > sentAt) return { _tag: "Replay" }
      const isKnownGood = latest?.token === token
      const byRoute = routes.rejected(route, token, isKnownGood, now, wait)
      const byResource = resources.rejected(name, token, isKnownGood, now, wait)
      return byRoute._tag === "Pass" ? byRoute : byResource
    }
  }
}
