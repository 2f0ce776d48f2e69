/**
 * What an `HttpClient` failed with, reduced to what a caller may see: a system code, and whether the request can have
 * reached Nomba. The request, the response and the cause stay behind, because they carry secrets.
 *
 * @since 0.1.0
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as Arr from "effect/Array"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { InvalidRequest, type Operation, Unavailable } from "../../schemas/AuthError.js"
import type { Host } from "./Host.js"
import { present } from "./present.js"

/**
 * An unsendable request is `InvalidRequest`; everything else is `Unavailable`.
 *
 * @since 0.1.0
 */
export const fromHttpClientError = (
  operation: Operation,
  host: Host,
  error: HttpClientError.HttpClientError
): InvalidRequest | Unavailable => {
  if (error._tag === "RequestError" && error.reason === "InvalidUrl") {
    return new InvalidRequest({ operation, errors: ["the URL is not valid"], hint: "Check the base URL." })
  }
  if (error._tag === "RequestError" && error.reason === "Encode") {
    return new InvalidRequest({ operation, errors: ["the body cannot be encoded"] })
  }
  return fromCause(operation, host, error)
}

/**
 * `Unavailable` for whatever a client failed or died with.
 *
 * @since 0.1.0
 */
export const fromCause = (operation: Operation, host: Host, cause: unknown): Unavailable =>
  new Unavailable({
    ...host,
    operation,
    reason: "Network",
    processed: wasNotProcessed(cause) ? "no" : "unknown",
    ...present("detail", systemCode(cause))
  })

/**
 * The system code of a failure, such as `ECONNREFUSED` or `UND_ERR_SOCKET`: its own, or that of the nearest cause that
 * has one. Nothing else of a failure may be told, because messages quote headers, bodies and addresses.
 *
 * @since 0.1.0
 */
export const systemCode = (failure: unknown): Option.Option<string> => Arr.head(Arr.filterMap(causes(failure), codeOf))

/**
 * Whether the request certainly was not processed, because no connection was made: every part of the failure that names
 * a system call or a code must say so.
 *
 * @since 0.1.0
 */
export const wasNotProcessed = (failure: unknown): boolean => {
  const verdicts = Arr.filterMap(causes(failure), wasBeforeSending)
  return verdicts.length > 0 && verdicts.every((before) => before)
}

/** How much of a failure is looked at: causes may be long, wide or circular. */
const LIMIT = 32

/** A failure, its `cause`s and the members of an `AggregateError` (one for each address that was tried). */
const causes = (failure: unknown): ReadonlyArray<object> => {
  const found = new Set<object>()
  const queue = [failure]
  while (queue.length > 0 && found.size < LIMIT) {
    const cause = queue.shift()
    if (!Predicate.isObject(cause) || found.has(cause)) continue
    found.add(cause)
    const errors = property(cause, "errors")
    queue.push(property(cause, "cause"), ...(Array.isArray(errors) ? errors.slice(0, LIMIT) : []))
  }
  return [...found]
}

const property = (value: object, name: string): unknown =>
  Option.getOrUndefined(Option.liftThrowable(() => (value as Record<string, unknown>)[name])())

const codeOf = (cause: object): Option.Option<string> => {
  const code = property(cause, "code")
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? Option.some(code) : Option.none()
}

const connecting = new Set(["connect", "getaddrinfo"])

const codesBeforeSending = [
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_[A-Z]+|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/,
  /^(?:CERT_|UNABLE_TO_|ERR_TLS_CERT_)[A-Z_]+$/,
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)|PATH_LENGTH_EXCEEDED)$/,
  /^ERR_SSL_(?:WRONG_VERSION_NUMBER|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE)$/,
  /^ERR_SSL_[A-Z0-9_]*(?:HANDSHAKE_FAILURE|ALERT_PROTOCOL_VERSION|UNRECOGNIZED_NAME)$/
]

const wasBeforeSending = (cause: object): Option.Option<boolean> => {
  const syscall = property(cause, "syscall")
  return typeof syscall === "string"
    ? Option.some(connecting.has(syscall))
    : Option.map(codeOf(cause), (code) => codesBeforeSending.some((codes) => codes.test(code)))
}
