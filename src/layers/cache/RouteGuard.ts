/**
 * Tells a token that was rejected from a route that answers 401 whatever the token. Times are milliseconds of the cache's
 * `Timeline`.
 */
import * as Duration from "effect/Duration"

interface Route {
  /** The latest token that this route answered 401 to. */
  token: string
  /** How many renewed tokens in a row it answered 401 to. */
  renewed: number
  /** With no evidence that the latest token is good or bad, this route causes no renewal before this. */
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
  readonly accepted: (token: string, sentAt: number, use: { readonly route: string } | undefined) => void
  /** Nomba accepted a token for a request that was sent at this time or later. */
  readonly hasAcceptedSince: (at: number) => boolean
  /** Nomba answered 401. `wait` is how long a renewal is held back while it is not known whose fault it is. */
  readonly rejected: (
    token: string,
    request: { readonly sentAt: number; readonly route: string; readonly isReplay: boolean },
    now: number,
    wait: number
  ) => Verdict
}

const KEPT = 200
const SUSPENSIONS = [10, 20, 40, 60].map((minutes) => Duration.minutes(minutes))

export const make = (): RouteGuard => {
  /** The most recently used last. */
  const routes = new Map<string, Route>()
  let latest: { readonly token: string; readonly sentAt: number } | undefined

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
    accepted: (token, sentAt, use) => {
      if (latest === undefined || latest.token !== token || sentAt > latest.sentAt) latest = { token, sentAt }
      // The name of a route takes longer to make than a request may cost.
      if (routes.size > 0 && use !== undefined) routes.delete(use.route)
    },
    hasAcceptedSince: (at) => latest !== undefined && latest.sentAt >= at,
    rejected: (token, { isReplay, route: name, sentAt }, now, wait) => {
      const isSuspended = now < (routes.get(name)?.suspendedUntil ?? 0)
      if (isSuspended) return { _tag: "Pass" }
      if (!isReplay && latest?.token === token && latest.sentAt > sentAt) return { _tag: "Replay" }
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
      if (latest?.token === token) return suspend(route, now)
      return now < route.undecidedUntil ? { _tag: "Pass" } : { _tag: "Reject" }
    }
  }
}
