/**
 * The five things that can go wrong, one tag for each thing a caller does differently. None of them carries a request,
 * a response, a header, a body or a cause, because those carry secrets.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { MESSAGE_LIMIT, oneLine } from "./SafeText.js"

/**
 * What was being done: one of the token operations, a person's login (`authorize`), a resource `request`, or a token
 * `store`.
 *
 * @since 0.1.0
 * @category models
 */
export const Operation = Schema.Literal("issue", "refresh", "revoke", "exchange", "authorize", "request", "store")

/**
 * @since 0.1.0
 * @category models
 */
export type Operation = typeof Operation.Type

const common = {
  operation: Operation,
  /** How long to wait: what the server stated, or what is left of the pause after a failed renewal. */
  retryAfter: Schema.optional(Schema.Duration),
  /** What to check or do, in a sentence. */
  hint: Schema.optional(Schema.String)
}

const answered = {
  /** The HTTP status; absent when nothing was sent, and in what a login's callback says. */
  status: Schema.optional(Schema.Int),
  /** Nomba's own `code`, or the `error` of a login's callback (RFC 6749 section 4.1.2.1); secrets masked. */
  code: Schema.optional(Schema.String),
  /** Nomba's own `description` (or `message`), secrets masked. */
  description: Schema.optional(Schema.String)
}

interface Answered {
  readonly status?: number | undefined
  readonly code?: string | undefined
  readonly description?: string | undefined
}

