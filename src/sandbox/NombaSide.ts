/**
 * The Nomba API of the sandbox, from a request to its answer: faults, counts, the log, and the API itself.
 *
 * @since 0.1.0
 */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Accounts from "./Accounts.js"
import * as Authentication from "./Authentication.js"
import * as Authorization from "./Authorization.js"
import { befalling, type ConnectionDropped } from "./Befalling.js"
import * as Cors from "./Cors.js"
import { Emulator } from "./Emulator.js"
import * as JsonBody from "./JsonBody.js"
import * as Recording from "./Recording.js"
import { endpointOf, routes, SandboxApi } from "./SandboxApi.js"
import * as Served from "./Served.js"
import type * as Visit from "./Visit.js"

const layer = HttpApiBuilder.api(SandboxApi).pipe(
  Layer.provide([Authentication.layer, Accounts.layer]),
  Layer.provide([Authorization.layer, JsonBody.layer])
)

const withQuota =
  ({ quota }: Visit.Visit) =>
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
export const make: Effect.Effect<
  Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    ConnectionDropped,
    HttpServerRequest.HttpServerRequest | Scope.Scope
  >,
  never,
  Emulator | Scope.Scope
> = Effect.gen(function* () {
  const recorded = Recording.make(yield* Emulator)
  const api = yield* Served.make(layer)

  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const preflight = Cors.preflight(routes, request)
    if (Option.isSome(preflight)) return preflight.value
    const found = Served.find(routes, request)
    const [response, visit] =
      "refusal" in found
        ? yield* recorded("other", () => Effect.succeed(found.refusal))
        : yield* recorded(endpointOf(found.name), (fault) => befalling(fault, api))
    const answer = Cors.allow(withQuota(visit)(response))
    return Served.pathOf(request).startsWith("/v1/auth/token/") ? withoutCache(answer) : answer
  })
})
