/** The Nomba API of the sandbox: token operations, resources, faults, counters and the log. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Counted } from "../config/operations.js"
import { injectFault } from "../faults/FaultInjection.js"
import * as Recording from "../faults/Recording.js"
import * as RequestContext from "../faults/RequestContext.js"
import * as Cors from "../http/Cors.js"
import * as Envelope from "../http/Envelope.js"
import * as httpApiRoutes from "../http/httpApiRoutes.js"
import * as JsonBody from "../http/JsonBody.js"
import { mapResponse, type SandboxApp } from "../http/SandboxApp.js"
import { Emulator } from "../state/Emulator.js"
import * as bearerMiddleware from "./bearerMiddleware.js"
import { catchRefusals } from "./Refusal.js"
import * as resourceHandler from "./resourceHandler.js"
import { operationOf, routes, SandboxApi } from "./SandboxApi.js"
import * as tokenHandlers from "./tokenHandlers.js"

const layer = HttpApiBuilder.api(SandboxApi).pipe(
  Layer.provide(tokenHandlers.layer),
  Layer.provide([bearerMiddleware.layer, JsonBody.layer])
)

type Response = HttpServerResponse.HttpServerResponse

const withQuota =
  ({ quota }: RequestContext.RequestContext) =>
  (response: Response): Response =>
    quota === undefined
      ? response
      : HttpServerResponse.setHeaders(response, {
          "x-rate-limit-limit": String(quota.limit),
          "x-rate-limit-remaining": String(quota.remaining),
          "x-rate-limit-window": quota.window
        })

/** RFC 6749 section 5.1: a response with a token must not be cached. A fault may set another value. */
const withoutCache = (response: Response): Response =>
  "cache-control" in response.headers ? response : HttpServerResponse.setHeader(response, "cache-control", "no-store")

/** It lists nothing: any web page can ask for it, without a token. */
const outside = Envelope.respond(404, {
  errors: ["the sandbox has no response for this path", "the Nomba API is under /v1/ and /v2/; GET /docs describes it"]
})

const isApiPath = (path: string): boolean => /^\/v[12]\//.test(path)

/** Builds the Nomba API. A response fails only if a fault resets the connection. */
export const make: Effect.Effect<SandboxApp, never, Emulator | Scope.Scope> = Effect.gen(function* () {
  const emulator = yield* Emulator
  const recorded = Recording.make(emulator)
  const tokenApi = yield* httpApiRoutes.serve(layer)

  /** What a request counts as, and how it is processed. */
  const route = (
    request: HttpServerRequest.HttpServerRequest
  ): readonly [Counted, Effect.Effect<Response, never, HttpServerRequest.HttpServerRequest | Scope.Scope>] => {
    const path = httpApiRoutes.pathOf(request)
    const methods = routes.get(path)
    if (methods === undefined) {
      return isApiPath(path)
        ? ["resource", catchRefusals(resourceHandler.handle(emulator))]
        : ["other", Effect.succeed(outside)]
    }
    const endpoint = methods.get(request.method)
    if (endpoint === undefined) {
      return ["other", Effect.succeed(Envelope.methodNotAllowed(methods.keys()))]
    }
    const operation = operationOf(endpoint)
    const checked =
      operation === "revoke"
        ? catchRefusals(Effect.zipRight(bearerMiddleware.senderOfRevoke(emulator, request.headers), tokenApi))
        : tokenApi
    return [operation, checked]
  }

  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const path = httpApiRoutes.pathOf(request)
    const methods = [...(routes.get(path)?.keys() ?? (yield* resourceHandler.methodsOf(emulator, path)))]
    const preflight = Cors.preflight(methods, request)
    if (Option.isSome(preflight)) return preflight.value
    const [counted, process] = route(request)
    const withHeaders = Effect.zipWith(process, RequestContext.current, (response, context) =>
      withQuota(context)(response)
    )
    const answered = Effect.map(
      recorded(counted, (fault) => injectFault(fault, withHeaders)),
      ([response, context]) => withQuota(context)(response)
    )
    const isTokenPath = path.startsWith("/v1/auth/token/")
    return yield* mapResponse(answered, (response) => {
      const readable = Cors.allow(response)
      return isTokenPath ? withoutCache(readable) : readable
    })
  })
})
