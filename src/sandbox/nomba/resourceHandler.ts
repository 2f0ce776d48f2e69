/** Answers every call under `/v1/` and `/v2/` that is not a token operation. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import type { Resource } from "../config/Resource.js"
import * as RequestContext from "../faults/RequestContext.js"
import * as Envelope from "../http/Envelope.js"
import { pathOf } from "../http/httpApiRoutes.js"
import * as JsonBody from "../http/JsonBody.js"
import { type Call, scopeOf } from "../resources/Ledger.js"
import * as resourceRoutes from "../resources/routes.js"
import { fill } from "../resources/template.js"
import type { EmulatorService } from "../state/Emulator.js"
import * as SandboxState from "../state/SandboxState.js"
import * as bearerMiddleware from "./bearerMiddleware.js"
import { checkRateLimit, Refusal } from "./Refusal.js"

const routes = ({ provided, state }: EmulatorService) =>
  Effect.map(state, ({ resources }) => resourceRoutes.listed(resources, provided))

export const methodsOf = (emulator: EmulatorService, path: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(routes(emulator), (listed) => resourceRoutes.find(listed, "", path).methods)

/** A 404 that lists what there is. */
export const notFound = (emulator: EmulatorService): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(routes(emulator), (listed) =>
    Envelope.respond(404, {
      errors: [
        "the sandbox has no response for this path",
        "add one with the option `resources`, in the --config file, on the page, or with POST /_sandbox/resources",
        ...listed.map(({ method, path }) => `there is: ${method} ${path}`)
      ]
    })
  )

const defaultBody = { code: "00", description: "Success", data: {} }

const respond = (
  { body, headers, status = 200 }: Resource,
  filled: (body: unknown) => unknown
): HttpServerResponse.HttpServerResponse => {
  if (body === undefined && status >= 400) return Envelope.respond(status, headers === undefined ? {} : { headers })
  return Envelope.send(status, filled(body ?? defaultBody), headers)
}

const requiredBody = Effect.mapError(
  JsonBody.readJson,
  ({ code, description, errors }) =>
    new Refusal({ response: Envelope.send(Number(code), { code, description, errors }) })
)

const bodyOf = (definition: resourceRoutes.Definition, method: string) => {
  if (method === "GET") return Effect.succeed(undefined)
  return !("builtIn" in definition) ? Effect.map(Effect.option(JsonBody.readJson), Option.getOrUndefined) : requiredBody
}

export const handle = (
  emulator: EmulatorService
): Effect.Effect<HttpServerResponse.HttpServerResponse, Refusal, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { headers, method } = request
    const { clientId } = yield* bearerMiddleware.sender(emulator, headers)
    if (method === "POST") yield* checkRateLimit(emulator, clientId)
    const switches = yield* emulator.switches
    yield* bearerMiddleware.checkAccount(emulator, switches, headers, clientId)

    // The server leaves the body out of the response to a HEAD request (RFC 9110 section 9.3.2).
    const answered = method === "HEAD" ? "GET" : method
    const { match, methods } = resourceRoutes.find(yield* routes(emulator), answered, pathOf(request))
    if (methods.length === 0) return yield* notFound(emulator)
    if (match === undefined) return Envelope.methodNotAllowed(methods)
    const call: Call = {
      clientId,
      accountId: emulator.businessId(clientId),
      subAccountIds: emulator.settings.clients.get(clientId)?.subAccountIds ?? [],
      path: match.path,
      query: Object.fromEntries(new URLSearchParams(request.url.replace(/^[^?]*\??/, "").replace(/#.*$/s, ""))),
      body: yield* bodyOf(match.definition, answered),
      now: yield* emulator.now,
      uuid: yield* emulator.newIds,
      transferOutcome: switches.transferOutcome
    }
    if ("own" in match.definition) {
      // Not what its body says: that may come from the request, secrets included.
      yield* RequestContext.annotate({ why: "a response of your own" })
      return respond(match.definition.own, (body) => fill(body, scopeOf(call)))
    }
    if ("example" in match.definition) return respond(match.definition.example, identity)
    const { body, status } = yield* emulator.transition(SandboxState.callResource(match.definition.builtIn, call))
    return Envelope.send(status, body)
  })
