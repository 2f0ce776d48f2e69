/**
 * The five errors of this library: one tag for each thing a caller does differently. None of them carries a request, a
 * response, a header, a body or a cause, because those hold secrets.
 *
 * What a failure means for a retry, a refresh token or a token in hand stands with each of them, and nowhere else.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { type ErrorMeaning, meaning, noMeaning } from "./ErrorMeaning.js"
import { MESSAGE_LIMIT, oneLine } from "./SafeText.js"

/**
 * What failed: a token operation, a user's login (`authorize`), a call to a resource (`request`), or the token `store`.
 *
 * @since 0.1.0
 * @category models
 */
export const Operation = Schema.Literal("issue", "refresh", "revoke", "exchange", "authorize", "request", "store")

/**
 * What failed: one of the literals of the schema `Operation`.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = typeof Operation.Type

const common = {
  operation: Operation,
  /** How long to wait: what the server stated, or what is left of the backoff after a failed renewal. */
  retryAfter: Schema.optional(Schema.Duration),
  /** What to check or do. */
  hint: Schema.optional(Schema.String)
}

const answered = {
  /** The HTTP status. Absent if nothing was sent, and in the errors of a login's callback. */
  status: Schema.optional(Schema.Int),
  /** Nomba's `code`, or the `error` of a login's callback (RFC 6749 section 4.1.2.1); secrets are masked. */
  code: Schema.optional(Schema.String),
  /** Nomba's `description` (or `message`); secrets are masked. */
  description: Schema.optional(Schema.String)
}

/** Nomba's list of details; secrets are masked. */
const errors = Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] })

interface Answered {
  readonly operation: Operation
  readonly status?: number | undefined
  readonly code?: string | undefined
  readonly description?: string | undefined
}

const parts = (error: Answered): ReadonlyArray<string> => [
  ...(error.status === undefined ? [] : [`HTTP ${error.status}`]),
  ...(error.code === undefined ? [] : [`code ${error.code}`]),
  ...(error.description === undefined ? [] : [`"${error.description}"`])
]

const facts = (error: Answered): string => {
  const known = parts(error)
  return known.length === 0 ? "" : ` (${known.join(", ")})`
}

const operationAndFacts = (error: Answered): string => ` (${[error.operation, ...parts(error)].join(", ")})`

const listed = (details: ReadonlyArray<string>): string => (details.length === 0 ? "" : `: ${details.join("; ")}`)

const seconds = (duration: Duration.Duration): string => `${Math.ceil(Duration.toSeconds(duration) * 10) / 10} s`

const sentence = (
  text: string,
  error: { readonly hint?: string | undefined; readonly retryAfter?: Duration.Duration | undefined }
): string => {
  const wait = error.retryAfter === undefined ? "" : ` Try again after ${seconds(error.retryAfter)}.`
  const hint = error.hint === undefined ? "" : ` ${error.hint}`
  return oneLine(`${oneLine(text, MESSAGE_LIMIT - Math.min(hint.length + wait.length, 350))}${hint}${wait}`)
}

const isUnsent = (error: Answered): boolean => error.status === undefined && error.code === undefined

/**
 * The request is wrong, and repeating it does not help: HTTP 400 and every other 4xx without a tag of its own, an HTTP 200
 * whose `code` reports a failure, or an input that was refused before anything was sent (`status` is then absent). Fix
 * the call.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>("nomba-auth/InvalidRequest")("InvalidRequest", {
  ...common,
  ...answered,
  /** Nomba's list of details, secrets masked; for a refused input, what is wrong with it. */
  errors
}) {
  override get message(): string {
    const details = listed(this.errors)
    if (!isUnsent(this)) return sentence(`Nomba rejected the ${this.operation} request${facts(this)}${details}.`, this)
    return sentence(
      `${this.operation === "request" ? "Request not sent" : `The ${this.operation} request was not sent`}${details}.`,
      this
    )
  }

  /** @internal */
  get [meaning](): ErrorMeaning {
    return { ...noMeaning, wasNotProcessed: isUnsent(this), isRefusal: true }
  }
}

