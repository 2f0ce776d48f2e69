/**
 * What a response says about the token of its request, and what follows from a rejected one. `NombaClient` and the proxy of
 * the command line send in different ways and share these rules.
 */
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { AuthError, UnexpectedResponse } from "../../schemas/AuthError.js"
import * as Responses from "../../schemas/Responses.js"
import type { TokenCacheService, TokenUse } from "../../services/TokenCache.js"
import * as Telemetry from "../telemetry.js"
import * as GuardedClient from "./GuardedClient.js"
import * as IncomingResponse from "./IncomingResponse.js"

/** A request as it was sent, and whether its response says that the token is no longer good. */
export interface Attempt {
  readonly token: Redacted.Redacted<string>
  readonly sent: TokenUse
  readonly isRejected: boolean
}

/** Whether a response of this status proves that Nomba accepted the token. Firewalls and rate limits answer before it is read. */
export const provesToken = (status: number): boolean =>
  status < 500 && status !== 401 && status !== 403 && status !== 429

/** Whether a short body says that the bearer of the request has expired. */
export const isExpiredBearer = (text: Option.Option<string>): boolean =>
  Option.exists(text, (text) => Responses.isJwtExpired(IncomingResponse.parseJson(text)))

export interface Judged extends Attempt {
  readonly response: HttpClientResponse.HttpClientResponse
  /** The body, if the response's own was read to look for an expired bearer. */
  readonly peeked?: IncomingResponse.Peeked
}

/** Tells the cache that the token was accepted, if the response proves it, and looks for an expired bearer. Fails on a redirect. */
export const judge = (
  cache: TokenCacheService,
  token: Redacted.Redacted<string>,
  sent: TokenUse,
  response: HttpClientResponse.HttpClientResponse
): Effect.Effect<Judged, UnexpectedResponse> => {
  const { status } = response
  if (GuardedClient.isRedirect(status)) {
    return Effect.zipRight(IncomingResponse.discard(response), Effect.fail(GuardedClient.redirected(status)))
  }
  if (status < 400) return Effect.as(cache.confirm(token, sent), { token, sent, response, isRejected: false })
  if (status === 401) return Effect.succeed({ token, sent, response, isRejected: true })
  return Effect.gen(function* () {
    const peeked = yield* IncomingResponse.peek(response)
    const isRejected = isExpiredBearer(peeked.text)
    if (!isRejected && provesToken(status)) yield* cache.confirm(token, sent)
    return { token, sent, response, isRejected, peeked }
  })
}

/** Frees the connection of a response that is not read. */
export const discard = ({ peeked, response }: Judged): Effect.Effect<void> =>
  peeked === undefined ? IncomingResponse.discard(response) : peeked.cancel

/** Whether a rejected request may be sent again by its status: after a 5xx a payment may have been booked. */
export const mayReplay = (method: string, status: number): boolean =>
  status < 500 || method === "GET" || method === "HEAD"

/** How to go on after a rejected attempt. */
export interface Sender<A extends Attempt, E> {
  readonly mayReplay: (attempt: A) => boolean
  /** `resendCount`: how often the request was sent before. */
  readonly send: (token: Redacted.Redacted<string>, resendCount: number) => Effect.Effect<A, E>
  /** Frees the connection of a response that is not read. */
  readonly discard: (attempt: A) => Effect.Effect<void>
}

/**
 * Reports the rejected token and sends the request again with the token that the cache has then: once, and once more if
 * that token was adopted from the store. Returns the last attempt. If a renewal fails after a rejection, fails with its error.
 */
export const recover = Effect.fnUntraced(function* <A extends Attempt, E>(
  cache: TokenCacheService,
  first: A,
  { discard, mayReplay, send }: Sender<A, E>
): Effect.fn.Return<A, E | AuthError> {
  let attempt = first
  let mayReuseToken = true
  let replays = 0
  let resends = 0
  while (attempt.isRejected) {
    const remedy = yield* cache.invalidate(attempt.token, attempt.sent)
    if (remedy === "None" || !mayReplay(attempt)) return attempt
    if (remedy === "SameToken" && mayReuseToken) {
      mayReuseToken = false
      yield* discard(attempt)
      yield* Telemetry.countReplay("same")
      attempt = yield* send(attempt.token, ++resends)
      continue
    }
    const rejected = attempt
    const { origin, session } = yield* Effect.onError(cache.session, () => discard(rejected))
    if (replays === 2 || Equal.equals(session.accessToken, attempt.token)) return attempt
    yield* discard(attempt)
    yield* Telemetry.countReplay(origin === "store" ? "adopted" : "renewed")
    attempt = yield* send(session.accessToken, ++resends)
    replays += 1
    if (origin !== "store") return attempt
  }
  return attempt
})
