/** Reads an authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3). */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Client } from "../config/Options.js"
import type { AuthorizationRequest } from "../state/Logins.js"
import * as RedirectUri from "./RedirectUri.js"

export type ParsedRequest =
  | { readonly _tag: "Valid"; readonly authorization: AuthorizationRequest }
  /** Only the user is told: the redirect URI cannot be trusted (RFC 6749 section 4.1.2.1). */
  | { readonly _tag: "ShowError"; readonly problem: string }
  /** The client is told. */
  | { readonly _tag: "RedirectError"; readonly clientId: string; readonly location: string; readonly problem: string }

const once = (parameters: URLSearchParams, name: string): string | undefined => {
  const [value, ...more] = parameters.getAll(name)
  return more.length === 0 && value !== "" ? value : undefined
}

const repeated = (parameters: URLSearchParams): boolean =>
  ["response_type", "scope", "state", "code_challenge", "code_challenge_method"].some(
    (name) => parameters.getAll(name).length > 1
  )

/** 32 bytes in base64url. */
const challengePattern = /^[A-Za-z0-9\-_]{43}$/

interface Problem {
  readonly error: string
  readonly error_description: string
}

const invalid = (error_description: string): Problem => ({ error: "invalid_request", error_description })

const problemOf = (parameters: URLSearchParams): Problem | undefined => {
  if (repeated(parameters)) return invalid("a parameter occurs twice")
  const type = once(parameters, "response_type")
  if (type === undefined) return invalid("response_type is missing")
  if (type !== "code") {
    return { error: "unsupported_response_type", error_description: "response_type must be code" }
  }
  const challenge = once(parameters, "code_challenge")
  if (challenge === undefined) return invalid("code_challenge is missing")
  if (once(parameters, "code_challenge_method") !== "S256") return invalid("code_challenge_method must be S256")
  return challengePattern.test(challenge) ? undefined : invalid("code_challenge must be 43 characters of base64url")
}

export const read = (parameters: URLSearchParams, clients: ReadonlyMap<string, Client>): ParsedRequest => {
  const client = clients.get(once(parameters, "client_id") ?? "")
  if (client === undefined) return { _tag: "ShowError", problem: "the client_id is not known to this sandbox" }
  const redirectUri = once(parameters, "redirect_uri")
  if (redirectUri === undefined || !RedirectUri.isRegistered(client.redirectUris ?? [], redirectUri)) {
    return { _tag: "ShowError", problem: "the redirect_uri is not registered for this client" }
  }
  const state = once(parameters, "state")
  const problem = problemOf(parameters)
  return problem === undefined
    ? {
        _tag: "Valid",
        authorization: {
          clientId: client.clientId,
          redirectUri,
          challenge: once(parameters, "code_challenge") ?? "",
          state: Option.map(Option.fromNullable(state), Redacted.make)
        }
      }
    : {
        _tag: "RedirectError",
        clientId: client.clientId,
        location: RedirectUri.withParameters(redirectUri, { ...problem, state }),
        problem: problem.error_description
      }
}
