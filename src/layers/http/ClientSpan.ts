/**
 * The span of one HTTP request: what `HttpClient`'s own span tells, without headers and query, and without holding on to
 * the request or the answer.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import { systemCode } from "./NetworkFailure.js"

/**
 * Begins the span, named by the user's `HttpClient.SpanNameGenerator`.
 *
 * @since 0.1.0
 */
export const make = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Tracer.Span> =>
  Effect.withFiberRuntime((fiber) => {
    const name = Context.get(fiber.getFiberRef(FiberRef.currentContext), HttpClient.SpanNameGenerator)(request)
    return Effect.map(Effect.makeSpan(name, { kind: "client", captureStackTrace: false }), (span) => {
      const [, origin = "", path = ""] = originAndPath.exec(request.url) ?? []
      span.attribute("http.request.method", request.method)
      span.attribute("server.address", origin)
      span.attribute("url.path", path)
      return span
    })
  })

const originAndPath = /^([a-z]+:\/\/[^/?#]*)([^?#]*)/

/**
 * Ends the span with the status, or with the kind of failure and its system code.
 *
 * @since 0.1.0
 */
export const end = (
  span: Tracer.Span,
  exit: Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>,
  clock: Clock.Clock
): void => {
  if (Exit.isSuccess(exit)) span.attribute("http.response.status_code", exit.value.status)
  const outcome = Exit.isSuccess(exit) ? Exit.void : Exit.failCause(Cause.map(exit.cause, describe))
  span.end(clock.unsafeCurrentTimeNanos(), outcome)
}

const describe = (error: HttpClientError.HttpClientError): string =>
  [error._tag, error.reason, ...Option.toArray(systemCode(error))].join(" ")
