/** What can be asked of a running sandbox, and done to it. */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import type { Endpoint } from "../config/endpoints.js"
import type { Fault } from "../config/Fault.js"
import type { SandboxError } from "../config/SandboxError.js"
import type { Switches, SwitchesInput } from "../config/Switches.js"
import type { Counts } from "../state/Counts.js"
import type { SandboxView } from "./Views.js"

/**
 * A session of a client as the sandbox holds it. It was neither replaced nor revoked, but its tokens may have expired.
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
 * A sandbox. Where a `clientId` can be given, the first of the configured clients is meant without it. The same can be
 * asked and done over HTTP: see `ControlApi`.
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
  /** The newest session of a client, if it has one. */
  readonly session: (clientId?: string) => Effect.Effect<Option.Option<LiveSession>>
  /** Every session that is alive. A client has one, unless `singleSession` is off. */
  readonly sessions: Effect.Effect<ReadonlyArray<LiveSession>>
  /** All that can be seen of the sandbox, the last 200 requests included, with every secret masked. */
  readonly view: Effect.Effect<SandboxView>
  /** The view at once, and whenever it changed, at most ten times a second. It does not end by itself. */
  readonly views: Stream.Stream<SandboxView>
  /** The sandbox's time: the clock of the calling fiber, and the switch `clockOffset`. */
  readonly now: Effect.Effect<DateTime.Utc>
  /** The sandbox's clock jumps ahead, and goes on from there; gives the time. Fails with the reason `Clock`. */
  readonly advance: (duration: Duration.DurationInput) => Effect.Effect<DateTime.Utc, SandboxError>
  /** The sandbox's clock is set, and goes on from there; gives the time. Fails with the reason `Clock`. */
  readonly setTime: (at: DateTime.DateTime.Input) => Effect.Effect<DateTime.Utc, SandboxError>
  /** How the sandbox behaves at the moment. */
  readonly switches: Effect.Effect<Switches>
  /** Turns the switches that are given, for every request from now on; the others stay. Fails with `Options`. */
  readonly configure: (switches: SwitchesInput) => Effect.Effect<Switches, SandboxError>
  /**
   * Starts over: sessions, faults, counters and the log of requests are gone, and the switches and the clock are what
   * they were when it began. Tokens from before are dead. With a seed the first tokens come again.
   */
  readonly reset: Effect.Effect<void>
  /**
   * Somebody else logs in with the same credentials, which kills the session that the client had, if `singleSession` is
   * on. Fails with the reason `Client`.
   */
  readonly steal: (clientId?: string) => Effect.Effect<LiveSession, SandboxError>
  /**
   * A token of each of the client's sessions dies of age now, by the sandbox's clock, which finds it alive where it is
   * set back. Fails with `Session` when the client has none.
   */
  readonly expire: (token: "access" | "refresh", clientId?: string) => Effect.Effect<void, SandboxError>
  /** The client's sessions end, as if somebody had revoked them. Fails with `Session` when the client has none. */
  readonly revoke: (clientId?: string) => Effect.Effect<void, SandboxError>
  /** The next requests to an operation meet a misfortune; several, at most 64, wait in line. Fails with `Fault`. */
  readonly fault: (endpoint: Endpoint, fault: Fault) => Effect.Effect<void, SandboxError>
  /** No fault waits any longer. */
  readonly clearFaults: Effect.Effect<void>
}
