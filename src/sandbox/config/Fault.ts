/** Misfortunes on demand: what a client must survive and a well-behaved server never shows it. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { durationThat, longest } from "./DurationInput.js"
import { SandboxError } from "./SandboxError.js"
import { mustBe, validationMessages } from "./validationMessages.js"

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
 * | `{ answer: "garbage" }` | is not processed | a 200 that says it is JSON, and is not |
 * | `{ answer: "drop" }` | is not processed | no answer: the connection breaks |
 * | `{ answer: "cut" }` | is processed | the first half of its answer, then the connection breaks |
 * | `{ answer: { status: 502 }, processed: true }` | is processed | a 502: the answer is lost |
 * | `{ answer: "drop", processed: true }` | is processed | no answer: the connection breaks |
 *
 * @since 0.1.0
 * @category models
 */
export interface Fault {
  /** How many requests it befalls; `always` and infinity mean all. Default: 1, or all where `during` is given. */
  readonly times?: number | "always" | undefined
  /** For how long it befalls requests, by the sandbox's clock and from now on. Default: until `times` is used up. */
  readonly during?: Duration.DurationInput | undefined
  /** How late the answer is. The request itself is processed before, so a caller that gives up has been served. */
  readonly latency?: Duration.DurationInput | undefined
  readonly answer?: FaultyAnswer | "drop" | "cut" | "garbage" | undefined
  /** Whether the request is processed before its answer is replaced. Default: `false`, and always `true` for `cut`. */
  readonly processed?: boolean | undefined
}

/** A fault as it was given, with its times in milliseconds; a number of times without an end is infinity. */
export interface ParsedFault {
  readonly times?: number | undefined
  readonly during?: number | undefined
  readonly latency?: number | undefined
  readonly answer?: FaultyAnswer | "drop" | "cut" | "garbage" | undefined
  readonly processed?: boolean | undefined
}

/** What befalls a request. */
export interface ActiveFault {
  readonly latency?: number | undefined
  readonly answer?: FaultyAnswer | "drop" | "cut" | "garbage" | undefined
  /** Whether the request is processed. */
  readonly processed: boolean
}

/** None. */
export const noFault: ActiveFault = { processed: true }

/** What a fault does to each request that it befalls. */
export const toActiveFault = ({
  answer,
  latency,
  processed = answer === undefined || answer === "cut"
}: ParsedFault): ActiveFault => ({ answer, latency, processed: processed || answer === undefined })

const works = (attempt: () => unknown): boolean => Either.isRight(Either.try(attempt))

const Status = Schema.Int.pipe(Schema.between(200, 599))

const Texts = Schema.Record({ key: Schema.String, value: Schema.String })

/** Node frames the message itself: with one of these it throws, or the client waits for bytes that never come. */
const framing = ["content-length", "trailer", "transfer-encoding"]

/** As `Headers` has them, without space around a value: Node refuses a line's end where that takes it for space. */
const HttpHeaders = Schema.transform(
  Texts.pipe(Schema.filter((headers) => works(() => new Headers(headers)))),
  Texts.pipe(
    Schema.filter((headers) =>
      Object.entries(headers).every(
        ([name, value]) => /^[\t\x20-\x7e\x80-\xff]*$/.test(value) && !framing.includes(name)
      )
    )
  ),
  { strict: true, decode: (headers) => Object.fromEntries(new Headers(headers)), encode: (headers) => headers }
)

const FaultyAnswer = Schema.Struct({
  status: Status,
  headers: Schema.optional(HttpHeaders),
  body: Schema.optional(
    Schema.Unknown.pipe(
      Schema.filter((body) => body === undefined || works(() => JSON.stringify(body).length)),
      Schema.annotations({ jsonSchema: {}, description: "Text is sent as it is, anything else as JSON." })
    )
  )
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
  description: "How many requests it befalls. Default: 1, or always where `during` is given.",
  ...mustBe("a whole number, 1 or more, or always")
})

const duration = (description: string) =>
  durationThat((millis) => millis <= longest, "a duration, at most ten years", { description })

/** How a fault is given, in code and over HTTP. */
export const Fault: Schema.Schema<ParsedFault, Fault> = Schema.Struct({
  times: Schema.optional(Times),
  during: Schema.optional(duration("For how long it befalls requests, by the sandbox's clock. Default: no end.")),
  latency: Schema.optional(duration("How late the answer is; the request is processed before.")),
  answer: Schema.optional(
    Schema.Union(Schema.Literal("drop", "cut", "garbage"), FaultyAnswer).annotations({
      description: "What is answered instead. Default: what the request deserves.",
      ...mustBe(
        "drop, cut, garbage, or an answer: a status from 200 to 599, headers that HTTP allows and that do not frame the message (content-length, trailer, transfer-encoding), a body that is text or JSON"
      )
    })
  ),
  processed: Schema.optional(
    Schema.Boolean.annotations({
      description: "Whether the request is processed before its answer is replaced; always so for `cut`.",
      ...mustBe("true or false")
    })
  )
})
  .pipe(
    Schema.filter(({ answer, processed }) =>
      answer === "cut" && processed === false
        ? { path: ["processed"], message: "must be true where the answer is cut" }
        : undefined
    )
  )
  .annotations({ identifier: "Fault", description: "What happens to the next requests to an operation." })

const decode = Schema.decodeEither(Fault, { errors: "all", onExcessProperty: "error" })

/** Refuses what cannot be, as `SandboxError` with the reason `Fault`. */
export const check = (fault: Fault): Effect.Effect<ParsedFault, SandboxError> =>
  Effect.mapError(
    decode(fault),
    ({ issue }) => new SandboxError({ reason: "Fault", issues: validationMessages(issue, "fault") })
  )
