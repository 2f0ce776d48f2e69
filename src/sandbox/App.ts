/**
 * From a request to its answer: the Nomba API, the control side behind its guard, and the pages. The same for a request
 * that comes in process and for one that comes over a socket.
 */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { ControlApi, prefix } from "./control/ControlApi.js"
import * as Handlers from "./control/controlHandlers.js"
import * as Recording from "./faults/Recording.js"
import * as Envelope from "./http/Envelope.js"
import * as Guard from "./http/Guard.js"
import * as httpApiRoutes from "./http/httpApiRoutes.js"
import type { SandboxApp } from "./http/SandboxApp.js"
import { LoginApi } from "./login/LoginApi.js"
import * as loginHandlers from "./login/loginHandlers.js"
import * as nombaRoutes from "./nomba/nombaRoutes.js"
import { type Page, pages, utilityRoutes } from "./page/Pages.js"
import { Emulator } from "./state/Emulator.js"

const controlRoutes = httpApiRoutes.routesOf(ControlApi)
const loginRoutes = httpApiRoutes.routesOf(LoginApi)

const onlyRead = Envelope.respond(405, { headers: { allow: "GET, HEAD" } })

const read = (page: Page): SandboxApp =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method }) =>
    method === "GET" || method === "HEAD" ? page : Effect.succeed(onlyRead)
  )

/** Builds it once. Each call builds its own, so two sandboxes of one program share nothing. */
export const make: Effect.Effect<SandboxApp, never, Emulator | Scope.Scope> = Effect.gen(function* () {
  const emulator = yield* Emulator
  const { now, settings, url } = emulator
  const recorded = Recording.make(emulator)
  const nomba = yield* nombaRoutes.make
  const control = yield* httpApiRoutes.serve(Handlers.layer)
  const login = yield* httpApiRoutes.serve(loginHandlers.layer)

  const controlled: SandboxApp = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const foreign = Guard.foreignPage(request, yield* url, settings)
    if (Option.isSome(foreign)) return foreign.value
    const found = httpApiRoutes.find(controlRoutes, request)
    return "refusal" in found ? found.refusal : yield* control
  })

  const shown = (page: Page): SandboxApp =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const foreign = Guard.foreignHost(request, yield* url, settings)
      return Option.isSome(foreign) ? foreign.value : yield* read(page)
    })

  const respond: SandboxApp = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const path = httpApiRoutes.pathOf(request)
    if (loginRoutes.has(path)) {
      const found = httpApiRoutes.find(loginRoutes, request)
      const answer =
        "refusal" in found ? recorded("other", () => Effect.succeed(found.refusal)) : recorded("authorize", () => login)
      return Effect.map(answer, ([response]) => response)
    }
    if (path === prefix || path.startsWith(`${prefix}/`)) return controlled
    const utility = utilityRoutes.get(path)
    if (utility !== undefined) return read(utility)
    const page = pages.get(path)
    return page === undefined ? nomba : shown(page)
  })

  return Effect.gen(function* () {
    const response = yield* respond
    if ("date" in response.headers) return response
    const date = DateTime.toDateUtc(DateTime.unsafeMake(yield* now))
    return HttpServerResponse.setHeader(response, "date", date.toUTCString())
  })
})
