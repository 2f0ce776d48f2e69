/**
 * A request under a fault.
 *
 * @since 0.1.0
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Envelope from "./Envelope.js"
import type { FaultyAnswer, Misfortune } from "./Fault.js"

/**
 * The connection breaks: in place of the answer, or in the middle of one. Each face of the sandbox does so in its own
 * way.
 */
export class ConnectionDropped extends Data.TaggedError("ConnectionDropped")<{
  /** The answer of which the first half is sent. */
  readonly within: Option.Option<HttpServerResponse.HttpServerResponse>
}> {}

/** The bytes that are sent of an answer before its connection breaks. */
export const firstHalf = ({ body }: HttpServerResponse.HttpServerResponse): Uint8Array =>
  body._tag === "Uint8Array" ? body.body.subarray(0, body.body.length >> 1) : new Uint8Array()

const bodiless: ReadonlyArray<number> = [204, 205, 304]

const instead = ({ body, headers = {}, status }: FaultyAnswer): HttpServerResponse.HttpServerResponse => {
  if (bodiless.includes(status)) return HttpServerResponse.empty({ status, headers })
  if (body === undefined) return Envelope.respond(status, { headers })
  return typeof body === "string"
    ? HttpServerResponse.text(body, { status, headers })
    : HttpServerResponse.unsafeJson(body, { status, headers })
}

/** Neither JSON nor UTF-8, though it says that it is both. */
const garbage = HttpServerResponse.uint8Array(
  Uint8Array.from({ length: 512 }, (_, index) => (index * 167 + 0x80) % 256),
  { contentType: "application/json; charset=utf-8" }
)

/** A fault in words, for the log; nothing where there is none. */
export const named = ({ answer, latency, processed }: Misfortune): string | undefined => {
  if (answer === undefined && latency === undefined) return undefined
  const kind = answer === undefined || typeof answer === "string" ? answer : String(answer.status)
  const parts = [
    ...(kind === undefined ? [] : [kind]),
    ...(latency === undefined ? [] : [`${latency} ms late`]),
    ...(answer !== undefined && processed ? ["after it was processed"] : [])
  ]
  return `fault: ${parts.join(", ")}`
}

/** Processes a request under a fault. */
export const befalling = <E, R>(
  { answer, latency, processed }: Misfortune,
  process: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E | ConnectionDropped, R> =>
  Effect.gen(function* () {
    const deserved = processed ? yield* process : garbage
    if (latency !== undefined) yield* Effect.sleep(latency)
    if (answer === undefined) return deserved
    if (answer === "garbage") return garbage
    if (answer === "drop") return yield* new ConnectionDropped({ within: Option.none() })
    if (answer === "cut") return yield* new ConnectionDropped({ within: Option.some(deserved) })
    return instead(answer)
  })
