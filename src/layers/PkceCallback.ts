/**
 * Reads what the user's browser brings back from a login. Callbacks are untrusted: anyone can make a browser call that
 * address with anything.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import {
  type AuthError,
  Expired,
  InvalidCredentials,
  InvalidRequest,
  Unavailable,
  UnexpectedResponse
} from "../schemas/AuthError.js"
import type { PendingLogin } from "../schemas/PendingLogin.js"
import { present } from "../schemas/Responses.js"
import { withoutSecrets } from "../schemas/SafeText.js"
import type { ExchangeOptions } from "../services/NombaAuth.js"
import * as BaseUrl from "./config/BaseUrl.js"
import { oncePerProcess } from "./processMemory.js"

/** In UTF-16 code units. Servers refuse request lines that are much longer. */
const MAX_LENGTH = 8192

const names = ["state", "iss", "code", "error", "error_description", "error_uri"] as const

type Parameters = { readonly [Name in (typeof names)[number]]?: string }

/** How many used states this process remembers. */
const USED_STATES_LIMIT = 1024

const usedStates = oncePerProcess("Pkce/usedStates", () => new Set<string>())

/**
 * Reads the callback of a login and returns the arguments of `NombaAuth.exchange`. `url` is the callback's URL, or its path
 * and query. Its origin and path must be those of the redirect URI; of a loopback address the port may be another (RFC 8252
 * section 7.3).
 *
 * A matching `state` can be used once in this process, even if the callback is an error. A wrong `state` does not cancel
 * the pending login.
 *
 * | the callback | error |
 * |---|---|
 * | `access_denied`: the user, or Nomba, refused | `Expired` |
 * | `invalid_request`, `unsupported_response_type`, `invalid_scope` | `InvalidRequest` |
 * | `unauthorized_client` | `InvalidCredentials` |
 * | `server_error`, `temporarily_unavailable` | `Unavailable` |
 * | any other `error`; a state that is missing, another login's or used before; an `iss` that is missing or another's (RFC 9207); a parameter twice; no code, or a malformed one; another origin or path than the redirect URI's; over 8,192 characters | `UnexpectedResponse`, its reason `Callback` |
 *
 * The codes are those of RFC 6749 section 4.1.2.1. No error contains a value from the callback but one of these codes and,
 * masked, the `error_description` beside it.
 *
 * @since 0.1.0
 * @category decoding
 */
export const callback = (pending: PendingLogin, url: string | URL): Effect.Effect<ExchangeOptions, AuthError> =>
  Effect.suspend((): Effect.Effect<ExchangeOptions, AuthError> => {
    const text = String(url)
    if (text.length > MAX_LENGTH) return invalid("callback: too long")
    if (!URL.canParse(text, pending.redirectUri)) return invalid("callback: not a URL")
    const callback = new URL(text, pending.redirectUri)
    const elsewhere = differencesOf(callback, new URL(pending.redirectUri))
    if (elsewhere.length > 0) return invalid(...elsewhere.map((part) => `callback: ${part} is not the redirect URI's`))
    const { searchParams } = callback
    const repeated = names.filter((name) => searchParams.getAll(name).length > 1)
    if (repeated.length > 0) return invalid(...repeated.map((name) => `${name}: repeated`))
    const found = parametersOf(searchParams)

    if (found.state === undefined) return invalid("state: missing")
    if (!isEqual(found.state, Redacted.value(pending.state))) return invalid("state: of another login")
    if (usedStates.has(found.state)) return invalid("state: used before")
    remember(found.state)

    if (found.iss === undefined && pending.issuerRequired) return invalid("iss: missing")
    if (found.iss !== undefined && found.iss !== pending.issuer) return invalid("iss: of another server")
    if (found.error !== undefined)
      return found.code === undefined ? refusal(found, pending) : invalid("code: with an error")
    if (found.code === undefined) return invalid("code: missing")
    if (!isPrintable.test(found.code)) return invalid("code: malformed")
    return Effect.succeed({
      code: Redacted.make(found.code),
      verifier: pending.verifier,
      redirectUri: pending.redirectUri
    })
  })

/** `URL.origin` is `null` for a private-use scheme, so the parts are compared. */
const differencesOf = (callback: URL, redirect: URL): ReadonlyArray<string> => {
  const isNative = redirect.protocol === "http:" && BaseUrl.isLoopback(redirect.hostname)
  const hasSameOrigin =
    callback.protocol === redirect.protocol &&
    callback.hostname === redirect.hostname &&
    (isNative || callback.port === redirect.port) &&
    callback.username === redirect.username &&
    callback.password === redirect.password
  return [...(hasSameOrigin ? [] : ["origin"]), ...(callback.pathname === redirect.pathname ? [] : ["path"])]
}

/** RFC 6749 appendix A.11. */
const isPrintable = /^[\x20-\x7e]+$/

const invalid = (...issues: ReadonlyArray<string>): UnexpectedResponse =>
  new UnexpectedResponse({ operation: "authorize", reason: "Callback", issues })

/** RFC 6749 section 3.1: a parameter without a value is as if it were left out. */
const parametersOf = (searchParams: URLSearchParams): Parameters =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = searchParams.get(name)
      return value === null || value === "" ? [] : [[name, value]]
    })
  )

/** In constant time for texts of the same length. */
const isEqual = (actual: string, expected: string): boolean => {
  if (actual.length !== expected.length) return false
  let difference = 0
  for (let at = 0; at < expected.length; at++) difference |= actual.charCodeAt(at) ^ expected.charCodeAt(at)
  return difference === 0
}

const remember = (state: string): void => {
  usedStates.add(state)
  for (const oldest of usedStates) {
    if (usedStates.size <= USED_STATES_LIMIT) return
    usedStates.delete(oldest)
  }
}

const refusal = ({ error: code, error_description }: Parameters, pending: PendingLogin): AuthError => {
  const about = {
    operation: "authorize",
    code,
    ...present(
      "description",
      Option.map(Option.fromNullable(error_description), (description) =>
        withoutSecrets(description, [pending.state, pending.verifier], 200)
      )
    )
  } as const
  switch (code) {
    case "access_denied":
      return new Expired(about)
    case "invalid_request":
    case "unsupported_response_type":
    case "invalid_scope":
      return new InvalidRequest(about)
    case "unauthorized_client":
      return new InvalidCredentials(about)
    case "server_error":
    case "temporarily_unavailable":
      return new Unavailable({ ...about, reason: "ServerError" })
    default:
      return invalid("error: unknown")
  }
}
