/**
 * The envelope around every answer of Nomba, read tolerantly.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"

/**
 * What the envelope says; whatever is absent, empty or of the wrong type is none.
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
  /** `code: malformed boolean`, where there is a code that cannot be read: it claims neither success nor failure. */
  readonly oddCode: Option.Option<string>
}

/** Seen live with 400 and 500. The second form is that of a gateway behind Nomba. */
const jwtExpired = /^(?:Internal Server Error: INTERNAL: )?JWT expired at /

/** Whether a body says that the bearer has expired, whatever the status. */
export const isJwtExpired = (body: unknown): boolean =>
  ["description", "message", "detail"].some((name) => {
    const text = member(body, name)
    return typeof text === "string" && jwtExpired.test(text.trimStart())
  })

/** A JSON object's own member; never one that it inherits. */
export const member = (value: unknown, name: string): unknown =>
  isObject(value) && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined

/** Whether a JSON value is an object, and not an array. */
export const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether a member counts as left out. */
export const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === ""

/** A malformed member as `path: kind`, which is all that may be told of it. */
export const malformed = (path: string, value: unknown): string => `${path}: malformed ${kind(value)}`

/** What kind of JSON a value is. */
export const kind = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value

/** A member for an object literal that is left out where there is no value: `{ ...present("detail", detail) }`. */
export const present = <K extends string, A>(key: K, value: Option.Option<A>): { readonly [P in K]?: A } =>
  Option.match(value, { onNone: () => ({}), onSome: (value) => ({ [key]: value }) as { readonly [P in K]: A } })

const text = (value: unknown): Option.Option<string> =>
  typeof value === "string" && value.trim() !== "" ? Option.some(value.trim()) : Option.none()

/**
 * Reads an envelope from any JSON value. Total: junk gives an envelope that says nothing. `status` is not read: it is
 * false even on some successes.
 *
 * @since 0.1.0
 */
export const decode = (body: unknown): Envelope => {
  const stated = member(body, "code")
  const errors = member(body, "errors")
  const code = text(typeof stated === "number" && Number.isFinite(stated) ? String(stated) : stated)
  return {
    code: Option.map(code, (code) => (/^\d$/.test(code) ? `0${code}` : code)),
    oddCode: Option.isSome(code) || isAbsent(stated) ? Option.none() : Option.some(malformed("code", stated)),
    description: Option.orElse(text(member(body, "description")), () => text(member(body, "message"))),
    errors: Array.isArray(errors) ? errors.slice(0, 20).flatMap((error) => Option.toArray(text(error))) : []
  }
}
