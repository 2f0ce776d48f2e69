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
import type * as Redacted from "effect/Redacted"
import type { AuthError } from "../schemas/AuthError.js"
import { NombaClient, type NombaClientService } from "../services/NombaClient.js"
import { NombaConfig } from "../services/NombaConfig.js"
import { TokenCache } from "../services/TokenCache.js"
import { configuredSecret } from "./auth/TokenRequest.js"
import * as BaseUrl from "./config/BaseUrl.js"
import * as GuardedClient from "./http/GuardedClient.js"
import * as NetworkFailure from "./http/NetworkFailure.js"
import { authorization, checkHeaders, destination, isReplayable, SentRequest } from "./http/OutgoingRequest.js"
import * as Recovery from "./http/Recovery.js"
import { RedactedResponse, requestError, responseError } from "./http/RedactedResponse.js"
import * as Telemetry from "./telemetry.js"

type Request = HttpClientRequest.HttpClientRequest
type Response = HttpClientResponse.HttpClientResponse
type Failure = HttpClientError.HttpClientError | AuthError

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
    const clientSecret = configuredSecret(config)

    /** A status is not a failure here, even if the underlying client makes it one. */
    const toResponse = (request: Request, error: HttpClientError.HttpClientError): Effect.Effect<Response, Failure> => {
      if (error._tag === "RequestError") {
        return Effect.fail(NetworkFailure.blockedPort("request", host, error) ?? requestError(request, error, host))
      }
      if (error.reason !== "StatusCode") {
        return Effect.fail(responseError(new RedactedResponse(request, error.response, clientSecret), error))
      }
      return Effect.succeed(error.response)
    }

    const send = (
      request: Request,
      url: string,
      token: Redacted.Redacted<string>,
      resendCount: number
    ): Effect.Effect<Recovery.Judged, Failure> =>
      Effect.clockWith((clock) => {
        const authorized = authorize(request, url, token)
        if (Either.isLeft(authorized)) return Effect.fail(authorized.left)
        const sent = new SentRequest(request, url, clock.unsafeCurrentTimeMillis(), resendCount > 0)
        const response = client.execute(authorized.right)
        const counted =
          resendCount === 0 ? response : Effect.provideService(response, Telemetry.RequestFacts, { resendCount })
        const judge = (response: Response) => Recovery.judge(cache, token, sent, response)
        return Effect.matchEffect(counted, {
          onFailure: (error) => Effect.flatMap(toResponse(request, error), judge),
          onSuccess: judge
        })
      })

    const recover = (request: Request, url: string, first: Recovery.Judged): Effect.Effect<Recovery.Judged, Failure> =>
      Recovery.recover(cache, first, {
        mayReplay: ({ response }) => isReplayable(request.body) && Recovery.mayReplay(request.method, response.status),
        send: (token, resendCount) => send(request, url, token, resendCount),
        discard: Recovery.discard
      })

    const redacted = (request: Request, { peeked, response }: Recovery.Judged): Response =>
      new RedactedResponse(request, response, clientSecret, peeked?.response)

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
