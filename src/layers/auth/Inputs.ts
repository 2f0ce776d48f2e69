/**
 * What is checked before anything is sent. A problem names the field and never the value.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { InvalidRequest, type Operation } from "../../schemas/AuthError.js"
import { isHeaderSafe } from "../../schemas/Secrets.js"
import { problemOf } from "../config/Setting.js"

type Text = string | Redacted.Redacted<string>

type Check = (field: string, input: Text) => Problem

/**
 * What is wrong with an input; none where it is good.
 *
 * @since 0.1.0
 * @category models
 */
export type Problem = Option.Option<string>

/**
 * Fails with all problems at once.
 *
 * @since 0.1.0
 */
export const check = (
  operation: Operation,
  ...problems: ReadonlyArray<Problem>
): Effect.Effect<void, InvalidRequest> => {
  const errors = problems.flatMap(Option.toArray)
  return errors.length === 0 ? Effect.void : Effect.fail(new InvalidRequest({ operation, errors }))
}

/** Anything but nothing. */
export const required = (field: string, input: Text): Problem =>
  problem(field, input, (text) => (text.trim() === "" ? "is empty" : undefined))

/** A value that a header can carry; absent is good. */
export const header = (field: string, input: Text | undefined): Problem =>
  input === undefined
    ? Option.none()
    : problem(field, input, (text) =>
        text === "" ? "is empty" : isHeaderSafe(text) ? undefined : "has characters that a header cannot carry"
      )

/** A value from the configuration, which is sent byte for byte. */
export const exact = (field: string, input: Text): Problem => problem(field, input, problemOf)

/** A value that must be redacted, because it would else be printed, and that is good besides. */
export const secret =
  (check: Check) =>
  (field: string, input: unknown): Problem => {
    if (Redacted.isRedacted(input)) return check(field, input as Redacted.Redacted<string>)
    const what = Predicate.isNullable(input) ? "is missing" : "is not redacted: wrap it in Redacted.make"
    return Option.some(`${field}: ${what}`)
  }

/** A value that may be absent. */
export const optional =
  <A>(check: (field: string, input: A) => Problem) =>
  (field: string, input: A | undefined): Problem =>
    input === undefined ? Option.none() : check(field, input)

const problem = (field: string, input: Text, judge: (text: string) => string | undefined): Problem =>
  Option.match(reveal(input), {
    onNone: () => Option.some(`${field}: ${Predicate.isNullable(input) ? "is missing" : "cannot be read"}`),
    onSome: (text) => Option.map(Option.fromNullable(judge(text)), (what) => `${field}: ${what}`)
  })

/** None for a redacted value that was wiped, or holds no text. */
const reveal = (input: Text): Option.Option<string> =>
  Option.filter(
    typeof input === "string" ? Option.some(input) : Option.liftThrowable(Redacted.value<unknown>)(input),
    Predicate.isString
  )
