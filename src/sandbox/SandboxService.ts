/**
 * What can be asked of a running sandbox, and done to it.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as DateTime from "effect/DateTime"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { Endpoint } from "./endpoints.js"
import type { Fault } from "./Fault.js"
import type { SandboxError } from "./SandboxError.js"
import type { Counts } from "./SandboxState.js"

/**
 * The session of a client as the sandbox holds it. It was neither replaced nor revoked, but its tokens may have
 * expired.
 *
 * @since 0.1.0
 * @category models
 */
export interface LiveSession {
  readonly clientId: string
  readonly accessToken: Redacted.Redacted
  readonly refreshToken: Redacted.Redacted
  /** By the sandbox's clock, like the two below. */
  readonly issuedAt: DateTime.Utc
  readonly expiresAt: DateTime.Utc
  readonly refreshExpiresAt: DateTime.Utc
}

/**
 * A sandbox. Where a `clientId` can be given, the first of the configured clients is meant without it.
 *
 * @since 0.1.0
 * @category services
 */
export interface SandboxService {
  /**
   * The base URL to configure. On a socket it is the address of the socket; in process it is `https://sandbox.nomba.com`,
   * so that code under test needs no other configuration than in life.
   */
  readonly url: string
  /** Reaches this sandbox, and nothing else, without a socket: each request is answered in the fiber that sends it. */
  readonly client: HttpClient.HttpClient
  /** What the sandbox has done so far. */
  readonly counts: Effect.Effect<Counts>
  /** The session that a client has, if it has one. */
  readonly session: (clientId?: string) => Effect.Effect<Option.Option<LiveSession>>
  /** Forgets the sessions, the counts and the faults. Tokens from before are dead. */
  readonly reset: Effect.Effect<void>
  /** Somebody else logs in with the same credentials, which kills the session that the client had. */
  readonly steal: (clientId?: string) => Effect.Effect<LiveSession, SandboxError>
  /** A token of the client's session dies of age now. Fails when the client has no session. */
  readonly expire: (token: "access" | "refresh", clientId?: string) => Effect.Effect<void, SandboxError>
  /** The next requests to an operation meet a misfortune; several wait in line. */
  readonly fault: (endpoint: Endpoint, fault: Fault) => Effect.Effect<void, SandboxError>
}
