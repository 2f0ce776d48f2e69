/** The Nomba API of the sandbox, from a request to its answer: faults, counts, the log, and the API itself. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { injectFault } from "../faults/FaultInjection.js"
import * as Recording from "../faults/Recording.js"
import type * as RequestContext from "../faults/RequestContext.js"
import * as Cors from "../http/Cors.js"
import * as httpApiRoutes from "../http/httpApiRoutes.js"
import * as JsonBody from "../http/JsonBody.js"
import type { SandboxApp } from "../http/SandboxApp.js"
import { Emulator } from "../state/Emulator.js"
import * as Accounts from "./Accounts.js"
import * as bearerMiddleware from "./bearerMiddleware.js"
import { endpointOf, routes, SandboxApi } from "./SandboxApi.js"
import * as tokenHandlers from "./tokenHandlers.js"

const layer = HttpApiBuilder.api(SandboxApi).pipe(
  Layer.provide([tokenHandlers.layer, Accounts.layer]),
  Layer.provide([bearerMiddleware.layer, JsonBody.layer])
)

const withQuota =
  ({ quota }: RequestContext.RequestContext) =>
  (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
    quota === undefined
      ? response
      : HttpServerResponse.setHeaders(response, {
          "x-rate-limit-limit": String(quota.limit),
          "x-rate-limit-remaining": String(quota.remaining),
          "x-rate-limit-window": quota.window
        })

/** RFC 6749 section 5.1: what carries a token must not be stored. A fault may say otherwise. */
const withoutCache = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  "cache-control" in response.headers ? response : HttpServerResponse.setHeader(response, "cache-control", "no-store")

/** Builds the Nomba API. It fails only when a fault breaks the connection. */
export const make: Effect.Effect<SandboxApp, never, Emulator | Scope.Scope> = Effect.gen(function* () {
  const recorded = Recording.make(yield* Emulator)
  const api = yield* httpApiRoutes.serve(layer)

  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const preflight = Cors.preflight(routes, request)
    if (Option.isSome(preflight)) return preflight.value
    const found = httpApiRoutes.find(routes, request)
    const [response, context] =
      "refusal" in found
        ? yield* recorded("other", () => Effect.succeed(found.refusal))
        : yield* recorded(endpointOf(found.name), (fault) => injectFault(fault, api))
    const answer = Cors.allow(withQuota(context)(response))
    return httpApiRoutes.pathOf(request).startsWith("/v1/auth/token/") ? withoutCache(answer) : answer
  })
})
