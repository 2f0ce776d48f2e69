/**
 * Checks inputs before anything is sent. A problem names the field and never the value.
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

/** What is wrong with an input; none if it is valid. */
export type Problem = Option.Option<string>

/** Fails with all problems at once. */
export const all = (operation: Operation, ...problems: ReadonlyArray<Problem>): Effect.Effect<void, InvalidRequest> => {
  const errors = problems.flatMap(Option.toArray)
  return errors.length === 0 ? Effect.void : Effect.fail(new InvalidRequest({ operation, errors }))
}

/** Must not be blank. */
export const required = (field: string, input: Text): Problem =>
  problem(field, input, (text) => (text.trim() === "" ? "is empty" : undefined))

/** Must fit in a header, or be absent. */
export const header = (field: string, input: Text | undefined): Problem =>
  input === undefined
    ? Option.none()
    : problem(field, input, (text) =>
        text === "" ? "is empty" : isHeaderSafe(text) ? undefined : "has characters that a header cannot carry"
      )

/** A setting, which is sent byte for byte. */
export const exact = (field: string, input: Text): Problem => problem(field, input, problemOf)

/** Must be redacted, because it would be printed otherwise, and pass the check. */
export const secret =
  (check: Check) =>
  (field: string, input: unknown): Problem => {
    if (Redacted.isRedacted(input)) return check(field, input as Redacted.Redacted<string>)
    const what = Predicate.isNullable(input) ? "is missing" : "is not redacted: wrap it in Redacted.make"
    return Option.some(`${field}: ${what}`)
  }

export const optional =
  <A>(check: (field: string, input: A) => Problem) =>
  (field: string, input: A | undefined): Problem =>
    input === undefined ? Option.none() : check(field, input)

const problem = (field: string, input: Text, judge: (text: string) => string | undefined): Problem =>
  Option.match(reveal(input), {
    onNone: () => Option.some(`${field}: ${Predicate.isNullable(input) ? "is missing" : "cannot be read"}`),
    onSome: (text) => Option.map(Option.fromNullable(judge(text)), (what) => `${field}: ${what}`)
  })

/** None for a redacted value that was wiped or holds no text. */
const reveal = (input: Text): Option.Option<string> =>
  Option.filter(
    typeof input === "string" ? Option.some(input) : Option.liftThrowable(Redacted.value<unknown>)(input),
    Predicate.isString
  )
