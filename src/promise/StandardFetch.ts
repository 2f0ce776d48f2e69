/**
 * The standard `fetch` with the rules of `NombaClient`. While the token is good it runs outside of Effect and returns the
 * response of `fetch` itself: a fiber, and a body that is converted to an Effect stream and back, take longer than a request.
 */
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { identity } from "effect/Function"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as BaseUrl from "../layers/config/BaseUrl.js"
import * as GuardedClient from "../layers/http/GuardedClient.js"
import type * as IncomingResponse from "../layers/http/IncomingResponse.js"
import * as NetworkFailure from "../layers/http/NetworkFailure.js"
import { authorization, checkHeaders, destination, isReplayable, SentRequest } from "../layers/http/OutgoingRequest.js"
import * as Recovery from "../layers/http/Recovery.js"
import { type AuthError, UnexpectedResponse } from "../schemas/AuthError.js"
import type { NombaConfigService } from "../services/NombaConfig.js"
import type { TokenCacheService } from "../services/TokenCache.js"
import { fromError } from "./failure.js"
import type { Prepared } from "./http.js"

/** A request as it was sent, and what `fetch` returned. */
export interface Sent {
  readonly token: Redacted.Redacted<string>
  readonly sent: SentRequest
  readonly response: Response
}

interface Attempt extends Recovery.Judged {
  readonly original: Response
}

export interface StandardFetch {
  /** Sends the request once. Rejects with an `AuthError`. */
  readonly send: (prepared: Prepared, url: string, token: Redacted.Redacted<string>, isReplay: boolean) => Promise<Sent>
  /** Looks at the first response, and sends the request again with another token if this one was rejected. */
  readonly finish: (
    cache: TokenCacheService,
    prepared: Prepared,
    url: string,
    first: Sent
  ) => Effect.Effect<Response, AuthError>
  /** The absolute URL. Throws `InvalidRequest`. */
  readonly urlOf: (prepared: Prepared) => string
}

/** Whether a response is passed on without another look. */
export const isAccepted = ({ response }: Sent): boolean =>
  response.status < 400 && !GuardedClient.isRedirect(response.status)

/** `replaced` is used in place of the global `fetch`. */
export const make = (config: NombaConfigService, replaced: typeof globalThis.fetch | undefined): StandardFetch => {
  const resolve = destination(config.baseUrl)
  const authorize = authorization(config.accountId)
  const host = BaseUrl.hostOf(config)

  const send: StandardFetch["send"] = async ({ init, request, signal }, url, token, isReplay) => {
    const { headers } = Either.getOrThrowWith(authorize(request, url, token), identity)
    const sent = new SentRequest(request, url, Date.now(), isReplay)
    const body = request.body._tag === "Raw" ? (request.body.body as BodyInit) : null
    const fetch = replaced ?? globalThis.fetch
    try {
      const response = await fetch(url, {
        ...init,
        ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
        method: request.method,
        headers,
        body,
        signal: signal ?? null,
        redirect: "manual",
        credentials: "omit"
      })
      return { token, sent, response }
    } catch (error) {
      throw NetworkFailure.blockedPort("request", host, error) ?? NetworkFailure.fromCause("request", host, error)
    }
  }

  const finish: StandardFetch["finish"] = (cache, prepared, url, first) => {
    const { method } = prepared.request

    const judge = ({ response, sent, token }: Sent): Effect.Effect<Attempt, AuthError> =>
      Effect.map(
        Recovery.judge(cache, token, sent, HttpClientResponse.fromWeb(prepared.request, response)),
        (judged) => ({ ...judged, original: response })
      )

    const recovered = Effect.flatMap(judge(first), (attempt) =>
      Recovery.recover<Attempt, AuthError>(cache, attempt, {
        mayReplay: ({ response }) => isReplayable(prepared.request.body) && Recovery.mayReplay(method, response.status),
        send: (token) =>
          Effect.flatMap(
            Effect.tryPromise({
              try: () => send(prepared, url, token, true),
              catch: (error) => error as AuthError
            }),
            judge
          ),
        discard: Recovery.discard
      })
    )
    return Effect.flatMap(recovered, ({ original, peeked }) => {
      if (peeked === undefined || !original.bodyUsed) return Effect.succeed(original)
      // `Response` can be made with no other status.
      if (original.status <= 599) return Effect.succeed(reread(original, peeked, prepared.signal))
      const { status } = original
      return Effect.zipRight(
        peeked.cancel,
        Effect.fail(new UnexpectedResponse({ operation: "request", reason: "UnknownStatus", status }))
      )
    })
  }

  return {
    send,
    finish,
    urlOf: ({ request }) =>
      Either.getOrThrowWith(
        Either.flatMap(checkHeaders(request), ({ url }) => resolve(url)),
        identity
      )
  }
}

/** The response with a body that can be read once more. */
const reread = (
  response: Response,
  { response: kept }: IncomingResponse.Peeked,
  signal: AbortSignal | undefined
): Response => {
  const body = Stream.mapError(kept.stream, (error) => (signal?.aborted === true ? signal.reason : fromError(error)))
  return new Response(Stream.toReadableStream(body) as ReadableStream<Uint8Array<ArrayBuffer>>, response)
}
