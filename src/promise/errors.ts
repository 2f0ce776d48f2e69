/**
 * The errors of `nomba-auth/promise`: one class for each thing that you do differently. `instanceof` and
 * `switch (error._tag)` both work. None of them carries a request, a response, a header or a cause, because those hold
 * secrets; `JSON.stringify` and `console.log` are safe.
 *
 * @since 0.1.0
 */

/**
 * What failed: a token request (`issue`, `refresh`, `revoke`), your own `request`, or the token `store`.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = "issue" | "refresh" | "revoke" | "exchange" | "authorize" | "request" | "store"

interface Common {
  readonly operation: Operation
  /** How long to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  /** What to check or do. */
  readonly hint?: string | undefined
}

interface Answered extends Common {
  /** The HTTP status. Absent if nothing was sent. */
  readonly status?: number | undefined
  /** Nomba's `code`. */
  readonly code?: string | undefined
  /** Nomba's `description`; secrets are masked. */
  readonly description?: string | undefined
}

/** An error whose fields are its own, so that every tool prints them. */
abstract class Failure<Fields extends object> extends Error {
  abstract readonly _tag: string

  constructor(message: string, fields: Fields) {
    super(message)
    Object.assign(this, fields)
  }
}

/** The class's name, for stacks. It is not a field, so that tools do not print it twice. */
const setName = (constructor: { readonly prototype: object }, name: string): void => {
  Object.defineProperty(constructor.prototype, "name", { value: name, configurable: true, writable: true })
}

/**
 * The request is wrong, and repeating it does not help: HTTP 400 and most other 4xx of a token request, a path outside of the
 * base URL, a body that cannot be encoded. `status` is absent if nothing was sent. Fix the call.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidRequest extends Failure<InvalidRequestFields> {
  readonly _tag = "InvalidRequest"
  declare readonly operation: Operation
  declare readonly status?: number
  declare readonly code?: string
  declare readonly description?: string
  /** Nomba's list of details, or what is wrong with your input. */
  declare readonly errors: ReadonlyArray<string>
  declare readonly retryAfterMs?: number
  declare readonly hint?: string
}

/**
 * The fields of `InvalidRequest`.
 *
 * @since 0.1.0
 * @category models
 */
export interface InvalidRequestFields extends Answered {
  readonly errors: ReadonlyArray<string>
}

/**
 * Nomba does not accept these credentials: HTTP 401 when requesting a token, HTTP 403 on any token request. Fix the client
 * id, the client secret, the account id or the environment. The message begins with the likeliest cause.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidCredentials extends Failure<InvalidCredentialsFields> {
  readonly _tag = "InvalidCredentials"
  declare readonly operation: Operation
  declare readonly status?: number
  declare readonly code?: string
  declare readonly description?: string
  /** Nomba's list of details; secrets are masked. */
  declare readonly errors: ReadonlyArray<string>
  /** Where each part of the credentials came from: `NOMBA_CLIENT_ID`, `options.clientId`, `not set`. */
  declare readonly origins?: CredentialOrigins
  declare readonly retryAfterMs?: number
  declare readonly hint?: string
}

/**
 * The fields of `InvalidCredentials`.
 *
 * @since 0.1.0
 * @category models
 */
export interface InvalidCredentialsFields extends Answered {
  readonly errors: ReadonlyArray<string>
  readonly origins?: CredentialOrigins | undefined
}

/**
 * Where each part of the credentials came from: `NOMBA_CLIENT_ID`, `options.clientId`, `not set`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CredentialOrigins {
  readonly clientId: string
  readonly clientSecret: string
  readonly accountId: string
  readonly environment: string
}

/**
 * The token that was presented is no longer good. The library gets a new one by itself; you see this error only from
 * `logout`, if Nomba refused the token before its lifetime was over.
 *
 * @since 0.1.0
 * @category errors
 */
export class Expired extends Failure<ExpiredFields> {
  readonly _tag = "Expired"
  declare readonly operation: Operation
  declare readonly status?: number
  declare readonly code?: string
  declare readonly description?: string
  declare readonly retryAfterMs?: number
  declare readonly hint?: string
}

/**
 * The fields of `Expired`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ExpiredFields extends Answered {}

/**
 * Why something is not available.
 *
 * @since 0.1.0
 * @category models
 */
export type UnavailableReason =
  | "Network"
  | "Timeout"
  | "RateLimited"
  | "ServerError"
  | "SessionContested"
  | "Store"
  | "StoreUnreadable"
  | "StoreCodec"
  | "Secret"
  | "Closed"

/**
 * Something is not available for now: the network, Nomba (408, 429, 5xx), the token store, the source of the client secret.
 * The library has retried already. Wait `retryAfterMs` if it is there.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unavailable extends Failure<UnavailableFields> {
  readonly _tag = "Unavailable"
  declare readonly operation: Operation
  declare readonly reason: UnavailableReason
  declare readonly status?: number
  declare readonly code?: string
  declare readonly description?: string
  /** A system code such as `ECONNREFUSED`. */
  declare readonly detail?: string
  /** The host or store that failed: `api.nomba.com`, `Redis at cache:6379`. */
  declare readonly target?: string
  /** The variable or option that names the target. */
  declare readonly setting?: string
  /** `no` if the request certainly was not processed, so that you may send it again. */
  declare readonly processed: "no" | "unknown"
  declare readonly retryAfterMs?: number
  declare readonly hint?: string
}

