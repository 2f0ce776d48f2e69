/**
 * The tolerant decoders of Nomba's responses: the envelope around each of them, and the session of issue, refresh and
 * exchange. They accept both dialects of the API and every variation that was seen live. The contract (`NombaApi`) is what
 * the sandbox serves; the client does not decode with it.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Expiry from "./Expiry.js"
import { isHeaderSafe, masking, SECRET_LIMIT } from "./SafeText.js"
import { Session } from "./Session.js"

/** What the envelope says; whatever is absent, empty or of the wrong type is none. */
export interface Envelope {
  /** As text; one digit becomes two. `"00"`, `"0"` and `0` mean success. */
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

/** A member for an object literal that is left out if there is no value: `{ ...present("detail", detail) }`. */
export const present = <K extends string, A>(key: K, value: Option.Option<A>): { readonly [P in K]?: A } =>
  Option.match(value, { onNone: () => ({}), onSome: (value) => ({ [key]: value }) as { readonly [P in K]: A } })

const trimmed = (value: unknown): Option.Option<string> =>
  typeof value === "string" && value.trim() !== "" ? Option.some(value.trim()) : Option.none()

/**
 * Reads an envelope from any JSON value. Total: junk gives an envelope that says nothing. `status` is not read: it is
 * false even on some successes.
 */
export const decodeEnvelope = (body: unknown): Envelope => {
  const stated = member(body, "code")
  const errors = member(body, "errors")
  const code = trimmed(typeof stated === "number" && Number.isFinite(stated) ? String(stated) : stated)
  return {
    code: Option.map(code, (code) => (/^\d$/.test(code) ? `0${code}` : code)),
    oddCode: Option.isSome(code) || isAbsent(stated) ? Option.none() : Option.some(malformed("code", stated)),
    description: Option.orElse(trimmed(member(body, "description")), () => trimmed(member(body, "message"))),
    errors: Array.isArray(errors) ? errors.slice(0, 20).flatMap((error) => Option.toArray(trimmed(error))) : []
  }
}

/** What the session depends on beside the response's body. Times are milliseconds since 1970. */
export interface ResponseFacts {
  /** When the request was sent, by this machine's clock. */
  readonly sentAt: number
  /** The response's `Date` header; none if there is an `Age` header. */
  readonly date: Option.Option<number>
  /** What the request carried: a member that is printed must not echo it. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

/** A decoded session, and what was odd about its response. */
export interface DecodedSession {
  readonly session: Session
  /** Members that were skipped because they are malformed, as `path: kind`. They do not cost a usable token. */
  readonly warnings: ReadonlyArray<string>
  /** Its expiry could only be measured by this machine's clock: the response has a date of expiry and no other clock. */
  readonly usesOwnClock: boolean
}

/** Why a response contains no session. `issues` holds paths, kinds and clock readings, never what the server sent. */
export interface UnusableResponse {
  readonly reason: "NoUsableToken" | "AlreadyExpired"
  readonly issues: ReadonlyArray<string>
  /** The tokens that it contains all the same. */
  readonly tokens: UnusableTokens
}

/** The tokens of a success that contains no session: a refresh has spent the refresh token before them. */
export interface UnusableTokens {
  /** One that had expired on arrival. */
  readonly accessToken: Option.Option<Redacted.Redacted<string>>
  readonly refreshToken: Option.Option<Redacted.Redacted<string>>
}

/** Decodes the session of a successful response's JSON. */
export const decodeSession = (body: unknown, facts: ResponseFacts): Either.Either<DecodedSession, UnusableResponse> => {
  const data = member(body, "data")
  const warnings = Option.toArray(decodeEnvelope(body).oddCode)

  const optional = <A>(name: string, read: (value: unknown) => Option.Option<A>): Option.Option<A> => {
    const value = member(data, name)
    if (isAbsent(value)) return Option.none()
    const result = read(value)
    if (Option.isNone(result)) warnings.push(malformed(`data.${name}`, value))
    return result
  }

  const accessToken = member(data, "access_token")
  const refreshToken = optional("refresh_token", token)
  if (!isUsable(accessToken)) {
    return Either.left({
      reason: "NoUsableToken",
      issues: [`data.access_token: ${problemOf(accessToken)}`],
      tokens: { accessToken: Option.none(), refreshToken: Option.map(refreshToken, Redacted.make) }
    })
  }

  const plain = printable([
    ...facts.secrets,
    ...[accessToken, ...Option.toArray(refreshToken)].map((token) => Redacted.make(token))
  ])
  const tokenType = Option.getOrElse(optional("token_type", plain), () => "Bearer")
  const businessId = optional("businessId", plain)
  const expiresAt = optional("expiresAt", date)
  const expiry = Expiry.lifetime({
    sentAt: facts.sentAt,
    date: facts.date,
    claims: Expiry.claims(accessToken),
    expiresIn: optional("expires_in", duration),
    expiresAt
  })
  return Either.mapBoth(expiry, {
    onLeft: ({ local, server }): UnusableResponse => ({
      reason: "AlreadyExpired",
      issues: [
        `Nomba's clock: ${Option.match(server, { onNone: () => "not stated", onSome: (at) => at.toJSON() })}`,
        `this machine's clock: ${local.toJSON()}`,
        ...warnings
      ],
      tokens: {
        accessToken: Option.some(Redacted.make(accessToken)),
        refreshToken: Option.map(refreshToken, Redacted.make)
      }
    }),
    onRight: (stated): DecodedSession => ({
      // A field that is added to Session does not compile until it is decoded here.
      session: new Session({
        accessToken: Redacted.make(accessToken),
        refreshToken: Option.map(refreshToken, Redacted.make),
        tokenType,
        businessId,
        ...stated
      } satisfies { readonly [Field in keyof typeof Session.fields]: Session[Field] }),
      warnings,
      usesOwnClock: Option.isSome(expiresAt) && stated.clock === "local"
    })
  })
}

/** Whether a successful response has a usable access token. */
export const hasToken = (body: unknown): boolean => isUsable(member(member(body, "data"), "access_token"))

const isUsable = (accessToken: unknown): accessToken is string => Option.exists(token(accessToken), isHeaderSafe)

const problemOf = (accessToken: unknown): string => {
  if (isAbsent(accessToken)) return "missing"
  if (typeof accessToken !== "string") return `${kind(accessToken)} in place of a string`
  return accessToken.length > SECRET_LIMIT
    ? `longer than ${SECRET_LIMIT} characters`
    : "has characters that a header cannot carry"
}

const nonEmpty = (value: unknown): Option.Option<string> =>
  typeof value === "string" && value.trim() !== "" ? Option.some(value) : Option.none()

/** Longer text is not a token: no server accepts a header of that size, and it could not be masked whole. */
const token = (value: unknown): Option.Option<string> =>
  Option.filter(nonEmpty(value), (text) => text.length <= SECRET_LIMIT)

/** One line of at most a hundred characters without any of the secrets. */
const printable = (secrets: ResponseFacts["secrets"]): ((value: unknown) => Option.Option<string>) => {
  const mask = masking(secrets)
  return (value) => Option.filter(nonEmpty(value), (text) => mask(text, 100) === text)
}

const duration = (value: unknown): Option.Option<number> => {
  const seconds = typeof value === "string" && /^\s*-?\d{1,15}(?:\.\d{1,9})?\s*$/.test(value) ? Number(value) : value
  return typeof seconds === "number" && Number.isFinite(seconds) ? Option.some(seconds * 1000) : Option.none()
}

const date = (value: unknown): Option.Option<number> =>
  typeof value === "string" || typeof value === "number" ? Expiry.parseDate(value) : Option.none()
