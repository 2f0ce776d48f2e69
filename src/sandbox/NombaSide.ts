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
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Accounts from "./Accounts.js"
import * as Authentication from "./Authentication.js"
import * as Authorization from "./Authorization.js"
import { befalling, type ConnectionDropped, named } from "./Befalling.js"
import * as Cors from "./Cors.js"
import { Emulator } from "./Emulator.js"
import * as Envelope from "./Envelope.js"
import type { Misfortune } from "./Fault.js"
import * as JsonBody from "./JsonBody.js"
import { endpointOf, routes, SandboxApi } from "./SandboxApi.js"
import * as SandboxState from "./SandboxState.js"
import * as Served from "./Served.js"
import * as RequestLog from "./state/RequestLog.js"
import * as Visit from "./Visit.js"

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

/** What became of a request, before its circumstances are added. */
type Ending = Pick<RequestLog.Entry, "status" | "outcome" | "why" | "clientId">

const refused = (response: HttpServerResponse.HttpServerResponse, clientId?: string): Ending => ({
  status: response.status,
  outcome: "refused",
  why: Envelope.firstError(response),
  clientId
})

const ending = (fault: Misfortune, response: HttpServerResponse.HttpServerResponse, visit: Visit.Visit): Ending => {
  const { clientId } = visit
  if (fault.answer === undefined && (visit.refused || response.status >= 400)) return refused(response, clientId)
  const outcome = fault.answer === undefined ? "succeeded" : "faulted"
  return { status: response.status, outcome, why: named(fault), clientId }
}

const dropped = (why: string | undefined): Ending => ({ status: "dropped", outcome: "faulted", why })

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
  const { now, settings, transition } = yield* Emulator
  const api = yield* Served.make(layer)
  const secrets = Array.from(settings.clients.values()).flatMap(({ clientSecret }) =>
    clientSecret === undefined ? [] : [Redacted.value(clientSecret)]
  )

  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const preflight = Cors.preflight(routes, request)
    if (Option.isSome(preflight)) return preflight.value
    const at = yield* now
    const found = Served.find(routes, request)
    const endpoint = "name" in found ? endpointOf(found.name) : "other"
    const record = (ending: Ending) =>
      Effect.flatMap(now, (ended) =>
        transition(
          SandboxState.answer({
            at,
            took: Math.max(0, ended - at),
            method: request.method,
            path: RequestLog.pathOf(request.url, secrets),
            endpoint,
            ...ending
          })
        )
      )
    if ("refusal" in found || endpoint === "other") {
      const response = "refusal" in found ? found.refusal : Envelope.respond(404)
      yield* transition(SandboxState.stray)
      yield* record(refused(response))
      return Cors.allow(response)
    }
    const fault = yield* transition(SandboxState.arrive(endpoint, at))
    return yield* Visit.following(befalling(fault, api)).pipe(
      Effect.tap(([response, visit]) => record(ending(fault, response, visit))),
      Effect.map(([response, visit]) => Cors.allow(withQuota(visit)(response))),
      Effect.tapError(() => record(dropped(named(fault)))),
      Effect.onInterrupt(() => record(dropped("the caller left before the answer")))
    )
  })
})
