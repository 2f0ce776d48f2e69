/** The control API of the sandbox, under `/_sandbox`. */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Data from "effect/Data"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { BadRequest, type ErrorResponse, failure } from "../../schemas/NombaApi.js"
import { durationThat } from "../config/DurationInput.js"
import { Fault } from "../config/Fault.js"
import { Resource } from "../config/Resource.js"
import { SwitchesPatch, SwitchesView } from "../config/Switches.js"
import { mustBe } from "../config/validationMessages.js"
import { ReadJson } from "../http/JsonBody.js"
import { CountersView, FaultsView, RequestView, ResourcesView, SessionView, StateView, Target } from "./Views.js"

export const prefix = "/_sandbox"

/** A 403: another page, or a foreign host name. */
export class Foreign extends Data.TaggedError("Foreign")<typeof ErrorResponse.Type> {}

export class NoSuchClient extends Data.TaggedError("NoSuchClient")<typeof ErrorResponse.Type> {}

export class NoSession extends Data.TaggedError("NoSession")<typeof ErrorResponse.Type> {}

const malformed = failure(BadRequest, { status: 400, description: "The body is not what the operation takes." })
const unknownClient = failure(NoSuchClient, { status: 404, description: "No client of that id was configured." })
const withoutSession = failure(NoSession, { status: 409, description: "The client has no session." })

const about = (summary: string, description: string) => OpenApi.annotations({ summary, description })

const clientId = Schema.optional(
  Schema.String.annotations({ description: "Whose sessions. Default: the first client's." })
)

export const ExpirePayload = Schema.Struct({
  token: Schema.Literal("access", "refresh").annotations({
    description: "Which token expires now.",
    ...mustBe("access or refresh")
  }),
  clientId
})

export const ClientPayload = Schema.Struct({ clientId })

export const ClockPayload = Schema.Union(
  Schema.Struct({
    advance: durationThat((millis) => Number.isFinite(millis), "a duration", {
      description: "How far the clock moves ahead."
    })
  }),
  Schema.Struct({ set: Schema.DateTimeUtc.annotations({ description: "The new time." }) })
).annotations({
  description: "Either of the two.",
  ...mustBe("either advance, a duration, or set, a time such as 2030-01-01T00:00:00Z")
})

export const FaultPayload = Schema.Struct({ target: Target, fault: Fault })

const Now = Schema.Struct({ now: Schema.DateTimeUtc.annotations({ description: "The sandbox's time." }) })

const getResources = HttpApiEndpoint.get("getResources", "/resources")
  .addSuccess(ResourcesView)
  .annotateContext(about("List the responses", "The calls that the sandbox has a response for."))

const look = HttpApiGroup.make("look", { topLevel: true })
  .add(
    HttpApiEndpoint.get("getState", "/state")
      .addSuccess(StateView)
      .annotateContext(about("Read the state", "The whole state of the sandbox."))
  )
  .add(
    HttpApiEndpoint.get("getEvents", "/events")
      .addSuccess(
        Schema.String.annotations({ description: "Events named `state`, each with what `/state` answers." }).pipe(
          HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/event-stream" })
        )
      )
      .annotateContext(
        about(
          "Follow the state",
          "Server-sent events: the state at once, and whenever it changed, at most ten a second."
        )
      )
  )
  .add(
    HttpApiEndpoint.get("getSessions", "/sessions")
      .addSuccess(Schema.Array(SessionView))
      .annotateContext(about("List the sessions", "All sessions, with their secrets masked."))
  )
  .add(
    HttpApiEndpoint.get("getCounters", "/counters")
      .addSuccess(CountersView)
      .annotateContext(about("Read the counters", "The requests to each operation and their outcomes."))
  )
  .add(
    HttpApiEndpoint.get("getRequests", "/requests")
      .addSuccess(Schema.Array(RequestView))
      .annotateContext(about("List the requests", "The last 200 requests to the Nomba API, the newest first."))
  )
  .add(
    HttpApiEndpoint.get("getSwitches", "/switches")
      .addSuccess(SwitchesView)
      .annotateContext(about("Read the switches", "How the sandbox behaves."))
  )
  .add(getResources)
  .add(
    HttpApiEndpoint.get("getControlDocument", "/openapi.json")
      .addSuccess(Schema.Unknown.annotations({ jsonSchema: { type: "object" }, description: "An OpenAPI document." }))
      .annotateContext(about("Read this document", "The OpenAPI document of the control API."))
  )
  .annotateContext(OpenApi.annotations({ title: "Read", description: "What the sandbox holds and has done." }))