/**
 * The fields of `Unavailable`.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnavailableFields extends Answered {
  readonly reason: UnavailableReason
  readonly detail?: string | undefined
  readonly target?: string | undefined
  readonly setting?: string | undefined
  readonly processed: "no" | "unknown"
}

/**
 * Why a response was unexpected.
 *
 * @since 0.1.0
 * @category models
 */
export type UnexpectedReason =
  | "NotJson"
  | "HtmlResponse"
  | "TooLarge"
  | "Redirect"
  | "NoUsableToken"
  | "AlreadyExpired"
  | "RenewalIneffective"
  | "UnknownStatus"
  | "OddCode"
  | "Callback"
  | "SchemaMismatch"

/**
 * The response breaks the API's contract, or its `data` does not fit your schema. Report it: `issues` holds paths and kinds,
 * never values.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedResponse extends Failure<UnexpectedResponseFields> {
  readonly _tag = "UnexpectedResponse"
  declare readonly operation: Operation
  declare readonly reason: UnexpectedReason
  declare readonly status?: number
  /** For instance `data.amount: missing`. */
  declare readonly issues: ReadonlyArray<string>
  /** Nomba's own id of the request, for a report to Nomba. */
  declare readonly requestId?: string
  declare readonly retryAfterMs?: number
  declare readonly hint?: string
}

/**
 * The fields of `UnexpectedResponse`.
 *
 * @since 0.1.0
 * @category models
 */
export interface UnexpectedResponseFields extends Common {
  readonly reason: UnexpectedReason
  readonly status?: number | undefined
  readonly issues: ReadonlyArray<string>
  readonly requestId?: string | undefined
}

/**
 * Nomba answered your `request`, and the answer is not a success: the HTTP status is not 2xx, or the `code` or the
 * `description` says that the call failed.
 *
 * @since 0.1.0
 * @category errors
 */
export class NombaRequestFailed extends Failure<NombaRequestFailedFields> {
  readonly _tag = "NombaRequestFailed"
  /** The HTTP status. It may be 200: see `code`. */
  declare readonly status: number
  declare readonly code?: string
  declare readonly description?: string
  declare readonly errors: ReadonlyArray<string>
  /** Whether you may send the same call again without a reference that makes it idempotent: 429, or a 5xx on GET or HEAD. */
  declare readonly retryable: boolean
  /** `no` if Nomba certainly did not carry out this request. */
  declare readonly processed: "no" | "unknown"
  declare readonly retryAfterMs?: number
}

/**
 * The fields of `NombaRequestFailed`.
 *
 * @since 0.1.0
 * @category models
 */
export interface NombaRequestFailedFields {
  readonly status: number
  readonly code?: string | undefined
  readonly description?: string | undefined
  readonly errors: ReadonlyArray<string>
  readonly retryable: boolean
  readonly processed: "no" | "unknown"
  readonly retryAfterMs?: number | undefined
}

/**
 * One setting that is missing or wrong.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConfigField {
  /** The variable or option: `NOMBA_CLIENT_ID`, `options.clientId`. */
  readonly name: string
  /** A whole sentence, which never quotes the value. */
  readonly message: string
}

/**
 * Settings are missing or wrong. `createNomba` throws it; a token store whose settings are wrong rejects the first call with
 * it. `fields` lists every problem at once.
 *
 * @since 0.1.0
 * @category errors
 */
export class NombaConfigError extends Failure<{ readonly fields: ReadonlyArray<ConfigField> }> {
  readonly _tag = "NombaConfigError"
  declare readonly fields: ReadonlyArray<ConfigField>

  constructor(fields: ReadonlyArray<ConfigField>) {
    super(fields.map(({ message }) => `${message}.`).join("\n"), { fields })
  }
}

/**
 * Every error of this library.
 *
 * @since 0.1.0
 * @category errors
 */
export type NombaError =
  | InvalidRequest
  | InvalidCredentials
  | Expired
  | Unavailable
  | UnexpectedResponse
  | NombaRequestFailed
  | NombaConfigError

/**
 * Whether an error is one of this library's, so that `switch (error._tag)` knows its fields.
 *
 * @since 0.1.0
 * @category guards
 */
export const isNombaError = (error: unknown): error is NombaError => error instanceof Failure

for (const [name, constructor] of Object.entries({
  InvalidRequest,
  InvalidCredentials,
  Expired,
  Unavailable,
  UnexpectedResponse,
  NombaRequestFailed,
  NombaConfigError
} satisfies { readonly [E in NombaError as E["_tag"]]: unknown })) {
  setName(constructor, name)
}
