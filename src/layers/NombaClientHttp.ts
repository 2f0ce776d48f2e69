/**
 * `NombaClient` over any `HttpClient`.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { type AuthError, UnexpectedResponse } from "../schemas/AuthError.js"
import { NombaClient, type NombaClientService } from "../services/NombaClient.js"
import { NombaConfig } from "../services/NombaConfig.js"
import { TokenCache } from "../services/TokenCache.js"
import * as Authorization from "./client/Authorization.js"
import * as CallersHeaders from "./client/CallersHeaders.js"
import { CallersResponse, requestError, responseError } from "./client/CallersResponse.js"
import * as Destination from "./client/Destination.js"
import { isReplayable } from "./client/isReplayable.js"
import * as Body from "./http/Body.js"
import * as GuardedClient from "./http/GuardedClient.js"

type Request = HttpClientRequest.HttpClientRequest
type Answer = HttpClientResponse.HttpClientResponse
type Failure = HttpClientError.HttpClientError | AuthError

/**
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<NombaClientService, never, NombaConfig | TokenCache | HttpClient.HttpClient> =
  Effect.gen(function* () {
    const { accountId, baseUrl, transformClient } = yield* NombaConfig
    const cache = yield* TokenCache
    const guarded = yield* GuardedClient.make(yield* HttpClient.HttpClient)
    const client = yield* GuardedClient.applyTransform(guarded, transformClient)
    const resolve = Destination.make(baseUrl)
    const authorize = Authorization.make(accountId)

    const send = (request: Request, url: string, token: Redacted.Redacted<string>): Effect.Effect<Answer, Failure> => {
      const authorized = authorize(request, url, token)
      return Either.isLeft(authorized)
        ? Effect.fail(authorized.left)
        : Effect.matchEffect(client.execute(authorized.right), {
            onFailure: (error) => toAnswer(request, error),
            onSuccess: refuseRedirect
          })
    }

    const replay = (
      request: Request,
      url: string,
      rejected: { readonly token: Redacted.Redacted<string>; readonly answer: Answer },
      mayRepeat: boolean
    ): Effect.Effect<Answer, Failure> =>
      Effect.gen(function* () {
        const counted = yield* cache.invalidate(rejected.token)
        if (!isReplayable(request.body)) return rejected.answer
        const { origin, session } = yield* Effect.tapError(cache.session, () => discard(rejected.answer))
        const token = session.accessToken
        if (Equal.equals(token, rejected.token)) return rejected.answer
        yield* discard(rejected.answer)
        const answer = yield* send(request, url, token)
        if (answer.status !== 401) {
          if (counted && answer.status < 500) yield* cache.confirm(token)
          return answer
        }
        return mayRepeat && origin === "adopted" ? yield* replay(request, url, { token, answer }, false) : answer
      })

    const execute = (request: Request): Effect.Effect<Answer, Failure> => {
      const url = Either.flatMap(CallersHeaders.check(request), ({ url }) => resolve(url))
      return Either.isLeft(url)
        ? Effect.fail(url.left)
        : Effect.flatMap(cache.get, (token) =>
            Effect.flatMap(send(request, url.right, token), (answer) =>
              answer.status === 401
                ? Effect.map(
                    replay(request, url.right, { token, answer }, true),
                    (answer) => new CallersResponse(request, answer)
                  )
                : Effect.succeed(new CallersResponse(request, answer))
            )
          )
    }

    return HttpClient.makeWith((request: Effect.Effect<Request>) => Effect.flatMap(request, execute), Effect.succeed)
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<NombaClient, never, NombaConfig | TokenCache | HttpClient.HttpClient> = Layer.effect(
  NombaClient,
  make
)

/** A status is not a failure here, even where the client beneath makes it one. */
const toAnswer = (request: Request, error: HttpClientError.HttpClientError): Effect.Effect<Answer, Failure> => {
  if (error._tag === "RequestError") return Effect.fail(requestError(request, error))
  return error.reason === "StatusCode"
    ? refuseRedirect(error.response)
    : Effect.fail(responseError(new CallersResponse(request, error.response), error))
}

const refuseRedirect = (answer: Answer): Effect.Effect<Answer, UnexpectedResponse> =>
  GuardedClient.isRedirect(answer.status)
    ? Effect.zipRight(discard(answer), Effect.fail(redirected(answer.status)))
    : Effect.succeed(answer)

/** A browser does not tell the status of a redirect. */
const redirected = (status: number): UnexpectedResponse =>
  new UnexpectedResponse({ operation: "request", reason: "Redirect", ...(status === 0 ? {} : { status }) })

/** Lets go of an answer that nobody will see, and of its connection, which else would wait for the garbage collector. */
const discard = (answer: Answer): Effect.Effect<void> => Body.read(answer, Duration.seconds(1))
