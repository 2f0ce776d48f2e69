/** The public interface of a running sandbox. */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import type { Fault } from "../config/Fault.js"
import type { FaultTarget } from "../config/operations.js"
import type { Resource } from "../config/Resource.js"
import type { SandboxError } from "../config/SandboxError.js"
import type { Switches, SwitchesInput } from "../config/Switches.js"
import type { Counts } from "../state/Counts.js"
import type { SandboxView } from "./Views.js"

/**
 * A session of a client. It was neither replaced nor revoked, but its tokens may have expired.
 *
 * @since 0.1.0
 * @category models
 */
export interface LiveSession {
  readonly clientId: string
  readonly accessToken: Redacted.Redacted
  readonly refreshToken: Redacted.Redacted
  /** Times are by the sandbox's clock. */
  readonly issuedAt: DateTime.Utc
  readonly expiresAt: DateTime.Utc
  readonly refreshExpiresAt: DateTime.Utc
}

/**
 * A running sandbox. A `clientId` that is left out means the first configured client. `ControlApi` offers the same over
 * HTTP.
 *
 * @since 0.1.0
 * @category services
 */
export interface SandboxService {
  /**
   * The base URL to configure. In process it is `https://sandbox.nomba.com`, so that the code under test needs no other
   * configuration than in production.
   */
  readonly url: string
  /** Reaches this sandbox and nothing else, without a socket. Each request is answered in the fiber that sends it. */
  readonly client: HttpClient.HttpClient
  /** Requests and sessions so far. */
  readonly counts: Effect.Effect<Counts>
  /** The newest session of a client. */
  readonly session: (clientId?: string) => Effect.Effect<Option.Option<LiveSession>>
  /** All sessions. A client has one at most, unless `singleSession` is off. */
  readonly sessions: Effect.Effect<ReadonlyArray<LiveSession>>
  /** The whole state with the last 200 requests, every secret masked. */
  readonly view: Effect.Effect<SandboxView>
  /** The state at once and after each change, at most ten times a second. The stream does not end. */
  readonly views: Stream.Stream<SandboxView>
  /** The sandbox's time: the clock of the calling fiber plus the switch `clockOffset`. */
  readonly now: Effect.Effect<DateTime.Utc>
  /** Moves the sandbox's clock ahead and returns its time. Fails with reason `Clock`. */
  readonly advance: (duration: Duration.DurationInput) => Effect.Effect<DateTime.Utc, SandboxError>
  /** Sets the sandbox's clock and returns its time. Fails with reason `Clock`. */
  readonly setTime: (at: DateTime.DateTime.Input) => Effect.Effect<DateTime.Utc, SandboxError>
  /** The current switches. */
  readonly switches: Effect.Effect<Switches>
  /** Changes the given switches, for every request from now on. Fails with reason `Options`. */
  readonly configure: (switches: SwitchesInput) => Effect.Effect<Switches, SandboxError>
  /**
   * Returns to the state at the start: no sessions, records, faults, counters or logged requests, and the switches, the
   * clock and the added responses as they were. Tokens from before are invalid. With a seed the first tokens come again.
   */
  readonly reset: Effect.Effect<void>
  /**
   * Simulates another login with the same credentials. If `singleSession` is on, it ends the client's session. Fails with
   * reason `Client`.
   */
  readonly steal: (clientId?: string) => Effect.Effect<LiveSession, SandboxError>
  /**
   * Lets a token of each of the client's sessions expire now. If the sandbox's clock is set back, the token is valid again.
   * Fails with reason `Session` if the client has none.
   */
  readonly expire: (token: "access" | "refresh", clientId?: string) => Effect.Effect<void, SandboxError>
  /** Revokes the client's sessions. Fails with reason `Session` if the client has none. */
  readonly revoke: (clientId?: string) => Effect.Effect<void, SandboxError>
  /**
   * Adds a fault for the next requests to a target: an operation, or a method and path. Up to 64 can be queued for each.
   * Fails with reason `Fault`.
   */
  readonly fault: (target: FaultTarget, fault: Fault) => Effect.Effect<void, SandboxError>
  /** Removes all faults. */
  readonly clearFaults: Effect.Effect<void>
  /** Adds a response, or replaces the one of the same method and path. Fails with reason `Resource`. */
  readonly respond: (resource: Resource) => Effect.Effect<void, SandboxError>
  /** Removes all added responses. The built-in ones stay. */
  readonly clearResponses: Effect.Effect<void>
}
