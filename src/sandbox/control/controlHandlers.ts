/** The handlers of the control API. */
import type * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { BadRequest, type ErrorResponse } from "../../schemas/NombaApi.js"
import type { FaultTarget } from "../config/operations.js"
import { Resource } from "../config/Resource.js"
import type { SandboxError } from "../config/SandboxError.js"
import * as JsonBody from "../http/JsonBody.js"
import { provided } from "../resources/routes.js"
import { Emulator, type EmulatorService } from "../state/Emulator.js"
import { ClientPayload, ClockPayload, ControlApi, ExpirePayload, NoSession, NoSuchClient } from "./ControlApi.js"
import * as Controls from "./Controls.js"
import * as Views from "./Views.js"

const envelope = (code: string, { issues }: SandboxError): typeof ErrorResponse.Type => ({
  code,
  description: "Invalid request",
  errors: issues
})

const malformed = (error: SandboxError): BadRequest => new BadRequest(envelope("400", error))

const unknownClient = (error: SandboxError): BadRequest | NoSuchClient =>
  error.reason === "Client" ? new NoSuchClient(envelope("404", error)) : malformed(error)

const withoutSession = (error: SandboxError): BadRequest | NoSuchClient | NoSession =>
  error.reason === "Session" ? new NoSession(envelope("409", error)) : unknownClient(error)

/** `controls.fault` checks both itself. */
const FaultRequest = Schema.Struct({ target: Schema.String, fault: Schema.Object })

/** Unknown members are rejected: a typo would change what is done, or to which client. */
const read = <A, I>(schema: Schema.Schema<A, I>): Effect.Effect<A, BadRequest, JsonBody.JsonBody> =>
  JsonBody.decode(schema, { onExcessProperty: "error" })

const resourcesOf = ({ settings, state }: EmulatorService) =>
  Effect.map(state, ({ resources }) => ({
    own: resources,
    builtIn: provided({ ...settings, examples: [] }).map(({ method, path }) => ({ method, path }))
  }))

const encodeState = Schema.encode(Schema.parseJson(Views.StateView))

const look = HttpApiBuilder.group(ControlApi, "look", (handlers) =>
  Effect.gen(function* () {
    const emulator = yield* Emulator
    const { counts, switches, view, views } = Controls.make(emulator)
    const events = views.pipe(
      Stream.mapEffect((state) => Effect.orDie(encodeState(state))),
      Stream.map((json) => `event: state\ndata: ${json}\n\n`),
      Stream.encodeText
    )
    return handlers
      .handle("getState", () => view)
      .handleRaw("getEvents", () =>
        HttpServerResponse.stream(events, {
          contentType: "text/event-stream",
          headers: { "cache-control": "no-store" }
        })
      )
      .handle("getSessions", () => Effect.map(emulator.state, Views.sessionViews))
      .handle("getCounters", () => counts)
      .handle("getRequests", () => Effect.map(emulator.state, ({ log }) => Views.requestViews(log)))
      .handle("getSwitches", () => switches)
      .handle("getResources", () => resourcesOf(emulator))
      .handle("getControlDocument", () => Effect.sync(() => OpenApi.fromApi(ControlApi)))
  })
)

const act = HttpApiBuilder.group(ControlApi, "act", (handlers) =>
  Effect.gen(function* () {
    const emulator = yield* Emulator
    const controls = Controls.make(emulator)
    const sessions = Effect.map(emulator.state, Views.sessionViews)
    const faults = Effect.zipWith(emulator.state, emulator.now, Views.faultsView)
    const resources = resourcesOf(emulator)
    return handlers
      .handleRaw("addFault", () =>
        Effect.gen(function* () {
          const { fault, target } = yield* read(FaultRequest)
          yield* Effect.mapError(controls.fault(target as FaultTarget, fault), malformed)
          return yield* faults
        })
      )
      .handleRaw("addResource", () =>
        Effect.gen(function* () {
          const resource = yield* read(Resource)
          yield* Effect.mapError(controls.respond(resource), malformed)
          return yield* resources
        })
      )
      .handle("clearResources", () => Effect.zipRight(controls.clearResponses, resources))
      .handle("clearFaults", () => Effect.zipRight(controls.clearFaults, faults))
      .handleRaw("expireSession", () =>
        Effect.gen(function* () {
          const { clientId, token } = yield* read(ExpirePayload)
          yield* Effect.mapError(controls.expire(token, clientId), withoutSession)
          return yield* sessions
        })
      )
      .handleRaw("revokeSession", () =>
        Effect.gen(function* () {
          const { clientId } = yield* read(ClientPayload)
          yield* Effect.mapError(controls.revoke(clientId), withoutSession)
          return yield* sessions
        })
      )
      .handleRaw("stealSession", () =>
        Effect.gen(function* () {
          const { clientId } = yield* read(ClientPayload)
          yield* Effect.mapError(controls.steal(clientId), unknownClient)
          return yield* sessions
        })
      )
      .handleRaw("moveClock", () =>
        Effect.gen(function* () {
          const move = yield* read(ClockPayload)
          const moved = "advance" in move ? controls.advance(move.advance) : controls.setTime(move.set)
          return { now: yield* Effect.mapError(moved, malformed) }
        })
      )
      .handleRaw("setSwitches", () =>
        Effect.flatMap(JsonBody.decode(Schema.Object), (switches) =>
          Effect.mapError(controls.configure(switches), malformed)
        )
      )
      .handle("reset", () => Effect.zipRight(controls.reset, controls.view))
  })
)

export const layer: Layer.Layer<HttpApi.Api, never, Emulator> = HttpApiBuilder.api(ControlApi).pipe(
  Layer.provide([look, act]),
  Layer.provide(JsonBody.layer)
)
