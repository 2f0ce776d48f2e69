/**
 * `NombaClient` over any `HttpClient`.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { AuthError, UnexpectedResponse } from "../schemas/AuthError.js"
import * as Responses from "../schemas/Responses.js"
import { NombaClient, type NombaClientService } from "../services/NombaClient.js"
import { NombaConfig } from "../services/NombaConfig.js"
import { TokenCache } from "../services/TokenCache.js"
import * as BaseUrl from "./config/BaseUrl.js"
import * as GuardedClient from "./http/GuardedClient.js"
import * as IncomingResponse from "./http/IncomingResponse.js"
import * as NetworkFailure from "./http/NetworkFailure.js"
import { authorization, checkHeaders, destination, isReplayable, SentRequest } from "./http/OutgoingRequest.js"
import * as Recovery from "./http/Recovery.js"
import { RedactedResponse, requestError, responseError } from "./http/RedactedResponse.js"
import * as Telemetry from "./telemetry.js"

type Request = HttpClientRequest.HttpClientRequest
type Response = HttpClientResponse.HttpClientResponse
type Failure = HttpClientError.HttpClientError | AuthError

/** A request as it was sent, and what came back. */
interface Attempt extends Recovery.Attempt {
  readonly response: Response
  /** The body, if the response's own was read to look for an expired bearer. */
  readonly peeked?: IncomingResponse.Peeked
}

/**
 * The client of Nomba's resources.
 *
 * A rejected token is reported to the `TokenCache`, and the request is sent again with the token that the cache has then:
 * once, and once more if that token was adopted from the store. A token is rejected by a 401, or by any error that says
 * `JWT expired at …`. After a 5xx only GET and HEAD are sent again, because a payment may have been booked.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<NombaClientService, never, NombaConfig | TokenCache | HttpClient.HttpClient> =
  Effect.gen(function* () {
    const config = yield* NombaConfig
    const cache = yield* TokenCache
    const guarded = yield* GuardedClient.make(yield* HttpClient.HttpClient)
    const client = yield* GuardedClient.applyTransform(guarded, config.transformClient)
    const resolve = destination(config.baseUrl)
    const authorize = authorization(config.accountId)
    const host = BaseUrl.hostOf(config)

    /** A status is not a failure here, even if the client beneath makes it one. */
    const toResponse = (request: Request, error: HttpClientError.HttpClientError): Effect.Effect<Response, Failure> => {
      if (error._tag === "RequestError") {
        return Effect.fail(NetworkFailure.blockedPort("request", host, error) ?? requestError(request, error, host))
      }
      if (error.reason !== "StatusCode") {
        return Effect.fail(responseError(new RedactedResponse(request, error.response), error))
      }
      return GuardedClient.isRedirect(error.response.status)
        ? refuseRedirect(error.response)
        : Effect.succeed(error.response)
    }

    const send = (
      request: Request,
      url: string,
      token: Redacted.Redacted<string>,
      resendCount: number
    ): Effect.Effect<Attempt, Failure> =>
      Effect.clockWith((clock) => {
        const authorized = authorize(request, url, token)
        if (Either.isLeft(authorized)) return Effect.fail(authorized.left)
        const sent = new SentRequest(request, url, clock.unsafeCurrentTimeMillis(), resendCount > 0)
        const response = client.execute(authorized.right)
        const counted =
          resendCount === 0 ? response : Effect.provideService(response, Telemetry.RequestFacts, { resendCount })
        return Effect.matchEffect(counted, {
          onFailure: (error) => Effect.flatMap(toResponse(request, error), (response) => judge(token, sent, response)),
          onSuccess: (response) =>
            GuardedClient.isRedirect(response.status) ? refuseRedirect(response) : judge(token, sent, response)
        })
      })

    /** Tells the cache that the token was accepted, if the response proves it, and looks for an expired bearer. */
    const judge = (token: Redacted.Redacted<string>, sent: SentRequest, response: Response): Effect.Effect<Attempt> => {
      const { status } = response
      if (status < 400) return Effect.as(cache.confirm(token, sent), { token, sent, response, isRejected: false })
      if (status === 401) return Effect.succeed({ token, sent, response, isRejected: true })
      return Effect.gen(function* () {
        const peeked = yield* IncomingResponse.peek(response)
        const isRejected = Option.exists(peeked.text, (text) =>
          Responses.isJwtExpired(IncomingResponse.parseJson(text))
        )
        if (!isRejected && Recovery.provesToken(status)) yield* cache.confirm(token, sent)
        return { token, sent, response, isRejected, peeked }
      })
    }

    const recover = (request: Request, url: string, first: Attempt): Effect.Effect<Attempt, Failure> =>
      Recovery.recover(cache, first, {
        mayReplay: ({ response }) => isReplayable(request.body) && Recovery.mayReplay(request.method, response.status),
        send: (token, resendCount) => send(request, url, token, resendCount),
        discard
      })

    const execute = (request: Request): Effect.Effect<Response, Failure> => {
      const url = Either.flatMap(checkHeaders(request), ({ url }) => resolve(url))
      if (Either.isLeft(url)) return Effect.fail(url.left)
      return Effect.flatMap(cache.get, (token) =>
        Effect.flatMap(send(request, url.right, token, 0), (attempt) =>
          attempt.isRejected
            ? Effect.map(recover(request, url.right, attempt), (attempt) => redacted(request, attempt))
            : Effect.succeed(redacted(request, attempt))
        )
      )
    }

    return HttpClient.makeWith((request: Effect.Effect<Request>) => Effect.flatMap(request, execute), Effect.succeed)
  })

/**
 * The client as a layer, over a `TokenCache` and your `HttpClient`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<NombaClient, never, NombaConfig | TokenCache | HttpClient.HttpClient> = Layer.effect(
  NombaClient,
  make
)

const redacted = (request: Request, { peeked, response }: Attempt): Response =>
  new RedactedResponse(request, response, peeked?.response)

const discard = ({ peeked, response }: Attempt): Effect.Effect<void> =>
  peeked === undefined ? IncomingResponse.discard(response) : peeked.cancel

const refuseRedirect = (response: Response): Effect.Effect<never, UnexpectedResponse> =>
  Effect.zipRight(IncomingResponse.discard(response), Effect.fail(GuardedClient.redirected(response.status)))
