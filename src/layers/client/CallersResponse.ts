/**
 * What leaves `NombaClient`: answers and failures of the caller's own request, without the headers that were added to it.
 *
 * @since 0.1.0
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
import * as Stream from "effect/Stream"
import { systemCode } from "../http/NetworkFailure.js"

/**
 * The answer to the caller's request. The platform's own answer keeps the request as it was sent, bearer token included,
 * and prints it; this one prints method, URL and status.
 *
 * @since 0.1.0
 * @category models
 */
export class CallersResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly #request: HttpClientRequest.HttpClientRequest
  readonly #answer: HttpClientResponse.HttpClientResponse

  constructor(request: HttpClientRequest.HttpClientRequest, answer: HttpClientResponse.HttpClientResponse) {
    super()
    this.#request = request
    this.#answer = answer
  }

  /** The request as it was sent, bearer included: for masking what a server echoes, and never to be shown. */
  static sentRequest(response: HttpClientResponse.HttpClientResponse): HttpClientRequest.HttpClientRequest {
    return response instanceof CallersResponse ? response.#answer.request : response.request
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
    return this.#answer.status
  }
  get headers(): Headers.Headers {
    return this.#answer.headers
  }
  get cookies(): Cookies.Cookies {
    return this.#answer.cookies
  }
  get remoteAddress(): Option.Option<string> {
    return this.#answer.remoteAddress
  }
  get text(): Effect.Effect<string, HttpClientError.ResponseError> {
    return this.#read(this.#answer.text)
  }
  get json(): Effect.Effect<unknown, HttpClientError.ResponseError> {
    return this.#read(this.#answer.json)
  }
  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, HttpClientError.ResponseError> {
    return this.#read(this.#answer.urlParamsBody)
  }
  get formData(): Effect.Effect<FormData, HttpClientError.ResponseError> {
    return this.#read(this.#answer.formData)
  }
  get arrayBuffer(): Effect.Effect<ArrayBuffer, HttpClientError.ResponseError> {
    return this.#read(this.#answer.arrayBuffer)
  }
  get stream(): Stream.Stream<Uint8Array, HttpClientError.ResponseError> {
    return Stream.mapError(this.#answer.stream, (error) => responseError(this, error))
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

/**
 * A failure to read the caller's answer: the reason and a system code, not the cause, which quotes the body.
 *
 * @since 0.1.0
 */
export const responseError = (
  response: CallersResponse,
  error: HttpClientError.ResponseError
): HttpClientError.ResponseError =>
  new HttpClientError.ResponseError({
    request: response.request,
    response,
    reason: error.reason,
    ...description(error)
  })

/**
 * A failure to send the caller's request: the reason and a system code, not the cause, which may quote a header.
 *
 * @since 0.1.0
 */
export const requestError = (
  request: HttpClientRequest.HttpClientRequest,
  error: HttpClientError.RequestError
): HttpClientError.RequestError =>
  new HttpClientError.RequestError({ request, reason: error.reason, ...description(error) })

const description = (error: HttpClientError.HttpClientError): { readonly description?: string } =>
  Option.match(systemCode(error), { onNone: () => ({}), onSome: (description) => ({ description }) })
