/**
 * The logins that wait for a person's answer, the authorization codes that came of others, and every way in which that
 * changes. Bounded: 64 logins, and the last 256 codes.
 */
import { createHash } from "node:crypto"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** What a client asks for: RFC 6749 section 4.1.1, RFC 7636 section 4.3. */
export interface AuthorizationRequest {
  readonly clientId: string
  readonly redirectUri: string
  /** Of S256. */
  readonly challenge: string
  /** Given back as it came. */
  readonly state: Option.Option<Redacted.Redacted>
}

interface Waiting extends AuthorizationRequest {
  /** Known to the page alone, so that no other page can answer for the person. */
  readonly ticket: Redacted.Redacted
  readonly until: number
}

interface Code extends AuthorizationRequest {
  readonly code: Redacted.Redacted
  readonly until: number
  readonly used: boolean
  /** The session that came of it. */
  readonly sessionId: Option.Option<string>
}

/** All logins; the oldest first. */
export interface Logins {
  readonly waiting: ReadonlyArray<Waiting>
  readonly codes: ReadonlyArray<Code>
}

/** What comes of a change, and the logins after it. */
export type Change<A> = (logins: Logins) => readonly [A, Logins]

/** Nobody has come yet. */
export const empty: Logins = { waiting: [], codes: [] }

const mostWaiting = 64
const mostCodes = 256

/** How long a person may take, in milliseconds. */
const patience = 10 * 60_000

/** How long a code lives, in milliseconds. RFC 6749 section 4.1.2 allows ten minutes at most. */
const lifetime = 60_000

const isSame = (one: Redacted.Redacted, other: Redacted.Redacted): boolean =>
  Redacted.value(one) === Redacted.value(other)

/** A person is request. */
export const start =
  (request: AuthorizationRequest, ticket: Redacted.Redacted, now: number): Change<void> =>
  (logins) => [
    undefined,
    { ...logins, waiting: [...logins.waiting, { ...request, ticket, until: now + patience }].slice(-mostWaiting) }
  ]

/** The person answers, once: what was request, if that is still waiting. */
export const finish =
  (ticket: Redacted.Redacted, now: number): Change<Option.Option<AuthorizationRequest>> =>
  (logins) => {
    const found = Option.fromNullable(logins.waiting.find((one) => isSame(one.ticket, ticket)))
    const waiting = logins.waiting.filter((one) => !isSame(one.ticket, ticket))
    return [Option.filter(found, ({ until }) => now < until), { ...logins, waiting }]
  }

/** The person said yes. */
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

/** What comes with a code: RFC 6749 section 4.1.3, RFC 7636 section 4.5. */
export interface CodeExchange {
  readonly clientId: string
  readonly code: Redacted.Redacted
  readonly verifier: Redacted.Redacted
  readonly redirectUri: string
}

/** Why a code is no good. */
export type CodeRefusal = "unknown" | "used" | "expired" | "client" | "redirect" | "verifier"

/** What a code is worth; a code that was used may have brought a session. */
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

/** A code is exchange. Whatever comes of it, no code is good for a second try of its own client. */
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

/** A session came of a code. */
export const linkSession =
  (code: Redacted.Redacted, sessionId: string) =>
  (logins: Logins): Logins => ({
    ...logins,
    codes: logins.codes.map((one) => (isSame(one.code, code) ? { ...one, sessionId: Option.some(sessionId) } : one))
  })
