/** A duration as people give one: the same in an option, in a configuration file and over HTTP. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { mustBe } from "./validationMessages.js"

/** Ten years in milliseconds, beyond which a time is a slip of the keyboard. */
export const longest = Duration.toMillis("3650 days")

/** Platform's own reading takes what is less than nothing, and what is no number, for nothing. */
const isLess = (input: unknown): boolean =>
  Array.isArray(input) ? input.some(isLess) : typeof input === "string" ? input.startsWith("-") : !(Number(input) >= 0)

/** The duration, if it is one: at least nothing. */
export const read = (input: unknown): Option.Option<Duration.Duration> =>
  Option.filter(Duration.decodeUnknown(input), () => Duration.isDuration(input) || !isLess(input))

const isDurationInput = (input: unknown): input is Duration.DurationInput => Option.isSome(read(input))

const Given: Schema.Schema<Duration.DurationInput> = Schema.declare(isDurationInput, {
  identifier: "Duration",
  jsonSchema: { anyOf: [{ type: "string" }, { type: "number", minimum: 0 }] }
})

/**
 * The milliseconds of a duration that keeps a rule, which says in words what it "must be". Given as milliseconds, or
 * as text such as `30 minutes`; told as milliseconds.
 */
export const durationThat = (
  holds: (millis: number) => boolean,
  rule: string,
  annotations: Schema.Annotations.Schema<number>
): Schema.Schema<number, Duration.DurationInput> =>
  Schema.transform(Given, Schema.Number.pipe(Schema.filter(holds)), {
    strict: true,
    decode: (input) => Duration.toMillis(input),
    encode: (millis) => millis
  }).annotations({ ...annotations, ...mustBe(rule) })
