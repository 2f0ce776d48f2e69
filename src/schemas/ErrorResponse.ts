/**
 * The envelope around every answer of Nomba, read tolerantly.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"

/**
 * What the envelope says; whatever is absent or of the wrong type is none.
 *
 * @since 0.1.0
 * @category models
 */
export interface Envelope {
  /** As text, a single digit made two: `"00"` is success; `0` and `"0"` are the same. */
  readonly code: Option.Option<string>
  /** `description`, or `message`, which some live endpoints send in its place. */
  readonly description: Option.Option<string>
  readonly errors: ReadonlyArray<string>
}

/** A JSON object's own member; never one that it inherits. */
export const member = (value: unknown, name: string): unknown =>
  isObject(value) && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined

/** Whether a JSON value is an object, and not an array. */
export const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const text = (value: unknown): Option.Option<string> =>
  typeof value === "string" && value.trim() !== "" ? Option.some(value.trim()) : Option.none()

/**
 * Reads an envelope from any JSON value. Total: junk gives an envelope that says nothing. `status` is not read: it is
 * false even on some successes.
 *
 * @since 0.1.0
 */
export const decode = (body: unknown): Envelope => {
  const code = member(body, "code")
  const errors = member(body, "errors")
  return {
    code: Option.map(
      typeof code === "number" && Number.isFinite(code) ? Option.some(String(code)) : text(code),
      (code) => (/^\d$/.test(code) ? `0${code}` : code)
    ),
    description: Option.orElse(text(member(body, "description")), () => text(member(body, "message"))),
    errors: Array.isArray(errors) ? errors.slice(0, 20).flatMap((error) => Option.toArray(text(error))) : []
  }
}