/**
 * Where each part of the credentials came from: `NOMBA_CLIENT_ID`, `options.clientId`, `not set`.
 *
 * @since 0.1.0
 * @category models
 */
export const CredentialOrigins = Schema.Struct({
  clientId: Schema.String,
  clientSecret: Schema.String,
  accountId: Schema.String,
  environment: Schema.String
})

/** The origin of an account id that is not configured. */
const NOT_SET = "not set"

const MAYBE_FORBIDDEN =
  "This machine's IP address may not be allowed, or the account id may be a sub-account's: it must be the parent's."

/**
 * Nomba does not accept these credentials: HTTP 401 (or code 01) on issue, HTTP 403 on any token operation. Fix the client
 * id, the client secret, the account id or the environment. The message says where each came from and begins with the
 * likeliest cause.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidCredentials extends Schema.TaggedError<InvalidCredentials>("nomba-auth/InvalidCredentials")(
  "InvalidCredentials",
  { ...common, ...answered, errors, origins: Schema.optional(CredentialOrigins) }
) {
  override get message(): string {
    const { origins: from } = this
    const isForbidden = this.status === 403 || this.code === "403"
    const what = isForbidden
      ? `Nomba denied access on ${this.operation}`
      : this.operation === "issue"
        ? "Nomba rejected the credentials when requesting a token"
        : `Nomba rejected the credentials on ${this.operation}`
    const check =
      from === undefined
        ? "Check the client id, the client secret, the account id and the environment."
        : `Check the client id (${from.clientId}), the client secret (${from.clientSecret}), the account id (${from.accountId}) and the environment (${from.environment}).`
    return sentence(`${what}${facts(this)}${listed(this.errors)}.`, {
      hint: [
        ...(from?.accountId === NOT_SET ? ["Likeliest cause: account id: not set."] : []),
        ...(isForbidden ? [MAYBE_FORBIDDEN] : []),
        check,
        ...(this.hint === undefined ? [] : [this.hint])
      ].join(" "),
      retryAfter: this.retryAfter
    })
  }

  /** @internal */
  get [meaning](): ErrorMeaning {
    return { ...noMeaning, isRefusal: true, rejectsCredentials: true }
  }
}

/**
 * The token or code that was presented is no longer good: HTTP 401 (or code 01 or 02) on refresh, revoke and exchange;
 * HTTP 404 on refresh; a bearer that Nomba calls expired; a public client without a session; or a login that was denied.
 * Get a new session.
 *
 * @since 0.1.0
 * @category errors
 */
export class Expired extends Schema.TaggedError<Expired>("nomba-auth/Expired")("Expired", { ...common, ...answered }) {
  override get message(): string {
    if (isUnsent(this)) return sentence("There is no session: the user has to log in.", this)
    return sentence(`${whatExpired(this.operation)}${facts(this)}.`, this)
  }

  /** @internal */
  get [meaning](): ErrorMeaning {
    return { ...noMeaning, isRefusal: true, endsRefreshToken: this.operation === "refresh" }
  }
}

const whatExpired = (operation: Operation): string => {
  switch (operation) {
    case "authorize":
      return "The login was denied"
    case "refresh":
      return "Nomba rejected the refresh token as invalid or expired"
    case "exchange":
      return "Nomba rejected the authorization code as invalid or expired"
    case "issue":
    case "revoke":
    case "request":
    case "store":
      return `Nomba rejected the access token on ${operation}`
  }
}

/**
 * Why something is not available.
 *
 * | reason | means |
 * |---|---|
 * | `Network` | no connection to Nomba, or it broke |
 * | `Timeout` | no complete answer in time, or HTTP 408 |
 * | `RateLimited` | HTTP 429 |
 * | `ServerError` | HTTP 5xx |
 * | `SessionContested` | Nomba rejects each new token soon after it was obtained, so renewals are spaced out |
 * | `Store` | the token store is down or refuses a command |
 * | `StoreUnreadable` | the stored session is damaged |
 * | `StoreCodec` | the stored session has another format or key |
 * | `Secret` | the source of the client secret failed |
 * | `Closed` | the layer was closed |
 *
 * @since 0.1.0
 * @category models
 */
