/**
 * From a request to its answer: the Nomba API, the control side behind its guard, and the pages. The same for a request
 * that comes in process and for one that comes over a socket.
 *
 * @since 0.1.0
 */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { AuthorizeApi } from "./authorize/AuthorizeApi.js"
import * as Authorize from "./authorize/Handlers.js"
import type { ConnectionDropped } from "./Befalling.js"
import { ControlApi, prefix } from "./control/ControlApi.js"
import * as Handlers from "./control/Handlers.js"
import { Emulator } from "./Emulator.js"
import * as Envelope from "./Envelope.js"
import * as Guard from "./Guard.js"
import * as NombaSide from "./NombaSide.js"
import { type Page, pages } from "./page/Pages.js"
import * as Recording from "./Recording.js"
import * as Served from "./Served.js"
import { tools } from "./Tools.js"

/** Answers the request in its context. It fails only when a fault breaks the connection. */
export type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  ConnectionDropped,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

const controlRoutes = Served.routes(ControlApi)
const loginRoutes = Served.routes(AuthorizeApi)

const onlyRead = Envelope.respond(405, { headers: { allow: "GET, HEAD" } })

const read = (page: Page): App =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method }) =>
    method === "GET" || method === "HEAD" ? page : Effect.succeed(onlyRead)
  )

/** Builds it once. Each call builds its own, so two sandboxes of one program share nothing. */
export const make: Effect.Effect<App, never, Emulator | Scope.Scope> = Effect.gen(function* () {
  const emulator = yield* Emulator
  const { now, settings, url } = emulator
  const recorded = Recording.make(emulator)
  const nomba = yield* NombaSide.make
  const control = yield* Served.make(Handlers.layer)
  const login = yield* Served.make(Authorize.layer)

  const controlled: App = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const foreign = Guard.foreignPage(request, yield* url, settings)
    if (Option.isSome(foreign)) return foreign.value
    const found = Served.find(controlRoutes, request)
    return "refusal" in found ? found.refusal : yield* control
  })

  const shown = (page: Page): App =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const foreign = Guard.foreignHost(request, yield* url, settings)
      return Option.isSome(foreign) ? foreign.value : yield* read(page)
    })

  const respond: App = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const path = Served.pathOf(request)
    if (loginRoutes.has(path)) {
      const found = Served.find(loginRoutes, request)
      const answer =
        "refusal" in found ? recorded("other", () => Effect.succeed(found.refusal)) : recorded("authorize", () => login)
      return Effect.map(answer, ([response]) => response)
    }
    if (path === prefix || path.startsWith(`${prefix}/`)) return controlled
    const tool = tools.get(path)
    if (tool !== undefined) return read(tool)
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
