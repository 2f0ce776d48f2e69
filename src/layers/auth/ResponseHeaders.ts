/**
 * Reads the headers of a response.
 */
import type * as Headers from "@effect/platform/Headers"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Expiry from "../../schemas/Expiry.js"

/** Longer waits are cut to this. */
export const MAX_WAIT: Duration.Duration = Duration.hours(1)

/** The server's time in milliseconds since 1970; none if an `Age` header shows that the response comes from a cache. */
export const date = (headers: Headers.Headers): Option.Option<number> =>
  headers["age"] === undefined ? httpDate(headers["date"]) : Option.none()

/**
 * The wait that the server states, from zero to an hour: `Retry-After` (RFC 9110 section 10.2.3) in seconds or as a date,
 * which is compared with the server's own; otherwise, on a 429, the length of Nomba's rate limit window. Malformed headers
 * are ignored.
 */
export const wait = (status: number, headers: Headers.Headers, now: number): Option.Option<Duration.Duration> =>
  retryAfter(headers, now).pipe(
    Option.orElse(() => (status === 429 ? rateLimitWindow(headers["x-rate-limit-window"]) : Option.none())),
    Option.map((millis) => Duration.clamp(Duration.millis(millis), { minimum: Duration.zero, maximum: MAX_WAIT }))
  )

/** The server's own id of the request, unmasked. */
export const requestId = (headers: Headers.Headers): Option.Option<string> =>
  Option.fromNullable(
    headers["x-request-id"] ?? headers["x-correlation-id"] ?? headers["request-id"] ?? headers["cf-ray"]
  )

const httpDate = (text: string | undefined): Option.Option<number> =>
  Option.flatMap(Option.fromNullable(text), Expiry.parseHttpDate)

const retryAfter = (headers: Headers.Headers, now: number): Option.Option<number> => {
  const text = headers["retry-after"]?.trim()
  if (text !== undefined && /^\d+$/.test(text)) return Option.some(Number(text) * 1000)
  return Option.map(httpDate(text), (at) => at - Option.getOrElse(date(headers), () => now))
}

/** `1s`, `60s`, or a bare number of milliseconds. */
const rateLimitWindow = (text: string | undefined): Option.Option<number> => {
  const match = /^(\d+)\s*(s|ms)?$/i.exec(text?.trim() ?? "")
  return Option.map(
    Option.fromNullable(match),
    ([, digits, unit]) => Number(digits) * (unit?.toLowerCase() === "s" ? 1000 : 1)
  )
}
