/** A program that calls one route with the token of a cache, and does on a 401 what `NombaClient` does. */
import { Clock, Effect } from "effect"
import type { AuthError } from "../../src/schemas/AuthError.js"
import type { Remedy, TokenCacheService, TokenUse } from "../../src/services/TokenCache.js"
import { text } from "./upstream.js"

export interface CallOptions {
  readonly cache: TokenCacheService
  readonly route: string
  /** The route with its ids. Default: the route. */
  readonly resource?: string
  /** Whether Nomba accepts this access token for the route. */
  readonly isAccepted: (token: string) => boolean
  /** What happens while the request is under way. Default: nothing. */
  readonly latency?: Effect.Effect<void>
  /** What happens while the response is under way. Default: nothing. */
  readonly responseLatency?: Effect.Effect<void>
}

export type Outcome = 200 | 401 | AuthError

export const call = ({
  cache,
  isAccepted,
  latency = Effect.void,
  resource,
  responseLatency = Effect.void,
  route
}: CallOptions): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const send = Effect.fnUntraced(function* (isReplay: boolean) {
      const token = yield* cache.get
      const use: TokenUse = { route, resource: resource ?? route, sentAt: yield* Clock.currentTimeMillis, isReplay }
      yield* latency
      const isOk = isAccepted(text(token))
      yield* responseLatency
      if (isOk) yield* cache.confirm(token, use)
      return { isOk, token, use }
    })
    const first = yield* send(false)
    if (first.isOk) return 200 as const
    let remedy: Remedy = yield* cache.invalidate(first.token, first.use)
    if (remedy === "None") return 401 as const
    const second = yield* send(true)
    if (second.isOk) return 200 as const
    if (remedy === "Renewal") return 401 as const
    remedy = yield* cache.invalidate(second.token, second.use)
    if (remedy === "None") return 401 as const
    return (yield* send(true)).isOk ? (200 as const) : (401 as const)
  }).pipe(Effect.catchAll((error) => Effect.succeed(error)))
