/**
 * From a request to its answer: routes, counts, faults, the API itself, and the envelope around whatever goes wrong.
 * The same for a request that comes in process and for one that comes over a socket.
 *
 * @since 0.1.0
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Accounts from "./Accounts.js"
import * as Authentication from "./Authentication.js"
import * as Authorization from "./Authorization.js"
import * as Befalling from "./Befalling.js"
import { Emulator } from "./Emulator.js"
import * as Envelope from "./Envelope.js"
import type { Misfortune } from "./Fault.js"
import * as JsonBody from "./JsonBody.js"
import { routes, SandboxApi } from "./SandboxApi.js"
import * as SandboxState from "./SandboxState.js"

/** Answers the request in its context. It fails only when a fault breaks the connection. */
export type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  Befalling.ConnectionDropped,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

const layer = HttpApiBuilder.api(SandboxApi).pipe(
  Layer.provide([Authentication.layer, Accounts.layer]),
  Layer.provide([Authorization.layer, JsonBody.layer]),
  Layer.provideMerge(Layer.mergeAll(HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer)),
  Layer.merge(HttpServer.layerContext)
)

const outcome = (fault: Misfortune, response: HttpServerResponse.HttpServerResponse) =>
  fault.answer !== undefined ? "faulted" : response.status < 400 ? "succeeded" : "refused"

/** Builds the API once. Each call builds its own, so two sandboxes of one program share nothing. */
export const make: Effect.Effect<App, never, Emulator | Scope.Scope> = Effect.gen(function* () {
  const { now, transition } = yield* Emulator
  const context = yield* Layer.build(layer)
  const api = Effect.provide(yield* Effect.provide(HttpApiBuilder.httpApp, context), context).pipe(
    Effect.catchAllCause((cause) =>
      Cause.isInterruptedOnly(cause) ? Effect.failCause(cause) : Effect.succeed(Envelope.respond(500))
    )
  )

  const respond: App = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const methods = routes.get(request.url.replace(/[?#].*$/s, ""))
    const endpoint = methods?.get(request.method)
    if (methods === undefined) return yield* Effect.as(transition(SandboxState.stray), Envelope.respond(404))
    if (endpoint === undefined) {
      const headers = { allow: Array.from(methods.keys()).join(", ") }
      return yield* Effect.as(transition(SandboxState.stray), Envelope.respond(405, { headers }))
    }
    const fault = yield* transition(SandboxState.arrive(endpoint))
    return yield* Befalling.befalling(fault, api).pipe(
      Effect.tap((response) => transition(SandboxState.answer(endpoint, outcome(fault, response)))),
      Effect.tapError(() => transition(SandboxState.answer(endpoint, "faulted")))
    )
  })

  return Effect.gen(function* () {
    const response = yield* respond
    if ("date" in response.headers) return response
    const date = DateTime.toDateUtc(DateTime.unsafeMake(yield* now))
    return HttpServerResponse.setHeader(response, "date", date.toUTCString())
  })
})
