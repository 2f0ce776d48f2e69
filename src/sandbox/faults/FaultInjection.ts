/** A request under a fault. */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ActiveFault, FaultyAnswer } from "../config/Fault.js"
import * as Envelope from "../http/Envelope.js"
import { ConnectionReset } from "../http/SandboxApp.js"

const bodiless: ReadonlyArray<number> = [204, 205, 304]

const replacement = ({ body, headers = {}, status }: FaultyAnswer): HttpServerResponse.HttpServerResponse => {
  if (bodiless.includes(status)) return HttpServerResponse.empty({ status, headers })
  if (body === undefined) return Envelope.respond(status, { headers })
  return typeof body === "string"
    ? HttpServerResponse.text(body, { status, headers })
    : HttpServerResponse.unsafeJson(body, { status, headers })
}

/** Neither JSON nor UTF-8, though it says that it is both. */
const invalidBody = HttpServerResponse.uint8Array(
  Uint8Array.from({ length: 512 }, (_, index) => (index * 167 + 0x80) % 256),
  { contentType: "application/json; charset=utf-8" }
)

/** A fault in words, for the log; nothing where there is none. */
export const describeFault = ({ answer, latency, processed }: ActiveFault): string | undefined => {
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
export const injectFault = <E, R>(
  { answer, latency, processed }: ActiveFault,
  process: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E | ConnectionReset, R> =>
  Effect.gen(function* () {
    const response = processed ? yield* process : invalidBody
    if (latency !== undefined) yield* Effect.sleep(latency)
    if (answer === undefined) return response
    if (answer === "garbage") return invalidBody
    if (answer === "drop") return yield* new ConnectionReset({ truncated: Option.none() })
    if (answer === "cut") return yield* new ConnectionReset({ truncated: Option.some(response) })
    return replacement(answer)
  })
