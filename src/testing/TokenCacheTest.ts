/**
 * A double of `TokenCache` alone.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { Session } from "../schemas/Session.js"
import { type CachedSession, SessionEvent, TokenCache } from "../services/TokenCache.js"

/**
 * Always returns this token, also after `invalidate` and `logout`, with an hour of its lifetime left.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (token: string = "test-access-token"): Layer.Layer<TokenCache> => {
  const accessToken = Redacted.make(token)
  const lifetime = Duration.hours(1)
  const session = Effect.map(
    DateTime.now,
    (issuedAt): CachedSession => ({
      session: new Session({
        accessToken,
        refreshToken: Option.none(),
        lifetime,
        issuedAt,
        clock: "local",
        tokenType: "Bearer",
        businessId: Option.none()
      }),
      remaining: lifetime,
      saved: true,
      origin: "nomba"
    })
  )
  return Layer.succeed(
    TokenCache,
    TokenCache.of({
      get: Effect.succeed(accessToken),
      session,
      peek: Effect.asSome(session),
      verify: Effect.void,
      invalidate: () => Effect.succeed("Renewal"),
      confirm: () => Effect.void,
      logout: Effect.void,
      changes: Stream.fromEffect(Effect.map(session, (_) => SessionEvent.Current({ session: Option.some(_) })))
    })
  )
}
