/** Faults: errors that the sandbox injects into the next requests. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { durationThat, longest } from "./DurationInput.js"
import { SandboxError } from "./SandboxError.js"
import { mustBe, validationMessages } from "./validationMessages.js"

/**
 * A response that replaces the sandbox's own.
 *
 * @since 0.1.0
 * @category models
 */
export interface FaultyAnswer {
  /** 200 to 599. */
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Text is sent as it is, anything else as JSON. Default: an envelope with the status. */
  readonly body?: unknown
}

/**
 * What is sent instead of the sandbox's response: another response, a reset connection, half of the response, or bytes
 * that are not JSON.
 *
 * @since 0.1.0
 * @category models
 */
export type FaultKind = FaultyAnswer | "connectionReset" | "truncated" | "invalidBody"

/**
 * What happens to the next requests to an operation. The members combine: `{ latency: "2 seconds", answer: { status: 503
 * } }` is a slow 503.
 *
 * | fault | is the request processed? | what the client gets |
 * |---|---|---|
 * | `{ latency }` | yes, at once | the response, late |
 * | `{ answer: { status: 503 } }` | no | a 503 |
 * | `{ answer: "invalidBody" }` | no | a 200 that claims to be JSON and is not |
 * | `{ answer: "connectionReset" }` | no | no response: the connection is reset |
 * | `{ answer: "truncated" }` | yes | the first half of the response, then a connection reset |
 * | `{ answer: { status: 502 }, processed: true }` | yes | a 502: the response is lost |
 * | `{ answer: "connectionReset", processed: true }` | yes | no response: the connection is reset |
 *
 * @since 0.1.0
 * @category models
 */
export interface Fault {
  /** How many requests it applies to; `always` and infinity mean all. Default: 1, or all if `during` is given. */
  readonly times?: number | "always" | undefined
  /** How long it applies, by the sandbox's clock. Default: until `times` is used up. */
  readonly during?: Duration.DurationInput | undefined
  /** Delay of the response. The request is processed before the delay, so a client that gives up has been served. */
  readonly latency?: Duration.DurationInput | undefined
  readonly answer?: FaultKind | undefined
  /** Whether the request is processed before its response is replaced. Default: `false`; always `true` for `truncated`. */
  readonly processed?: boolean | undefined
}

/** A fault as it was given. Times are milliseconds; infinity stands for `always`. */
export interface ParsedFault {
  readonly times?: number | undefined
  readonly during?: number | undefined
  readonly latency?: number | undefined
  readonly answer?: FaultKind | undefined
  readonly processed?: boolean | undefined
}

/** What is done to one request. */
export interface ActiveFault {
  readonly latency?: number | undefined
  readonly answer?: FaultKind | undefined
  /** Whether the request is processed. */
  readonly processed: boolean
}

export const noFault: ActiveFault = { processed: true }

export const toActiveFault = ({
  answer,
  latency,
  processed = answer === undefined || answer === "truncated"
}: ParsedFault): ActiveFault => ({ answer, latency, processed: processed || answer === undefined })

const works = (attempt: () => unknown): boolean => Either.isRight(Either.try(attempt))

export const Status = Schema.Int.pipe(Schema.between(200, 599))

const Texts = Schema.Record({ key: Schema.String, value: Schema.String })

/** Node frames the message itself: with one of these it throws, or the client waits for bytes that never come. */
const framing = ["content-length", "trailer", "transfer-encoding"]

const isSendable = ([name, value]: readonly [string, string]): boolean =>
  /^[\t\x20-\x7e\x80-\xff]*$/.test(value) && !framing.includes(name)

/** `Headers` trims values; Node refuses control characters that it takes for space. */
export const HttpHeaders = Schema.transform(
  Texts.pipe(Schema.filter((headers) => works(() => new Headers(headers)))),
  Texts.pipe(Schema.filter((headers) => Object.entries(headers).every(isSendable))),
  { strict: true, decode: (headers) => Object.fromEntries(new Headers(headers)), encode: (headers) => headers }
)

// Effect gives every `Schema.Unknown` of a document the same `$id`, which a JSON Schema validator refuses.
export const body = (description: string): Schema.Schema<unknown> =>
  Schema.declare((body): body is unknown => body === undefined || works(() => JSON.stringify(body).length), {
    jsonSchema: { anyOf: [{}], description }
  })

const FaultyAnswer = Schema.Struct({
  status: Status,
  headers: Schema.optional(HttpHeaders),
  body: Schema.optional(body("Text is sent as it is, anything else as JSON."))
})

const Times = Schema.transform(
  Schema.Union(Schema.Number, Schema.Literal("always")),
  Schema.Number.pipe(
    Schema.filter((times) => times === Number.POSITIVE_INFINITY || (Number.isInteger(times) && times >= 1))
  ),
  {
    strict: true,
    decode: (times) => (times === "always" ? Number.POSITIVE_INFINITY : times),
    encode: (times) => (times === Number.POSITIVE_INFINITY ? "always" : times)
  }
).annotations({
  description: "How many requests it applies to. Default: 1, or always if `during` is given.",
  ...mustBe("a whole number, 1 or more, or always")
})

const duration = (description: string) =>
  durationThat((millis) => millis <= longest, "a duration, at most ten years", { description })

const kinds = ["connectionReset", "truncated", "invalidBody"] as const

export const AnswerKind = Schema.Literal(...kinds)

/** How a fault is given, in code and over HTTP. */
export const Fault: Schema.Schema<ParsedFault, Fault> = Schema.Struct({
  times: Schema.optional(Times),
  during: Schema.optional(duration("How long it applies, by the sandbox's clock. Default: no end.")),
  latency: Schema.optional(duration("Delay of the response; the request is processed before it.")),
  answer: Schema.optional(
    Schema.Union(AnswerKind, FaultyAnswer).annotations({
      description: "What is sent instead. Default: the sandbox's own response.",
      ...mustBe(
        `${kinds.join(", ")}, or a response: a status from 200 to 599, headers that HTTP allows without ${framing.join(", ")}, a body that is text or JSON`
      )
    })
  ),
  processed: Schema.optional(
    Schema.Boolean.annotations({
      description: "Whether the request is processed before its response is replaced; always true for `truncated`.",
      ...mustBe("true or false")
    })
  )
})
  .pipe(
    Schema.filter(({ answer, processed }) =>
      answer === "truncated" && processed === false
        ? { path: ["processed"], message: "must be true if the answer is truncated" }
        : undefined
    )
  )
  .annotations({ identifier: "Fault", description: "What happens to the next requests to an operation." })

const decode = Schema.decodeEither(Fault, { errors: "all", onExcessProperty: "error" })

/** Fails with `SandboxError`, reason `Fault`. */
export const check = (fault: Fault): Effect.Effect<ParsedFault, SandboxError> =>
  Effect.mapError(
    decode(fault),
    ({ issue }) => new SandboxError({ reason: "Fault", issues: validationMessages(issue, "fault") })
  )
