/** A `TokenCache` that follows a script, and what it was told. */
import { DateTime, Duration, Effect, Equal, Layer, Option, Redacted, Stream } from "effect"
import type { AuthError } from "../../src/schemas/AuthError.js"
import { Session } from "../../src/schemas/Session.js"
import { type CachedSession, type Remedy, TokenCache, type TokenUse } from "../../src/services/TokenCache.js"

/** What a renewal brings: another token from Nomba, one from the store, the same one again, or nothing. */
export type Renewal = "nomba" | "store" | "same" | AuthError

export interface ScriptedCache {
  readonly layer: Layer.Layer<TokenCache>
  /** For instance `invalidate token-1`, in order. */
  readonly told: ReadonlyArray<string>
  readonly current: () => string
  /** What the next reports of a rejected token are answered with; `renew` when there is none left. */
  readonly rejections: Array<Remedy>
  /** The requests that it was told of. */
  readonly requests: ReadonlyArray<TokenUse>
}

export const sessionOf = (token: string): Session =>
  new Session({
    accessToken: Redacted.make(token),
    refreshToken: Option.none(),
    lifetime: Duration.hours(1),
    issuedAt: DateTime.unsafeMake(0),
    clock: "server",
    tokenType: "Bearer",
    businessId: Option.none()
  })

/** Its names are made when they are asked for, which may be too late afterwards. */
const seen = ({ isReplay, resource, route, sentAt }: TokenUse): TokenUse => ({ isReplay, resource, route, sentAt })

/**
 * Holds `token-1`, then `token-2` and so on. Each `session` after an `invalidate` that counted uses up one of the
 * renewals; when they are used up, the token stays the same.
 */
export const scriptedCache = (...renewals: ReadonlyArray<Renewal>): ScriptedCache => {
  const left = [...renewals]
  const told: Array<string> = []
  const rejections: Array<Remedy> = []
  const requests: Array<TokenUse> = []
  let serial = 1
  let rejected = false
  let origin: CachedSession["origin"] = "nomba"
  const current = (): string => `token-${serial}`

  const session = Effect.suspend((): Effect.Effect<CachedSession, AuthError> => {
    const renewal = rejected ? (left.shift() ?? "same") : "same"
    if (typeof renewal !== "string") return Effect.fail(renewal)
    rejected = false
    if (renewal !== "same") {
      serial += 1
      origin = renewal
    }
    return Effect.succeed({ session: sessionOf(current()), remaining: Duration.hours(1), saved: true, origin })
  })

  const tell = (...what: ReadonlyArray<string>): number => told.push(what.join(" "))

  return {
    told,
    current,
    rejections,
    requests,
    layer: Layer.succeed(
      TokenCache,
      TokenCache.of({
        get: Effect.sync(() => Redacted.make(current())),
        session: Effect.zipRight(
          Effect.sync(() => tell("session")),
          session
        ),
        invalidate: (token, request) =>
          Effect.sync(() => {
            tell("invalidate", Redacted.value(token))
            if (request !== undefined) requests.push(seen(request))
            const rejection = rejections.shift() ?? "Renewal"
            rejected ||= rejection === "Renewal" && Equal.equals(token, Redacted.make(current()))
            return rejection
          }),
        confirm: (token, request) =>
          Effect.sync(() => {
            tell("confirm", Redacted.value(token))
            if (request !== undefined) requests.push(seen(request))
          }),
        peek: Effect.succeedNone,
        verify: Effect.void,
        logout: Effect.dieMessage("not used"),
        changes: Stream.empty
      })
    )
  }
}

/** A cache that can only be asked, and answers always the same. */
export const fixedCache = (get: Effect.Effect<Redacted.Redacted<string>, AuthError>): Layer.Layer<TokenCache> =>
  Layer.mock(TokenCache, {
    get,
    session: Effect.dieMessage("not used"),
    confirm: () => Effect.void,
    logout: Effect.void,
    changes: Stream.empty
  })
