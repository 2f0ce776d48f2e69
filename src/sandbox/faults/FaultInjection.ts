/** Processes a request under a fault. */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ActiveFault, FaultyAnswer } from "../config/Fault.js"
import * as Envelope from "../http/Envelope.js"
import { ConnectionReset } from "../http/SandboxApp.js"

/** Neither JSON nor UTF-8, though the content type says both. */
const invalidBody = HttpServerResponse.uint8Array(
  Uint8Array.from({ length: 512 }, (_, index) => (index * 167 + 0x80) % 256),
  { contentType: "application/json; charset=utf-8" }
)

const replacement = ({ body, headers = {}, status }: FaultyAnswer): HttpServerResponse.HttpServerResponse =>
  body === undefined ? Envelope.respond(status, { headers }) : Envelope.send(status, body, headers)

/** The fault in words, for the log; nothing if there is none. */
export const describeFault = ({ answer, latency, processed }: ActiveFault): string | undefined => {
  if (answer === undefined && latency === undefined) return undefined
  const parts = [
    ...(answer === undefined ? [] : [typeof answer === "string" ? answer : String(answer.status)]),
    ...(latency === undefined ? [] : [`${latency} ms late`]),
    ...(answer !== undefined && processed ? ["after it was processed"] : [])
  ]
  return `fault: ${parts.join(", ")}`
}

export const injectFault = <E, R>(
  { answer, latency, processed }: ActiveFault,
  process: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E | ConnectionReset, R> =>
  Effect.gen(function* () {
    const response = processed ? yield* process : invalidBody
    if (latency !== undefined) yield* Effect.sleep(latency)
    if (answer === undefined) return response
    if (answer === "invalidBody") return invalidBody
    if (answer === "connectionReset") return yield* new ConnectionReset({ truncated: Option.none() })
    if (answer === "truncated") return yield* new ConnectionReset({ truncated: Option.some(response) })
    return replacement(answer)
  })
