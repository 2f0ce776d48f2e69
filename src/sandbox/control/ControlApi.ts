/** The control side of the sandbox over HTTP, under the prefix `/_sandbox`. */
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
import { SwitchesPatch, SwitchesView } from "../config/Switches.js"
import { mustBe } from "../config/validationMessages.js"
import { ReadJson } from "../http/JsonBody.js"
import { CountersView, Endpoint, FaultsView, RequestView, SessionView, StateView } from "./Views.js"

/** Where the control side is. */
export const prefix = "/_sandbox"

/** A 403: asked by another page, or under a foreign name. */
export class Foreign extends Data.TaggedError("Foreign")<typeof ErrorResponse.Type> {}

/** A 404: no such client. */
export class NoSuchClient extends Data.TaggedError("NoSuchClient")<typeof ErrorResponse.Type> {}

/** A 409: the client has no session. */
export class NoSession extends Data.TaggedError("NoSession")<typeof ErrorResponse.Type> {}

const malformed = failure(BadRequest, { status: 400, description: "The body is not what the operation takes." })
const unknownClient = failure(NoSuchClient, { status: 404, description: "No client of that id was configured." })
const withoutSession = failure(NoSession, { status: 409, description: "The client has no session." })

const about = (summary: string, description: string) => OpenApi.annotations({ summary, description })

const clientId = Schema.optional(
  Schema.String.annotations({ description: "Whose sessions. Default: those of the first client." })
)

/** Which token is to die of age. */
export const ExpirePayload = Schema.Struct({
  token: Schema.Literal("access", "refresh").annotations({
    description: "Which token dies of age now.",
    ...mustBe("access or refresh")
  }),
  clientId
})

/** Whose sessions are meant. */
export const ClientPayload = Schema.Struct({ clientId })

/** How the clock is moved. */
export const ClockPayload = Schema.Union(
  Schema.Struct({
    advance: durationThat((millis) => Number.isFinite(millis), "a duration", { description: "How far ahead it jumps." })
  }),
  Schema.Struct({ set: Schema.DateTimeUtc.annotations({ description: "What time it is now." }) })
).annotations({
  description: "Either of the two.",
  ...mustBe("either advance, a duration, or set, a time such as 2030-01-01T00:00:00Z")
})

/** Which operation meets which fault. */
export const FaultPayload = Schema.Struct({ endpoint: Endpoint, fault: Fault })

const Now = Schema.Struct({ now: Schema.DateTimeUtc.annotations({ description: "The sandbox's time." }) })

const look = HttpApiGroup.make("look", { topLevel: true })
  .add(
    HttpApiEndpoint.get("getState", "/state")
      .addSuccess(StateView)
      .annotateContext(about("See everything", "All that can be seen of the sandbox, at one moment."))
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
          "Follow everything",
          "Server-sent events: the state at once, and whenever it changed, at most ten a second."
        )
      )
  )
  .add(
    HttpApiEndpoint.get("getSessions", "/sessions")
      .addSuccess(Schema.Array(SessionView))
      .annotateContext(about("See the sessions", "Every session that is alive, with its secrets masked."))
  )
  .add(
    HttpApiEndpoint.get("getCounters", "/counters")
      .addSuccess(CountersView)
      .annotateContext(about("See the counters", "What became of the requests to each operation."))
  )
  .add(
    HttpApiEndpoint.get("getRequests", "/requests")
      .addSuccess(Schema.Array(RequestView))
      .annotateContext(about("See the requests", "The last 200 requests to the Nomba API, the newest first."))
  )
  .add(
    HttpApiEndpoint.get("getSwitches", "/switches")
      .addSuccess(SwitchesView)
      .annotateContext(about("See the switches", "How the sandbox behaves at the moment."))
  )
  .add(
    HttpApiEndpoint.get("getControlDocument", "/openapi.json")
      .addSuccess(Schema.Unknown.annotations({ jsonSchema: { type: "object" }, description: "An OpenAPI document." }))
      .annotateContext(about("See this document", "The OpenAPI of the control side."))
  )
  .annotateContext(OpenApi.annotations({ title: "Look", description: "What the sandbox holds and has done." }))

const act = HttpApiGroup.make("act", { topLevel: true })
  .add(
    HttpApiEndpoint.post("addFault", "/faults")
      .setPayload(FaultPayload)
      .addSuccess(FaultsView)
      .addError(malformed)
      .middleware(ReadJson)
      .annotateContext(about("Order a fault", "The next requests to an operation meet it; several wait in line."))
  )
  .add(
    HttpApiEndpoint.del("clearFaults", "/faults")
      .addSuccess(FaultsView)
      .annotateContext(about("Call the faults off", "None waits any longer."))
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
          "Let a token expire",
          "It dies of age now, whatever lifetime it was given; by the sandbox's clock, so it lives again where that is set back."
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
      .annotateContext(about("Revoke a client's sessions", "As if somebody had revoked them at Nomba."))
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
          "Let somebody else log in",
          "With the client's own credentials, which kills its session if singleSession is on."
        )
      )
  )
  .add(
    HttpApiEndpoint.post("moveClock", "/clock")
      .setPayload(ClockPayload)
      .addSuccess(Now)
      .addError(malformed)
      .middleware(ReadJson)
      .annotateContext(about("Move the clock", "It goes on from there. The machine's own clock is left alone."))
  )
  .add(
    HttpApiEndpoint.patch("setSwitches", "/switches")
      .setPayload(SwitchesPatch)
      .addSuccess(SwitchesView)
      .addError(malformed)
      .middleware(ReadJson)
      .annotateContext(about("Turn switches", "Those that are named change, for every request from now on."))
  )
  .add(
    HttpApiEndpoint.post("reset", "/reset")
      .addSuccess(StateView)
      .annotateContext(
        about("Start over", "Sessions, faults, counters, log, clock and switches are what they were when it began.")
      )
  )
  .annotateContext(OpenApi.annotations({ title: "Act", description: "What can be done to the sandbox." }))

// Platform adds its own decode error to every 400, which the sandbox never answers.

const platforms: ReadonlyArray<string> = ["HttpApiDecodeError", "Issue", "PropertyKey"]

const isPlatforms = (node: unknown): boolean =>
  Predicate.hasProperty(node, "$ref") && node.$ref === "#/components/schemas/HttpApiDecodeError"

/** A response that is nothing but platform's decode error. */
const isDecodeError = (node: unknown): boolean =>
  Predicate.hasProperty(node, "content") &&
  Predicate.hasProperty(node.content, "application/json") &&
  Predicate.hasProperty(node.content["application/json"], "schema") &&
  isPlatforms(node.content["application/json"].schema)

const isRepeated = (node: unknown, index: number, nodes: ReadonlyArray<unknown>): boolean =>
  nodes.findIndex((other) => JSON.stringify(other) === JSON.stringify(node)) < index

/** The document without platform's decode error, and without an alternative that is there twice. */
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
 * The control side of the sandbox: `HttpApiClient.make(ControlApi, { baseUrl: sandbox.url })` drives one. It refuses a
 * `Host` or `Origin` that is not the sandbox's own with a 403, so that no web page elsewhere can drive it.
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
      title: "nomba-auth sandbox: control",
      version: "1.0.0",
      description: "Looks into the sandbox, and does to it what happens to a client in life.",
      transform: (document) => withoutDecodeError(document) as typeof document
    })
  ) {}