export const UnavailableReason = Schema.Literal(
  "Network",
  "Timeout",
  "RateLimited",
  "ServerError",
  "SessionContested",
  "Store",
  "StoreUnreadable",
  "StoreCodec",
  "Secret",
  "Closed"
)

/** Failed DNS look-ups. */
const isUnresolved = (detail: string | undefined): boolean =>
  detail !== undefined && /^(?:ENOTFOUND|EAI_[A-Z]+)$/.test(detail)

/** What a store answers, such as `OOM`, in contrast to what its connection failed with. */
const isReply = (detail: string | undefined): boolean => detail !== undefined && /^(?!E[A-Z])[A-Z]+$/.test(detail)

/**
 * Something is not available for now: network, time-out, HTTP 408, 429 and 5xx, a token store, the source of the client
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
  /** The host or store it failed on: `api.nomba.com`, `Redis at cache:6379`. */
  target: Schema.optional(Schema.String),
  /** The variable or option that names the target: `NOMBA_ENVIRONMENT=production`, `options.baseUrl`. */
  setting: Schema.optional(Schema.String),
  /**
   * `no` if the request certainly was not processed (connection refused, DNS, TLS handshake, 429), so that repeating it
   * with the same single-use token is safe; otherwise `unknown`. Cloudflare Workers do not tell why a connection failed, so
   * there it is always `unknown`.
   */
  processed: Schema.optionalWith(Schema.Literal("no", "unknown"), { default: () => "unknown" as const })
}) {
  override get message(): string {
    return sentence(`${whatIsUnavailable(this)}.`, this)
  }

  /** @internal */
  get [meaning](): ErrorMeaning {
    const { healsByWaiting, ...reason } = reasonMeanings[this.reason]
    return {
      ...noMeaning,
      ...reason,
      isTransient: true,
      wasNotProcessed: this.processed === "no",
      healsByWaiting: healsByWaiting && !isRefusedByStore(this.detail)
    }
  }
}

const reasonMeanings: Readonly<
  Record<
    typeof UnavailableReason.Type,
    Pick<ErrorMeaning, "healsByWaiting"> & Partial<Pick<ErrorMeaning, "mayComeFromStall" | "statedByNomba">>
  >
> = {
  Network: { healsByWaiting: true, mayComeFromStall: true },
  Timeout: { healsByWaiting: true, mayComeFromStall: true },
  RateLimited: { healsByWaiting: true, statedByNomba: "RateLimited" },
  ServerError: { healsByWaiting: true, statedByNomba: "ServerError" },
  SessionContested: { healsByWaiting: true },
  Store: { healsByWaiting: true, mayComeFromStall: true },
  StoreUnreadable: { healsByWaiting: false },
  StoreCodec: { healsByWaiting: false },
  Secret: { healsByWaiting: true },
  Closed: { healsByWaiting: false }
}

/** What Redis answers to a user that it does not let in or does not allow the command. */
const isRefusedByStore = (detail: string | undefined): boolean =>
  detail !== undefined && ["NOPERM", "WRONGPASS", "NOAUTH"].includes(detail)

