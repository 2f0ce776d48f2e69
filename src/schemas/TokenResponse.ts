/**
 * The tolerant decoder of the responses to issue, refresh and exchange. It accepts both dialects of the API and every
 * variation that was seen live. The contract (`NombaApi`) is what the sandbox serves; the client does not decode with it.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as ErrorResponse from "./ErrorResponse.js"
import * as Expiry from "./Expiry.js"
import { masking, SECRET_LIMIT } from "./SafeText.js"
import { isHeaderSafe } from "./Secrets.js"
import { Session } from "./Session.js"

/**
 * What the session depends on beside the response's body. Times are milliseconds since 1970.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResponseFacts {
  /** When the request was sent, by this machine's clock. */
  readonly sentAt: number
  /** The response's `Date` header; none if there is an `Age` header. */
  readonly date: Option.Option<number>
  /** What the request carried: a member that is printed must not echo it. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

/**
 * A session, decoded.
 *
 * @since 0.1.0
 * @category models
 */
export interface Granted {
  readonly session: Session
  /** Members that were skipped because they are malformed, as `path: kind`. They do not cost a usable token. */
  readonly warnings: ReadonlyArray<string>
}

/**
 * Why a response contains no session. `issues` holds paths, kinds and clock readings, never what the server sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Refused {
  readonly reason: "NoUsableToken" | "AlreadyExpired"
  readonly issues: ReadonlyArray<string>
}

/**
 * Decodes the session of a successful response's JSON.
 *
 * @since 0.1.0
 */
export const decode = (body: unknown, facts: ResponseFacts): Either.Either<Granted, Refused> => {
  const data = ErrorResponse.member(body, "data")
  const warnings = Option.toArray(ErrorResponse.decode(body).oddCode)

  const optional = <A>(name: string, read: (value: unknown) => Option.Option<A>): Option.Option<A> => {
    const value = ErrorResponse.member(data, name)
    if (ErrorResponse.isAbsent(value)) return Option.none()
    const result = read(value)
    if (Option.isNone(result)) warnings.push(ErrorResponse.malformed(`data.${name}`, value))
    return result
  }

  const accessToken = ErrorResponse.member(data, "access_token")
  if (!isUsable(accessToken)) {
    return Either.left({ reason: "NoUsableToken", issues: [`data.access_token: ${problemOf(accessToken)}`] })
  }

  const refreshToken = optional("refresh_token", token)
  const plain = printable([
    ...facts.secrets,
    ...[accessToken, ...Option.toArray(refreshToken)].map((token) => Redacted.make(token))
  ])
  const tokenType = Option.getOrElse(optional("token_type", plain), () => "Bearer")
  const businessId = optional("businessId", plain)
  const expiry = Expiry.lifetime({
    sentAt: facts.sentAt,
    date: facts.date,
    claims: Expiry.claims(accessToken),
    expiresIn: optional("expires_in", duration),
    expiresAt: optional("expiresAt", date)
  })
  return Either.mapBoth(expiry, {
    onLeft: ({ local, server }): Refused => ({
      reason: "AlreadyExpired",
      issues: [
        `Nomba's clock: ${Option.match(server, { onNone: () => "not stated", onSome: (at) => at.toJSON() })}`,
        `this machine's clock: ${local.toJSON()}`,
        ...warnings
      ]
    }),
    onRight: (stated): Granted => ({
      session: new Session({
        accessToken: Redacted.make(accessToken),
        refreshToken: Option.map(refreshToken, Redacted.make),
        tokenType,
        businessId,
        ...stated
      }),
      warnings
    })
  })
}

/**
 * Whether a successful response has a usable access token.
 *
 * @since 0.1.0
 */
export const hasToken = (body: unknown): boolean =>
  isUsable(ErrorResponse.member(ErrorResponse.member(body, "data"), "access_token"))

const isUsable = (accessToken: unknown): accessToken is string => Option.exists(token(accessToken), isHeaderSafe)

const problemOf = (accessToken: unknown): string => {
  if (ErrorResponse.isAbsent(accessToken)) return "missing"
  if (typeof accessToken !== "string") return `${ErrorResponse.kind(accessToken)} in place of a string`
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
