/** What both faces of the sandbox, the socket and the in-process client, run for each request. */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
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

/** The bytes of a truncated response that are sent. */
export const firstHalf = ({ body }: HttpServerResponse.HttpServerResponse): Uint8Array =>
  body._tag === "Uint8Array" ? body.body.subarray(0, body.body.length >> 1) : new Uint8Array()
