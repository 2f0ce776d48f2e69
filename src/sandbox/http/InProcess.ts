/** An `HttpClient` that reaches the sandbox without a socket. Each request is answered in the fiber of the caller, by its clock. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { firstHalf, type SandboxApp } from "./SandboxApp.js"

const bodyOf = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<BodyInit | null> => {
  const { body } = request
  switch (body._tag) {
    case "Empty":
      return Effect.succeed(null)
    case "FormData":
      return Effect.succeed(body.formData)
    case "Stream":
      return Stream.toReadableStreamEffect(Stream.orDie(body.stream))
    default:
      return Effect.succeed(body.body as BodyInit)
  }
}

/** `fetch` needs this for a body that is a stream. */
const streaming = { duplex: "half" }

/** The first half of a response, then an error. */
const cutShort = (answer: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.stream(
    Stream.concat(Stream.make(firstHalf(answer)), Stream.die(new Error("the connection was reset"))),
    { status: answer.status, headers: answer.headers }
  )

/** Answers requests to one origin. Any other fails as it would without a network. */
export const make = (app: SandboxApp, url: string): HttpClient.HttpClient => {
  const { origin } = new URL(url)
  return HttpClient.make((request, target) => {
    const unreachable = (description: string) =>
      new HttpClientError.RequestError({ request, reason: "Transport", description })
    if (target.origin !== origin) {
      return Effect.fail(unreachable(`in process only ${origin} answers, not ${target.origin}`))
    }
    return Effect.gen(function* () {
      const body = yield* bodyOf(request)
      const incoming = yield* Effect.try({
        try: () => new Request(target, { method: request.method, headers: request.headers, body, ...streaming }),
        catch: () => unreachable("the request cannot be sent")
      })
      const response = yield* Effect.provideService(
        app,
        HttpServerRequest.HttpServerRequest,
        HttpServerRequest.fromWeb(incoming)
      ).pipe(
        Effect.catchTag("ConnectionReset", ({ truncated }) =>
          Effect.mapBoth(truncated, {
            onFailure: () => unreachable("the connection was reset"),
            onSuccess: cutShort
          })
        )
      )
      const options = { withoutBody: request.method === "HEAD", runtime: yield* Effect.runtime() }
      return HttpClientResponse.fromWeb(request, HttpServerResponse.toWeb(response, options))
    }).pipe(Effect.scoped)
  })
}