const facts = (error: Answered): string => {
  const parts = [
    ...(error.status === undefined ? [] : [`HTTP ${error.status}`]),
    ...(error.code === undefined ? [] : [`code ${error.code}`]),
    ...(error.description === undefined ? [] : [`"${error.description}"`])
  ]
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`
}

const seconds = (duration: Duration.Duration): string => `${Math.ceil(Duration.toSeconds(duration) * 10) / 10} s`

const sentence = (
  text: string,
  error: { readonly hint?: string | undefined; readonly retryAfter?: Duration.Duration | undefined }
): string => {
  const wait = error.retryAfter === undefined ? "" : ` Try again after ${seconds(error.retryAfter)}.`
  const hint = error.hint === undefined ? "" : ` ${error.hint}`
  return oneLine(`${oneLine(text, MESSAGE_LIMIT - Math.min(hint.length + wait.length, 350))}${hint}${wait}`)
}

/**
 * The request is wrong and will not get better by repeating it: HTTP 400 and every other 4xx without a tag of its own,
 * an HTTP 200 whose `code` says it failed, or an input that was refused before anything was sent (`status` is absent
 * then). Fix the call.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>("nomba-auth/InvalidRequest")("InvalidRequest", {
  ...common,
  ...answered,
  /** Nomba's list of details, secrets masked; or, for a refused input, what is wrong with it. */
  errors: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] })
}) {
  override get message(): string {
    const details = this.errors.length === 0 ? "" : `: ${this.errors.join("; ")}`
    return sentence(
      this.status === undefined && this.code === undefined
        ? `The ${this.operation} call was not sent${details}.`
        : `Nomba refused the ${this.operation} call${facts(this)}${details}.`,
      this
    )
  }
}

/**
 * Where each part of the credentials came from, in words: `NOMBA_CLIENT_ID`, `options.clientId`, `not set`.
 *
 * @since 0.1.0
 * @category models
 */
export const Origins = Schema.Struct({
  clientId: Schema.String,
  clientSecret: Schema.String,
  accountId: Schema.String,
  environment: Schema.String
})

/**
 * Nomba does not know these credentials: HTTP 401 (or code 01) on issue, HTTP 403 on any operation. Fix the client id,
 * the client secret, the account id or the environment; the message says where each came from.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidCredentials extends Schema.TaggedError<InvalidCredentials>("nomba-auth/InvalidCredentials")(
  "InvalidCredentials",
  { ...common, ...answered, origins: Schema.optional(Origins) }
) {
  override get message(): string {
    const from = this.origins
    const check =
      from === undefined
        ? "Check the client id, the client secret, the account id and the environment."
        : `Check the client id (${from.clientId}), the client secret (${from.clientSecret}), the account id (${from.accountId}) and the environment (${from.environment}).`
    return sentence(`Nomba refused the credentials on ${this.operation}${facts(this)}.`, {
      hint: this.hint === undefined ? check : `${check} ${this.hint}`,
      retryAfter: this.retryAfter
    })
  }
}

/**
 * What was presented is no longer good: HTTP 401 (or code 01 or 02) on refresh, revoke and exchange; a public client
 * that has no session, because a person has to log in; or a login that was denied. Get a new session.
 *
 * @since 0.1.0
 * @category errors
 */
export class Expired extends Schema.TaggedError<Expired>("nomba-auth/Expired")("Expired", { ...common, ...answered }) {
  override get message(): string {
    if (this.status === undefined && this.code === undefined) {
      return sentence("There is no session: a person has to log in.", this)
    }
    const what =
      this.operation === "authorize"
        ? "The login was denied"
        : this.operation === "refresh"
          ? "Nomba refused the refresh token as invalid or expired"
          : this.operation === "exchange"
            ? "Nomba refused the authorization code as invalid or expired"
            : `Nomba refused the access token on ${this.operation}`
    return sentence(`${what}${facts(this)}.`, this)
  }
}

/**
 * Why something is out of reach.
 *
 * @since 0.1.0
 * @category models
 */
export const UnavailableReason = Schema.Literal(
  "Network",
  "Timeout",
  "RateLimited",
  "ServerError",
  "Store",
  "StoreUnreadable",
  "StoreCodec",
  "Secret",
  "Closed"
)

const whatIsUnavailable: Record<typeof UnavailableReason.Type, string> = {
  Network: "Nomba could not be reached",
  Timeout: "Nomba did not answer in time",
  RateLimited: "Nomba's rate limit is reached",
  ServerError: "Nomba failed",
  Store: "The token store is out of reach",
  StoreUnreadable: "What the token store holds cannot be read",
  StoreCodec: "What the token store holds does not fit the codec or the keys of this program",
  Secret: "The client secret could not be read",
  Closed: "The layer that holds the session was closed"
}

/**
 * Something is out of reach for now: network, time-out, HTTP 408, 429 and 5xx, a token store, the source of the client
 * secret. The retry policy has already been applied: wait.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unavailable extends Schema.TaggedError<Unavailable>("nomba-auth/Unavailable")("Unavailable", {
  ...common,
  ...answered,
  reason: UnavailableReason,
  /** A system code such as `ECONNREFUSED`. */
  detail: Schema.optional(Schema.String),
  /** What it failed on, without a secret: `Redis at cache:6379`. */
  target: Schema.optional(Schema.String),
  /**
   * `no` when the request certainly was not processed (refused, DNS, TLS handshake, 429), so that repeating it with the
   * same single-use token is safe; `unknown` otherwise.
   */
  processed: Schema.optionalWith(Schema.Literal("no", "unknown"), { default: () => "unknown" as const })
}) {
  override get message(): string {
    const detail = this.detail === undefined ? "" : ` [${this.detail}]`
    const target = this.target === undefined ? "" : `: ${this.target}`
    const isOfStore = this.operation === "store" && this.reason === "Timeout"
    const what = isOfStore ? "The renewal could not end in time" : whatIsUnavailable[this.reason]
    return sentence(`${what} (${this.operation})${facts(this)}${target}${detail}.`, this)
  }
}

/**
 * What was not the contract about an answer.
 *
 * @since 0.1.0
 * @category models
 */
export const UnexpectedReason = Schema.Literal(
  "NotJson",
  "NotNomba",
  "TooLarge",
  "Redirect",
  "NoUsableToken",
  "DeadOnArrival",
  "OddStatus",
  "OddCode",
  "Callback"
)

const whatIsUnexpected: Record<typeof UnexpectedReason.Type, string> = {
  NotJson: "a success that is not a JSON object",
  NotNomba: "an HTML page, which comes from a firewall or portal and not from Nomba",
  TooLarge: "an answer of more than 1 MiB",
  Redirect: "a redirect, which is never followed with credentials",
  NoUsableToken: "a success without a usable access token",
  DeadOnArrival: "a token that was dead on arrival",
  OddStatus: "a status that the API does not have",
  OddCode: "a code that tells neither success nor failure",
  Callback: "a callback that does not fit this login"
}

/**
 * The answer is not the contract's. Report it: `issues` holds paths and kinds, never values.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedResponse extends Schema.TaggedError<UnexpectedResponse>("nomba-auth/UnexpectedResponse")(
  "UnexpectedResponse",
  {
    ...common,
    status: Schema.optional(Schema.Int),
    reason: UnexpectedReason,
    /** For instance `data.access_token: missing`. */
    issues: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] }),
    /** The server's own id of the request, for a report to Nomba. */
    requestId: Schema.optional(Schema.String)
  }
) {
  override get message(): string {
    const status = this.status === undefined ? "" : `, HTTP ${this.status}`
    const issues = this.issues.length === 0 ? "" : `: ${this.issues.join("; ")}`
    const request = this.requestId === undefined ? "" : ` Request id: ${this.requestId}.`
    return sentence(`Unexpected answer (${this.operation}${status}): ${whatIsUnexpected[this.reason]}${issues}.`, {
      hint: `${request}${this.hint === undefined ? "" : ` ${this.hint}`}`.trim() || undefined,
      retryAfter: this.retryAfter
    })
  }
}

/**
 * Everything that getting a token can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type AuthError = InvalidRequest | InvalidCredentials | Expired | Unavailable | UnexpectedResponse

/** @since 0.1.0 @category errors */
export type IssueError = InvalidRequest | InvalidCredentials | Unavailable | UnexpectedResponse
/** @since 0.1.0 @category errors */
export type RefreshError = AuthError
/** @since 0.1.0 @category errors */
export type RevokeError = AuthError
/** @since 0.1.0 @category errors */
export type ExchangeError = AuthError

/**
 * The schema of the union, for programs that send errors over a wire.
 *
 * @since 0.1.0
 * @category schemas
 */
export const AuthError = Schema.Union(InvalidRequest, InvalidCredentials, Expired, Unavailable, UnexpectedResponse)

/**
 * The same failure with another wait.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withRetryAfter = <E extends AuthError>(error: E, retryAfter: Duration.Duration): E =>
  rebuild(error, { retryAfter })

/**
 * The same failure with advice.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withHint = <E extends AuthError>(error: E, hint: string): E => rebuild(error, { hint })

const rebuild = <E extends AuthError>(
  error: E,
  change: { readonly retryAfter?: Duration.Duration; readonly hint?: string }
): E => {
  const Class = error.constructor as new (props: E) => E
  return new Class({ ...error, ...change })
}
