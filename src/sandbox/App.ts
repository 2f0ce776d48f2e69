/** Routes each request of the sandbox, in process or over a socket: Nomba API, control API, login and pages. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { ControlApi, prefix } from "./control/ControlApi.js"
import * as controlHandlers from "./control/controlHandlers.js"
import { injectFault } from "./faults/FaultInjection.js"
import * as Recording from "./faults/Recording.js"
import * as Envelope from "./http/Envelope.js"
import * as Guard from "./http/Guard.js"
import * as httpApiRoutes from "./http/httpApiRoutes.js"
import { mapResponse, type SandboxApp } from "./http/SandboxApp.js"
import { LoginApi } from "./login/LoginApi.js"
import * as loginHandlers from "./login/loginHandlers.js"
import * as nombaRoutes from "./nomba/nombaRoutes.js"
import { type Page, pages, utilityRoutes } from "./page/Pages.js"
import { Emulator } from "./state/Emulator.js"

const controlRoutes = httpApiRoutes.routesOf(ControlApi)
const loginRoutes = httpApiRoutes.routesOf(LoginApi)

const dated =
  (time: string) =>
  (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
    "date" in response.headers ? response : HttpServerResponse.setHeader(response, "date", time)

const onlyRead = Envelope.methodNotAllowed(["GET", "HEAD"])

const read = (page: Page): SandboxApp =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method }) =>
    method === "GET" || method === "HEAD" ? page : Effect.succeed(onlyRead)
  )

/** Each call builds its own, so that two sandboxes of one program share nothing. */
export const make: Effect.Effect<SandboxApp, never, Emulator | Scope.Scope> = Effect.gen(function* () {
  const emulator = yield* Emulator
  const { now, settings, url } = emulator
  const recorded = Recording.make(emulator)
  const nomba = yield* nombaRoutes.make
  const control = yield* httpApiRoutes.serve(controlHandlers.layer)
  const login = yield* httpApiRoutes.serve(loginHandlers.layer)

  const guardedControl: SandboxApp = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const foreign = Guard.foreignPage(request, yield* url, settings)
    if (Option.isSome(foreign)) return foreign.value
    const found = httpApiRoutes.find(controlRoutes, request)
    return "refusal" in found ? found.refusal : yield* control
  })

  const guardedPage = (page: Page): SandboxApp =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const foreign = Guard.foreignHost(request, yield* url, settings)
      return Option.isSome(foreign) ? foreign.value : yield* read(page)
    })

  const recordedLogin: SandboxApp = Effect.gen(function* () {
    const found = httpApiRoutes.find(loginRoutes, yield* HttpServerRequest.HttpServerRequest)
    const [response] = yield* "refusal" in found
      ? recorded("other", (fault) => injectFault(fault, Effect.succeed(found.refusal)))
      : recorded("authorize", (fault) => injectFault(fault, login))
    return response
  })

  const route = (path: string): SandboxApp => {
    if (loginRoutes.has(path)) return recordedLogin
    if (path === prefix || path.startsWith(`${prefix}/`)) return guardedControl
    const utility = utilityRoutes.get(path)
    if (utility !== undefined) return read(utility)
    const page = pages.get(path)
    return page === undefined ? nomba : guardedPage(page)
  }

  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const date = Effect.map(now, (millis) => DateTime.toDateUtc(DateTime.unsafeMake(millis)).toUTCString())
    return yield* Effect.flatMap(Effect.either(route(httpApiRoutes.pathOf(request))), (outcome) =>
      Effect.flatMap(date, (time) => mapResponse(outcome, dated(time)))
    )
  })
})
