/**
 * Misfortunes on demand: what a client has to survive and a well-behaved server never shows it.
 *
 * @since 0.1.0
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Envelope from "./Envelope.js"
import { SandboxError } from "./SandboxError.js"

/**
 * An answer in place of the one the request deserves.
 *
 * @since 0.1.0
 * @category models
 */
export interface FaultyAnswer {
  /** 200 to 599. */
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Text is sent as it is, anything else as JSON. Default: an envelope that repeats the status. */
  readonly body?: unknown
}

/**
 * What happens to the next requests to one operation. The members combine: `{ latency: "2 seconds", answer: { status:
 * 503 } }` is a slow 503.
 *
 * | fault | the request | the caller gets |
 * |---|---|---|
 * | `{ latency }` | is processed at once | its answer, late |
 * | `{ answer: { status: 503 } }` | is not processed | a 503 |
 * | `{ answer: "drop" }` | is not processed | no answer: the connection breaks |
 * | `{ answer: { status: 502 }, processed: true }` | is processed | a 502: the answer is lost |
 * | `{ answer: "drop", processed: true }` | is processed | no answer: the connection breaks |
 *
 * @since 0.1.0
 * @category models
 */
export interface Fault {
  /** How many requests it befalls. Default: 1. */
  readonly times?: number | undefined
  /** How late the answer is. The request itself is processed before, so a caller that gives up has been served. */
  readonly latency?: Duration.DurationInput | undefined
  readonly answer?: FaultyAnswer | "drop" | undefined
  /** Whether the request is processed before its answer is replaced. Default: `false`. */
  readonly processed?: boolean | undefined
}

/** The connection breaks in place of an answer; each face of the sandbox does so in its own way. */
export class ConnectionDropped extends Data.TaggedError("ConnectionDropped") {}

const works = (attempt: () => unknown): boolean => Either.isRight(Either.try(attempt))

const answerIssues = ({ body, headers, status }: FaultyAnswer): ReadonlyArray<string> => [
  ...(Number.isInteger(status) && status >= 200 && status <= 599
    ? []
    : ["answer.status: has to be an integer from 200 to 599"]),
  ...(works(() => new Headers(headers)) ? [] : ["answer.headers: a name or value has to be one that HTTP allows"]),
  ...(body === undefined || works(() => JSON.stringify(body).length) ? [] : ["answer.body: has to be text or JSON"])
]

/** Refuses what cannot be sent, as `SandboxError` with the reason `Fault`. */
export const check = (fault: Fault): Effect.Effect<Fault, SandboxError> => {
  const { answer, latency = 0, times = 1 } = fault
  const issues = [
    ...(times === Number.POSITIVE_INFINITY || (Number.isInteger(times) && times >= 1)
      ? []
      : ["times: has to be a whole number, 1 or more, or infinity"]),
    ...(Option.isSome(Duration.decodeUnknown(latency)) ? [] : ["latency: has to be a duration"]),
    ...(answer === undefined || answer === "drop" ? [] : answerIssues(answer))
  ]
  return issues.length === 0 ? Effect.succeed(fault) : Effect.fail(new SandboxError({ reason: "Fault", issues }))
}

const bodiless: ReadonlyArray<number> = [204, 205, 304]

const respond = ({ body, headers = {}, status }: FaultyAnswer): HttpServerResponse.HttpServerResponse => {
  if (bodiless.includes(status)) return HttpServerResponse.empty({ status, headers })
  if (body === undefined) return Envelope.respond(status, { headers })
  return typeof body === "string"
    ? HttpServerResponse.text(body, { status, headers })
    : HttpServerResponse.unsafeJson(body, { status, headers })
}

/** Processes a request under a fault. */
export const befalling = <E, R>(
  fault: Fault,
  process: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E | ConnectionDropped, R> =>
  Effect.gen(function* () {
    const { answer, latency, processed = false } = fault
    const deserved = answer === undefined || processed ? yield* process : Envelope.respond(500)
    if (latency !== undefined) yield* Effect.sleep(latency)
    if (answer === "drop") return yield* new ConnectionDropped()
    return answer === undefined ? deserved : respond(answer)
  })
