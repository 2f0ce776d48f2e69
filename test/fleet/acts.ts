/** What a process of a fleet can be told to do, real or simulated. */

import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { AuthError } from "../../src/schemas/AuthError.js"
import { NombaClient } from "../../src/services/NombaClient.js"
import { TokenCache } from "../../src/services/TokenCache.js"
import type { Try } from "./protocol.js"

type Act<A> = Effect.Effect<A, AuthError, TokenCache>

export const get: Act<string> = Effect.flatMap(TokenCache, (cache) => Effect.map(cache.get, Redacted.value))

/** Reports the current token as rejected and gets another. */
export const renew: Act<string> = Effect.gen(function* () {
  const cache = yield* TokenCache
  yield* cache.invalidate(yield* cache.get)
  return Redacted.value(yield* cache.get)
})

/** Moves the clock past the expiry of the current token and gets another. */
export const outlive = (moveOn: (millis: number) => void): Act<string> =>
  Effect.gen(function* () {
    const cache = yield* TokenCache
    const { remaining } = yield* cache.session
    moveOn(Duration.toMillis(remaining))
    return Redacted.value(yield* cache.get)
  })

/** Sends one request and answers with its status. */
export const call: Effect.Effect<string, HttpClientError | AuthError, NombaClient> = Effect.flatMap(
  NombaClient,
  (nomba) => Effect.map(Effect.scoped(nomba.get("/v1/accounts/balance")), ({ status }) => String(status))
)

export const logout: Act<void> = Effect.flatMap(TokenCache, (cache) => cache.logout)

/** The token in memory, which no renewal and no read of the store is started for; empty if there is none. */
export const peek: Act<string> = Effect.gen(function* () {
  const cached = yield* (yield* TokenCache).peek
  return Option.match(cached, { onNone: () => "", onSome: ({ session }) => Redacted.value(session.accessToken) })
})

const failureOf = (error: AuthError): string =>
  "reason" in error && error.reason !== undefined ? `${error._tag}/${error.reason}` : error._tag

/** By a clock that no test moves. */
export const tryGet: Act<Try> = Effect.gen(function* () {
  const began = performance.now()
  const result = yield* Effect.either(get)
  const took = Math.round(performance.now() - began)
  return result._tag === "Right"
    ? { token: result.right, failure: undefined, message: undefined, took }
    : { token: undefined, failure: failureOf(result.left), message: result.left.message, took }
})
