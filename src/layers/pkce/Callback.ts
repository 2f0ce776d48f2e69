/**
 * What the person's browser brings back from a login. Anybody can make a browser call that address with anything.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { globalValue } from "effect/GlobalValue"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import {
  type AuthError,
  Expired,
  InvalidCredentials,
  InvalidRequest,
  Unavailable,
  UnexpectedResponse
} from "../../schemas/AuthError.js"
import type { PendingLogin } from "../../schemas/PendingLogin.js"
import { withoutSecrets } from "../../schemas/SafeText.js"
import type { ExchangeOptions } from "../../services/NombaAuth.js"
import { present } from "../http/present.js"

/** In UTF-16 code units; servers refuse request lines not much longer than this. */
const LONGEST = 8192

const names = ["state", "iss", "code", "error", "error_description", "error_uri"] as const

type Parameters = { readonly [Name in (typeof names)[number]]?: string }

/** How many of the states that were used last are remembered by this process. */
const REMEMBERED = 1024

const usedStates = globalValue(Symbol.for("nomba-auth/Pkce/usedStates"), () => new Set<string>())

/**
 * Reads the callback of a login, a URL or the path and query of one, and gives what `NombaAuth.exchange` takes. A state
 * that fits is good for one read in this process, whatever it brings; one that does not fit leaves the login pending.
 *
 * | the callback | error |
 * |---|---|
 * | `access_denied`: the person, or Nomba, said no | `Expired` |
 * | `invalid_request`, `unsupported_response_type`, `invalid_scope` | `InvalidRequest` |
 * | `unauthorized_client` | `InvalidCredentials` |
 * | `server_error`, `temporarily_unavailable` | `Unavailable` |
 * | any other `error`; a state that is missing, another login's or used before; an `iss` that is missing or another's (RFC 9207); a parameter twice; no code, or an odd one; over 8,192 characters | `UnexpectedResponse`, its reason `Callback` |
 *
 * The codes are those of RFC 6749 section 4.1.2.1. No error holds a value from the callback but one of these codes and,
 * masked, the `error_description` beside it.
 *
 * @since 0.1.0
 * @category decoding
 */
export const callback = (pending: PendingLogin, url: string | URL): Effect.Effect<ExchangeOptions, AuthError> =>
  Effect.suspend((): Effect.Effect<ExchangeOptions, AuthError> => {
    const text = String(url)
    if (text.length > LONGEST) return unfit("callback: too long")
    if (!URL.canParse(text, pending.redirectUri)) return unfit("callback: not a URL")
    const { searchParams } = new URL(text, pending.redirectUri)
    const repeated = names.filter((name) => searchParams.getAll(name).length > 1)
    if (repeated.length > 0) return unfit(...repeated.map((name) => `${name}: repeated`))
    const found = parametersOf(searchParams)

    if (found.state === undefined) return unfit("state: missing")
    if (!isEqual(found.state, Redacted.value(pending.state))) return unfit("state: of another login")
    if (usedStates.has(found.state)) return unfit("state: used before")
    remember(found.state)

    if (found.iss === undefined && pending.issuerRequired) return unfit("iss: missing")
    if (found.iss !== undefined && found.iss !== pending.issuer) return unfit("iss: of another server")
    if (found.error !== undefined)
      return found.code === undefined ? refusal(found, pending) : unfit("code: with an error")
    if (found.code === undefined) return unfit("code: missing")
    if (!isPrintable.test(found.code)) return unfit("code: malformed")
    return Effect.succeed({
      code: Redacted.make(found.code),
      verifier: pending.verifier,
      redirectUri: pending.redirectUri
    })
  })

/** RFC 6749 appendix A.11. */
const isPrintable = /^[\x20-\x7e]+$/

const unfit = (...issues: ReadonlyArray<string>): UnexpectedResponse =>
  new UnexpectedResponse({ operation: "authorize", reason: "Callback", issues })

/** RFC 6749 section 3.1: a parameter without a value is as if it were left out. */
const parametersOf = (searchParams: URLSearchParams): Parameters =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = searchParams.get(name)
      return value === null || value === "" ? [] : [[name, value]]
    })
  )

/** Takes as long for any text of the same length. */
const isEqual = (actual: string, expected: string): boolean => {
  if (actual.length !== expected.length) return false
  let difference = 0
  for (let at = 0; at < expected.length; at++) difference |= actual.charCodeAt(at) ^ expected.charCodeAt(at)
  return difference === 0
}

const remember = (state: string): void => {
  usedStates.add(state)
  for (const oldest of usedStates) {
    if (usedStates.size <= REMEMBERED) return
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
      return unfit("error: unknown")
  }
}
