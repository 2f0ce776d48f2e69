/** Durations as users give them, in options, in a configuration file and over HTTP. */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { mustBe } from "./validationMessages.js"

/** Ten years in milliseconds. Anything longer is a typo. */
export const longest = Duration.toMillis("3650 days")

/** Effect reads a negative duration, and a number that is none, as zero. */
const isNegative = (input: unknown): boolean =>
  Array.isArray(input)
    ? input.some(isNegative)
    : typeof input === "string"
      ? input.startsWith("-")
      : !(Number(input) >= 0)

/** The duration, if it is valid and not negative. */
export const read = (input: unknown): Option.Option<Duration.Duration> =>
  Option.filter(Duration.decodeUnknown(input), () => Duration.isDuration(input) || !isNegative(input))

const isDurationInput = (input: unknown): input is Duration.DurationInput => Option.isSome(read(input))

const Given: Schema.Schema<Duration.DurationInput> = Schema.declare(isDurationInput, {
  identifier: "Duration",
  jsonSchema: { anyOf: [{ type: "string" }, { type: "number", minimum: 0 }] }
})

/** The milliseconds of a duration that `holds`. The duration is given as milliseconds or as text such as `30 minutes`. */
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
