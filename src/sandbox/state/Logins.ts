/** The pending logins, the authorization codes, and every change of them. Bounded: 64 logins and the last 256 codes. */
import { createHash } from "node:crypto"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** RFC 6749 section 4.1.1, RFC 7636 section 4.3. */
export interface AuthorizationRequest {
  readonly clientId: string
  readonly redirectUri: string
  /** With the method S256. */
  readonly challenge: string
  /** Returned unchanged. */
  readonly state: Option.Option<Redacted.Redacted>
}

interface Waiting extends AuthorizationRequest {
  /** Only the login page knows it, so that no other page can approve. */
  readonly ticket: Redacted.Redacted
  readonly until: number
}

interface Code extends AuthorizationRequest {
  readonly code: Redacted.Redacted
  readonly until: number
  readonly used: boolean
  /** The session that it started. */
  readonly sessionId: Option.Option<string>
}

/** The oldest first. */
export interface Logins {
  readonly waiting: ReadonlyArray<Waiting>
  readonly codes: ReadonlyArray<Code>
}

/** A change: its result, and the logins after it. */
export type Change<A> = (logins: Logins) => readonly [A, Logins]

export const empty: Logins = { waiting: [], codes: [] }

const mostWaiting = 64
const mostCodes = 256

/** How long the user has, in milliseconds. */
const patience = 10 * 60_000

/** Lifetime of a code in milliseconds. RFC 6749 section 4.1.2 allows ten minutes at most. */
const lifetime = 60_000

const isSame = (one: Redacted.Redacted, other: Redacted.Redacted): boolean =>
  Redacted.value(one) === Redacted.value(other)

export const start =
  (request: AuthorizationRequest, ticket: Redacted.Redacted, now: number): Change<void> =>
  (logins) => [
    undefined,
    { ...logins, waiting: [...logins.waiting, { ...request, ticket, until: now + patience }].slice(-mostWaiting) }
  ]

/** Ends a pending login. It works once. */
export const finish =
  (ticket: Redacted.Redacted, now: number): Change<Option.Option<AuthorizationRequest>> =>
  (logins) => {
    const found = Option.fromNullable(logins.waiting.find((one) => isSame(one.ticket, ticket)))
    const waiting = logins.waiting.filter((one) => !isSame(one.ticket, ticket))
    return [Option.filter(found, ({ until }) => now < until), { ...logins, waiting }]
  }

export const addCode =
  (
    { challenge, clientId, redirectUri, state }: AuthorizationRequest,
    code: Redacted.Redacted,
    now: number
  ): Change<void> =>
  (logins) => {
    const granted = { challenge, clientId, redirectUri, state, code, until: now + lifetime, used: false }
    return [
      undefined,
      { ...logins, codes: [...logins.codes, { ...granted, sessionId: Option.none() }].slice(-mostCodes) }
    ]
  }

/** RFC 6749 section 4.1.3, RFC 7636 section 4.5. */
export interface CodeExchange {
  readonly clientId: string
  readonly code: Redacted.Redacted
  readonly verifier: Redacted.Redacted
  readonly redirectUri: string
}

export type CodeRefusal = "unknown" | "used" | "expired" | "client" | "redirect" | "verifier"

/** `sessionId` is the session that a used code started. */
export type Verdict =
  | { readonly refusal: CodeRefusal; readonly sessionId: Option.Option<string> }
  | { readonly refusal: undefined }

const challengeOf = (verifier: Redacted.Redacted): string =>
  createHash("sha256").update(Redacted.value(verifier)).digest("base64url")

const refusalOf = (found: Code, exchange: CodeExchange, now: number): CodeRefusal | undefined => {
  if (found.clientId !== exchange.clientId) return "client"
  if (found.used) return "used"
  if (now >= found.until) return "expired"
  if (found.redirectUri !== exchange.redirectUri) return "redirect"
  return found.challenge === challengeOf(exchange.verifier) ? undefined : "verifier"
}

/** Uses a code. Even if it is rejected, its client cannot try it again. */
export const redeem =
  (exchange: CodeExchange, now: number): Change<Verdict> =>
  (logins) => {
    const found = logins.codes.find(({ code }) => isSame(code, exchange.code))
    if (found === undefined) return [{ refusal: "unknown", sessionId: Option.none() }, logins]
    const refusal = refusalOf(found, exchange, now)
    const codes = logins.codes.map((one) => (one === found && refusal !== "client" ? { ...one, used: true } : one))
    return [
      refusal === undefined
        ? { refusal }
        : { refusal, sessionId: refusal === "used" ? found.sessionId : Option.none() },
      { ...logins, codes }
    ]
  }

/** Remembers which session a code started. */
export const linkSession =
  (code: Redacted.Redacted, sessionId: string) =>
  (logins: Logins): Logins => ({
    ...logins,
    codes: logins.codes.map((one) => (isSame(one.code, code) ? { ...one, sessionId: Option.some(sessionId) } : one))
  })
