/** Serves an `HttpApi`, and finds its routes. */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpServer from "@effect/platform/HttpServer"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Envelope from "./Envelope.js"

/** The names of endpoints by path and method. */
export type Routes = ReadonlyMap<string, ReadonlyMap<string, string>>

export const routesOf = <Id extends string, Groups extends HttpApiGroup.HttpApiGroup.Any, E, R>(
  api: HttpApi.HttpApi<Id, Groups, E, R>
): Routes => {
  const table = new Map<string, Map<string, string>>()
  HttpApi.reflect(api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint: { method, name, path } }) => {
      table.set(path, (table.get(path) ?? new Map<string, string>()).set(method, name))
    }
  })
  return table
}

export const pathOf = ({ url }: HttpServerRequest.HttpServerRequest): string => url.replace(/[?#].*$/s, "")

/** The endpoint of a request, or a 404 or 405. */
export const find = (
  routes: Routes,
  request: HttpServerRequest.HttpServerRequest
): { readonly name: string } | { readonly refusal: HttpServerResponse.HttpServerResponse } => {
  const methods = routes.get(pathOf(request))
  if (methods === undefined) return { refusal: Envelope.respond(404) }
  const name = methods.get(request.method)
  return name === undefined ? { refusal: Envelope.methodNotAllowed(methods.keys()) } : { name }
}

export type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  never,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

/** Each call builds its own, so that two sandboxes of one program share nothing. */
export const serve = <R>(api: Layer.Layer<HttpApi.Api, never, R>): Effect.Effect<App, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      api.pipe(
        Layer.provideMerge(Layer.mergeAll(HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer)),
        Layer.merge(HttpServer.layerContext)
      )
    )
    return Effect.provide(yield* Effect.provide(HttpApiBuilder.httpApp, context), context).pipe(
      Effect.catchAllCause((cause) =>
        Cause.isInterruptedOnly(cause) ? Effect.failCause(cause) : Effect.succeed(Envelope.respond(500))
      )
    )
  })