const act = HttpApiGroup.make("act", { topLevel: true })
  .add(
    HttpApiEndpoint.post("addFault", "/faults")
      .setPayload(FaultPayload)
      .addSuccess(FaultsView)
      .addError(malformed)
      .middleware(ReadJson)
      .annotateContext(about("Add a fault", "It applies to the next requests to its target. Up to 64 can be queued."))
  )
  .add(
    HttpApiEndpoint.del("clearFaults", "/faults")
      .addSuccess(FaultsView)
      .annotateContext(about("Clear all faults", "No fault is left."))
  )
  .add(
    HttpApiEndpoint.post("addResource", "/resources")
      .setPayload(Resource)
      .addSuccess(ResourcesView)
      .addError(malformed)
      .middleware(ReadJson)
      .annotateContext(about("Add a response", "It replaces one of the same method and path."))
  )
  .add(
    HttpApiEndpoint.del("clearResources", "/resources")
      .addSuccess(ResourcesView)
      .annotateContext(about("Remove all added responses", "The built-in ones stay."))
  )
  .add(
    HttpApiEndpoint.post("expireSession", "/sessions/expire")
      .setPayload(ExpirePayload)
      .addSuccess(Schema.Array(SessionView))
      .addError(malformed)
      .addError(unknownClient)
      .addError(withoutSession)
      .middleware(ReadJson)
      .annotateContext(
        about(
          "Expire a token",
          "It expires now, by the sandbox's clock. If the clock is set back, the token is valid again."
        )
      )
  )
  .add(
    HttpApiEndpoint.post("revokeSession", "/sessions/revoke")
      .setPayload(ClientPayload)
      .addSuccess(Schema.Array(SessionView))
      .addError(malformed)
      .addError(unknownClient)
      .addError(withoutSession)
      .middleware(ReadJson)
      .annotateContext(about("Revoke a client's sessions", "Its tokens are invalid from now on."))
  )
  .add(
    HttpApiEndpoint.post("stealSession", "/sessions/steal")
      .setPayload(ClientPayload)
      .addSuccess(Schema.Array(SessionView))
      .addError(malformed)
      .addError(unknownClient)
      .middleware(ReadJson)
      .annotateContext(
        about(
          "Simulate another login",
          "With the client's own credentials. It ends the client's session if singleSession is on."
        )
      )
  )
  .add(
    HttpApiEndpoint.post("moveClock", "/clock")
      .setPayload(ClockPayload)
      .addSuccess(Now)
      .addError(malformed)
      .middleware(ReadJson)
      .annotateContext(about("Set the clock", "It runs on from there. The machine's own clock does not change."))
  )
  .add(
    HttpApiEndpoint.patch("setSwitches", "/switches")
      .setPayload(SwitchesPatch)
      .addSuccess(SwitchesView)
      .addError(malformed)
      .middleware(ReadJson)
      .annotateContext(about("Change switches", "The given ones change, for every request from now on."))
  )
  .add(
    HttpApiEndpoint.post("reset", "/reset")
      .addSuccess(StateView)
      .annotateContext(about("Reset", "Everything returns to its state at the start."))
  )
  .annotateContext(OpenApi.annotations({ title: "Control", description: "What can be changed." }))

// Platform adds its own decode error to every 400, which the sandbox never answers.

const platforms: ReadonlyArray<string> = ["HttpApiDecodeError", "Issue", "PropertyKey"]

const isPlatforms = (node: unknown): boolean =>
  Predicate.hasProperty(node, "$ref") && node.$ref === "#/components/schemas/HttpApiDecodeError"

const isDecodeError = (node: unknown): boolean =>
  Predicate.hasProperty(node, "content") &&
  Predicate.hasProperty(node.content, "application/json") &&
  Predicate.hasProperty(node.content["application/json"], "schema") &&
  isPlatforms(node.content["application/json"].schema)

const isRepeated = (node: unknown, index: number, nodes: ReadonlyArray<unknown>): boolean =>
  nodes.findIndex((other) => JSON.stringify(other) === JSON.stringify(node)) < index

/** Removes platform's decode error, and alternatives that occur twice. */
const withoutDecodeError = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(withoutDecodeError)
  if (!Predicate.isRecord(node)) return node
  const { anyOf, ...rest } = Object.fromEntries(
    Object.entries(node)
      .filter(([key, value]) => !platforms.includes(key) && !isDecodeError(value))
      .map(([key, value]) => [key, withoutDecodeError(value)])
  )
  if (!Array.isArray(anyOf)) return rest
  const left = anyOf.filter((one, index) => !isPlatforms(one) && !isRepeated(one, index, anyOf))
  return left.length === 1 ? { ...rest, ...left[0] } : { ...rest, anyOf: left }
}

/**
 * The control API of a sandbox: `HttpApiClient.make(ControlApi, { baseUrl: sandbox.url })`. A `Host` or `Origin` that is not
 * the sandbox's own gets a 403, so that no other web page can control it.
 *
 * @since 0.1.0
 * @category contract
 */
export class ControlApi extends HttpApi.make("control")
  .add(look)
  .add(act)
  .addError(failure(Foreign, { status: 403, description: "The Host or the Origin is not the sandbox's own." }))
  .prefix(prefix)
  .annotateContext(
    OpenApi.annotations({
      title: "nomba-auth sandbox: control API",
      version: "1.0.0",
      description: "Reads and changes the state of the sandbox.",
      transform: (document) => withoutDecodeError(document) as typeof document
    })
  ) {}
