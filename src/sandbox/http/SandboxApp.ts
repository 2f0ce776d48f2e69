/** What both faces of the sandbox, the socket and the in-process client, run for each request. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"

/** A fault resets the connection: instead of a response, or halfway through one. */
export class ConnectionReset extends Data.TaggedError("ConnectionReset")<{
  /** The response of which only the first half is sent. */
  readonly truncated: Option.Option<HttpServerResponse.HttpServerResponse>
}> {}

/** Answers the request of its context. It fails only if a fault resets the connection. */
export type SandboxApp = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  ConnectionReset,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

/** Changes each response, also one of which only the first half is sent. */
export const mapResponse = <R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, ConnectionReset, R>,
  change: (response: HttpServerResponse.HttpServerResponse) => HttpServerResponse.HttpServerResponse
): Effect.Effect<HttpServerResponse.HttpServerResponse, ConnectionReset, R> =>
  Effect.mapBoth(app, {
    onFailure: ({ truncated }) => new ConnectionReset({ truncated: Option.map(truncated, change) }),
    onSuccess: change
  })

/** The bytes of a truncated response that are sent. */
export const firstHalf = ({ body }: HttpServerResponse.HttpServerResponse): Uint8Array =>
  body._tag === "Uint8Array" ? body.body.subarray(0, body.body.length >> 1) : new Uint8Array()
