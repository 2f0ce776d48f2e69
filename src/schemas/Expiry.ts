/**
 * From the several ways in which an answer states an expiry to one lifetime, counted from the moment the request was
 * sent. Server times are compared with server times only; this machine's clock is used if the answer has none.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

/** Used when an answer says nothing about the expiry: the 30 minutes that Nomba's pages document. */
export const DEFAULT_LIFETIME: Duration.Duration = Duration.minutes(30)

/** No lifetime counts for longer than this, whatever an answer says. */
export const MAX_LIFETIME: Duration.Duration = Duration.hours(24)

/** What an answer says about the expiry; all times in milliseconds since 1970. */
export interface Sources {
  /** `data.expires_in`, in milliseconds. */
  readonly expiresIn: Option.Option<number>
  /** `data.expiresAt`. */
  readonly expiresAt: Option.Option<number>
  /** The answer's `Date` header; none if an `Age` header says that it comes from a cache. */
  readonly date: Option.Option<number>
  /** The access token's own `iat` and `exp`. */
  readonly claims: Claims
  /** When the request was sent, by this machine's clock. */
  readonly sentAt: number
}

export interface Claims {
  readonly iat: Option.Option<number>
  readonly exp: Option.Option<number>
}

export interface Lifetime {
  readonly lifetime: Duration.Duration
  readonly issuedAt: DateTime.Utc
  readonly clock: "server" | "local"
}

/** The token had no time left when it was granted. */
export interface AlreadyExpired {
  /** What this machine's clock said when the request was sent. */
  readonly local: DateTime.Utc
  /** What the server's clock said, if the answer states it. */
  readonly server: Option.Option<DateTime.Utc>
}

const MAX_DATE = 8.64e15

const utc = (millis: number): DateTime.Utc =>
  DateTime.unsafeMake(Math.max(-MAX_DATE, Math.min(MAX_DATE, Number.isNaN(millis) ? 0 : millis)))

/** The soonest of all stated lifetimes, at most 24 hours; 30 minutes if none is stated. */
export const lifetime = (sources: Sources): Either.Either<Lifetime, AlreadyExpired> => {
  const { claims, date, expiresAt, expiresIn, sentAt } = sources
  const server = Option.orElse(date, () => claims.iat)
  const stated = [
    expiresIn,
    Option.map(expiresAt, (at) => at - Option.getOrElse(server, () => sentAt)),
    Option.zipWith(claims.exp, claims.iat, (exp, iat) => exp - iat)
  ].flatMap(Option.toArray)
  const soonest = stated.length === 0 ? Duration.toMillis(DEFAULT_LIFETIME) : Math.floor(Math.min(...stated))
  if (!(soonest > 0)) return Either.left({ local: utc(sentAt), server: Option.map(server, utc) })
  return Either.right({
    lifetime: Duration.millis(Math.min(soonest, Duration.toMillis(MAX_LIFETIME))),
    issuedAt: utc(Option.getOrElse(server, () => sentAt)),
    clock: Option.isSome(server) ? "server" : "local"
  })
}

const isoDate =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{0,9}))?)?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?)?$/

/** Since April 1970 a date in milliseconds has eleven digits or more; a smaller number is no date but, say, seconds. */
const isEpochMillis = (value: number): boolean => value >= 1e10 && value <= MAX_DATE

/**
 * Reads a date as Nomba's services write them: ISO 8601 with `Z`, an offset or no zone (UTC, whatever zone this machine
 * is in), up to nine fraction digits, a space for the `T`; or milliseconds since 1970 as a number or in digits.
 */
export const parseDate = (value: string | number): Option.Option<number> => {
  if (typeof value === "number") return Option.liftPredicate(value, isEpochMillis)
  const text = value.trim()
  if (/^\d{11,16}$/.test(text)) return Option.liftPredicate(Number(text), isEpochMillis)
  const match = isoDate.exec(text)
  if (match === null) return Option.none()
  const part = (index: number): number => Number(match[index] ?? "0")
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)]
  if (hour > 24 || minute > 59 || second > 60 || part(10) > 23 || part(11) > 59) return Option.none()
  if (hour === 24 && (minute > 0 || second > 0)) return Option.none()
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return Option.none()
  const fraction = Number((match[7] ?? "").padEnd(3, "0").slice(0, 3))
  const offset = (part(10) * 60 + part(11)) * (match[9] === "-" ? -1 : 1)
  return Option.some(date.getTime() + ((hour * 60 + minute - offset) * 60 + second) * 1000 + fraction)
}

const httpDate =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} [\d:]{8} GMT$/

/** Reads an HTTP date (RFC 9110 section 5.6.7, the form that senders must use). */
export const parseHttpDate = (text: string): Option.Option<number> => {
  const millis = httpDate.test(text.trim()) ? Date.parse(text.trim()) : Number.NaN
  return Number.isNaN(millis) ? Option.none() : Option.some(millis)
}

/** RFC 7519's NumericDate, as a time that a `Date` can hold. */
const numericDate = (claims: unknown, name: string): Option.Option<number> => {
  const value = Predicate.isRecord(claims) && Object.hasOwn(claims, name) ? claims[name] : undefined
  return typeof value === "number" && Math.abs(value * 1000) <= MAX_DATE ? Option.some(value * 1000) : Option.none()
}

/**
 * Reads `iat` and `exp` from a JWT without verifying it (RFC 7519 section 4.1): the client cannot, and need not. An
 * opaque token has no claims.
 */
export const claims = (accessToken: string): Claims => {
  const payload = accessToken.split(".")[1] ?? ""
  const json = Either.flatMap(Encoding.decodeBase64UrlString(payload), (text) => Either.try(() => JSON.parse(text)))
  const parsed: unknown = Either.getOrUndefined(json)
  return { iat: numericDate(parsed, "iat"), exp: numericDate(parsed, "exp") }
}
