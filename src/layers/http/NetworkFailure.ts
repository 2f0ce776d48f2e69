/**
 * Reduces the failure of an `HttpClient` to what a caller may see: a system code, and whether the request can have reached
 * Nomba. The request, the response and the cause are left out, because they hold secrets.
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as Arr from "effect/Array"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { InvalidRequest, type Operation, Unavailable } from "../../schemas/AuthError.js"
import { present } from "../../schemas/Responses.js"
import { type Host, isBlockedPort } from "../config/BaseUrl.js"

/** A request that cannot be sent is `InvalidRequest`; everything else is `Unavailable`. */
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
  return blockedPort(operation, host, error) ?? fromCause(operation, host, error)
}

/** `fetch` refuses some ports without a code. Other clients connect to them, and their failures have one. */
export const blockedPort = (
  operation: Operation,
  { setting, target }: Host,
  error: unknown
): InvalidRequest | undefined => {
  const port = /:(\d+)$/.exec(target)?.[1]
  if (port === undefined || !isBlockedPort(Number(port)) || Option.isSome(systemCode(error))) return undefined
  return new InvalidRequest({
    operation,
    errors: [`fetch refuses to connect to port ${port} of ${target}`],
    hint: `Use another port in ${setting ?? "the base URL"}.`
  })
}

/** `Unavailable` for any failure or defect of a client. */
export const fromCause = (operation: Operation, host: Host, cause: unknown): Unavailable =>
  new Unavailable({
    ...host,
    operation,
    reason: "Network",
    processed: wasNotProcessed(cause) ? "no" : "unknown",
    ...present("detail", systemCode(cause))
  })

/**
 * The system code of a failure, such as `ECONNREFUSED` or `UND_ERR_SOCKET`: its own, or that of the nearest cause with one.
 * Nothing else of a failure may be shown, because messages quote headers, bodies and addresses.
 */
export const systemCode = (failure: unknown): Option.Option<string> => Arr.head(Arr.filterMap(causes(failure), codeOf))

/**
 * Whether the request certainly was not processed, because no connection was made: every part of the failure that names a
 * system call, a code or Deno's kind of error must say so. workerd (Cloudflare) names none, so there a failure always counts
 * as possibly processed.
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
  if (typeof code === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) return Option.some(code)
  // Older versions of Bun.
  if (code === "ConnectionRefused" || code === "FailedToOpenSocket") return Option.some("ECONNREFUSED")
  if (denoPhase(cause) !== "Connect") return Option.none()
  const message = String(property(cause, "message"))
  if (/: dns error(?::|$)/.test(message)) return Option.some("ENOTFOUND")
  if (/: Connection refused\b/.test(message)) return Option.some("ECONNREFUSED")
  return /^Requires net access\b/.test(message) ? Option.some("EACCES") : Option.none()
}

/**
 * Deno tells only in its message in which phase a request failed: `…: client error (Connect): tcp connect error: …`. A
 * program that Deno does not permit to connect to the host gets a `NotCapable`.
 */
const denoPhase = (cause: object): string | undefined => {
  if (property(cause, "name") === "NotCapable") return "Connect"
  const message = property(cause, "message")
  return typeof message === "string" && message.startsWith("error sending request ")
    ? /: client error \((\w+)\)/.exec(message)?.[1]
    : undefined
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
  const phase = denoPhase(cause)
  if (phase !== undefined) return Option.some(phase === "Connect")
  const syscall = property(cause, "syscall")
  return typeof syscall === "string"
    ? Option.some(connecting.has(syscall))
    : Option.map(codeOf(cause), (code) => codesBeforeSending.some((codes) => codes.test(code)))
}