const whatIsUnavailable = (error: Unavailable): string => {
  const setting = error.setting === undefined ? "" : ` (${error.setting})`
  const nomba = `${error.target ?? "Nomba"}${setting}`
  const store = `${error.target ?? "the token store"}${setting}`
  const detail = error.detail === undefined ? "" : `: ${error.detail}`
  switch (error.reason) {
    case "Network":
      if (error.status !== undefined) return `The response of ${nomba} was cut off${operationAndFacts(error)}${detail}`
      if (isUnresolved(error.detail)) return `Cannot resolve ${nomba}${detail}`
      if (error.processed === "no") return `Cannot connect to ${nomba}${detail}`
      return `The connection to ${nomba} failed${operationAndFacts(error)}${detail}`
    case "Timeout":
      return error.operation === "store"
        ? `The renewal did not finish in time${facts(error)}${detail}`
        : `${nomba} did not answer in time${operationAndFacts(error)}${detail}`
    case "RateLimited":
      return `Nomba's rate limit is reached${operationAndFacts(error)}${detail}`
    case "ServerError":
      return `Nomba failed${operationAndFacts(error)}${detail}`
    case "SessionContested":
      return `Nomba keeps rejecting new access tokens${operationAndFacts(error)}${detail}`
    case "Store":
      return isReply(error.detail)
        ? `${error.target ?? "The token store"}${setting} refused a command${detail}`
        : `Cannot connect to ${store}${detail}`
    case "StoreUnreadable":
      return `The session in ${store} is damaged and cannot be read${detail}`
    case "StoreCodec":
      return `The session in ${store} has a format or key that this program does not have${detail}`
    case "Secret":
      return `The client secret could not be read${detail}`
    case "Closed":
      return "The layer that holds the session was closed"
  }
}

/**
 * Why a response was unexpected.
 *
 * @since 0.1.0
 * @category models
 */
export const UnexpectedReason = Schema.Literal(
  "NotJson",
  "HtmlResponse",
  "TooLarge",
  "Redirect",
  "NoUsableToken",
  "AlreadyExpired",
  "RenewalIneffective",
  "UnknownStatus",
  "OddCode",
  "Callback",
  "SchemaMismatch"
)

const whatIsUnexpected: Record<typeof UnexpectedReason.Type, string> = {
  NotJson: "a success that is not a JSON object",
  HtmlResponse: "an HTML page, which comes from a firewall or portal and not from Nomba",
  TooLarge: "a response of more than 1 MiB",
  Redirect: "a redirect, which is not followed with credentials",
  NoUsableToken: "a success without a usable access token",
  AlreadyExpired: "an access token that had already expired",
  RenewalIneffective: "a renewal that left no usable access token",
  UnknownStatus: "a status that the API does not have",
  OddCode: "a code that means neither success nor failure",
  Callback: "a callback that does not belong to this login",
  SchemaMismatch: "data that does not fit the schema"
}

/**
 * The response breaks the API's contract. Report it: `issues` holds paths and kinds, never values.
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
    const request = this.requestId === undefined ? "" : ` Request id: ${this.requestId}.`
    const what = `${whatIsUnexpected[this.reason]}${listed(this.issues)}`
    return sentence(`Unexpected response (${this.operation}${status}): ${what}.`, {
      hint: `${request}${this.hint === undefined ? "" : ` ${this.hint}`}`.trim() || undefined,
      retryAfter: this.retryAfter
    })
  }

  /** @internal */
  get [meaning](): ErrorMeaning {
    const isRefresh = this.operation === "refresh"
    return {
      ...noMeaning,
      secondTryMayHelp: isRefresh && this.reason === "AlreadyExpired",
      endsRefreshToken: isRefresh && (this.reason === "AlreadyExpired" || this.reason === "NoUsableToken")
    }
  }
}

/**
 * Every error that getting a token can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type AuthError = InvalidRequest | InvalidCredentials | Expired | Unavailable | UnexpectedResponse

/**
 * What `NombaAuth.issue` can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type IssueError = InvalidRequest | InvalidCredentials | Unavailable | UnexpectedResponse

/**
 * What `NombaAuth.refresh` can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type RefreshError = AuthError

/**
 * What `NombaAuth.revoke` can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type RevokeError = AuthError

/**
 * What `NombaAuth.exchange` can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type ExchangeError = AuthError

/**
 * The schema of the union, for programs that send errors over a wire.
 *
 * @since 0.1.0
 * @category schemas
 */
export const AuthError = Schema.Union(InvalidRequest, InvalidCredentials, Expired, Unavailable, UnexpectedResponse)
