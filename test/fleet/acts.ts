/** What a process of a fleet can be told to do, whatever it runs in. */

import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { AuthError } from "../../src/schemas/AuthError.js"
import { NombaClient } from "../../src/services/NombaClient.js"
import { TokenCache } from "../../src/services/TokenCache.js"

type Act<A> = Effect.Effect<A, AuthError, TokenCache>

export const get: Act<string> = Effect.flatMap(TokenCache, (cache) => Effect.map(cache.get, Redacted.value))

/** Takes the token in hand for rejected, and asks for another. */
export const renew: Act<string> = Effect.gen(function* () {
  const cache = yield* TokenCache
  yield* cache.invalidate(yield* cache.get)
  return Redacted.value(yield* cache.get)
})

/** The clock, moved on by so many milliseconds, passes the end of the token in hand; then asks for another. */
export const outlive = (moveOn: (millis: number) => void): Act<string> =>
  Effect.gen(function* () {
    const cache = yield* TokenCache
    const { remaining } = yield* cache.session
    moveOn(Duration.toMillis(remaining))
    return Redacted.value(yield* cache.get)
  })

/** Sends one request, and answers with its status. */
export const call: Effect.Effect<string, HttpClientError | AuthError, NombaClient> = Effect.flatMap(
  NombaClient,
  (nomba) => Effect.map(Effect.scoped(nomba.get("/v1/accounts/balance")), ({ status }) => String(status))
)

export const logout: Act<void> = Effect.flatMap(TokenCache, (cache) => cache.logout)
