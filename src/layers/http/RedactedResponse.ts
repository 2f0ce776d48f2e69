/**
 * Responses and errors as they leave `NombaClient`: they hold the caller's own request, without the headers that were added.
 */
import type * as Cookies from "@effect/platform/Cookies"
import type * as Headers from "@effect/platform/Headers"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import type * as UrlParams from "@effect/platform/UrlParams"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { Unavailable } from "../../schemas/AuthError.js"
import { present } from "../../schemas/Responses.js"
import type { Host } from "../config/BaseUrl.js"
import * as NetworkFailure from "./NetworkFailure.js"

/**
 * The response to the caller's request. The platform's own response keeps the request as it was sent, bearer included, and
 * prints it; this one prints method, URL and status.
 *
 * `body` is given if the response's own body was read before: it is another response with the same content.
 */
export class RedactedResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly #request: HttpClientRequest.HttpClientRequest
  readonly #response: HttpClientResponse.HttpClientResponse
  readonly #clientSecret: Option.Option<Redacted.Redacted<string>>
  readonly #body: HttpClientResponse.HttpClientResponse

  constructor(
    request: HttpClientRequest.HttpClientRequest,
    response: HttpClientResponse.HttpClientResponse,
    clientSecret: Option.Option<Redacted.Redacted<string>>,
    body: HttpClientResponse.HttpClientResponse = response
  ) {
    super()
    this.#request = request
    this.#response = response
    this.#clientSecret = clientSecret
    this.#body = body
  }

  /** What Nomba knows and may echo: the bearer that was sent, and the client secret if it was configured as a value. */
  static secretsOf(response: HttpClientResponse.HttpClientResponse): ReadonlyArray<Redacted.Redacted<string>> {
    const [sent, clientSecret] =
      response instanceof RedactedResponse
        ? [response.#response.request, response.#clientSecret]
        : [response.request, Option.none()]
    const bearer = sent.headers["authorization"]
    return [
      ...(bearer === undefined ? [] : [Redacted.make(bearer.replace(/^Bearer /i, ""))]),
      ...Option.toArray(clientSecret)
    ]
  }

  get [HttpClientResponse.TypeId](): HttpClientResponse.TypeId {
    return HttpClientResponse.TypeId
  }
  get [HttpIncomingMessage.TypeId](): HttpIncomingMessage.TypeId {
    return HttpIncomingMessage.TypeId
  }
  get request(): HttpClientRequest.HttpClientRequest {
    return this.#request
  }
  get status(): number {
    return this.#response.status
  }
  get headers(): Headers.Headers {
    return this.#response.headers
  }
  get cookies(): Cookies.Cookies {
    return this.#response.cookies
  }
  get remoteAddress(): Option.Option<string> {
    return this.#response.remoteAddress
  }
  get text(): Effect.Effect<string, HttpClientError.ResponseError> {
    return this.#read(this.#body.text)
  }
  get json(): Effect.Effect<unknown, HttpClientError.ResponseError> {
    return this.#read(this.#body.json)
  }
  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, HttpClientError.ResponseError> {
    return this.#read(this.#body.urlParamsBody)
  }
  get formData(): Effect.Effect<FormData, HttpClientError.ResponseError> {
    return this.#read(this.#body.formData)
  }
  get arrayBuffer(): Effect.Effect<ArrayBuffer, HttpClientError.ResponseError> {
    return this.#read(this.#body.arrayBuffer)
  }
  get stream(): Stream.Stream<Uint8Array, HttpClientError.ResponseError> {
    return Stream.mapError(this.#body.stream, (error) => responseError(this, error))
  }

  toJSON(): unknown {
    return {
      _id: "@effect/platform/HttpClientResponse",
      request: { method: this.request.method, url: this.request.url },
      status: this.status
    }
  }

  #read<A>(body: Effect.Effect<A, HttpClientError.ResponseError>): Effect.Effect<A, HttpClientError.ResponseError> {
    return Effect.mapError(body, (error) => responseError(this, error))
  }
}

/** A failure to read the response: the reason and a system code, not the cause, which quotes the body. */
export const responseError = (
  response: RedactedResponse,
  error: HttpClientError.ResponseError
): HttpClientError.ResponseError =>
  new HttpClientError.ResponseError({
    request: response.request,
    response,
    reason: error.reason,
    ...description(error)
  })

/** A failure to send the request: what failed on which host, not the cause, which may quote a header. */
export const requestError = (
  request: HttpClientRequest.HttpClientRequest,
  error: HttpClientError.RequestError,
  host: Host
): HttpClientError.RequestError => {
  const { reason } = error
  if (reason !== "Transport") return new HttpClientError.RequestError({ request, reason, ...description(error) })
  const unavailable = NetworkFailure.fromCause("request", host, error)
  const text = unavailable.message.replace(/\.$/, "")
  const shown = new HttpClientError.RequestError({ request, reason, description: text })
  failures.set(shown, unavailable)
  return shown
}

const failures = new WeakMap<HttpClientError.RequestError, Unavailable>()

/** The host and code of a request that failed on the network, and whether it can have reached Nomba. */
export const unavailableOf = (error: HttpClientError.RequestError): Unavailable | undefined => failures.get(error)

const description = (error: HttpClientError.HttpClientError): { readonly description?: string } =>
  present("description", NetworkFailure.systemCode(error))
