/** What a row runs on: real processes, a real Redis and sockets, or simulated ones in simulated time. */
import type { Effect, Scope } from "effect"
import type { Ledger } from "./Ledger.js"
import type { ProcessOptions, Report } from "./protocol.js"

/** One process of a fleet. */
export interface Worker {
  readonly get: Effect.Effect<string, Error>
  /** Reports the current token as rejected and gets another. */
  readonly renew: Effect.Effect<string, Error>
  /** Moves its clock past the expiry of the current token and gets another. */
  readonly outlive: Effect.Effect<string, Error>
  readonly call: Effect.Effect<string, Error>
  readonly logout: Effect.Effect<void, Error>
  readonly load: (every: number) => Effect.Effect<void, Error>
  readonly report: Effect.Effect<Report, Error>
  /** Done when it has reached the point where it was told to wait. */
  readonly arrived: Effect.Effect<void>
  readonly goOn: Effect.Effect<void>
  readonly kill: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
  readonly continue: Effect.Effect<void>
  /** Whether the process still exists. */
  readonly isAlive: () => boolean
}

/** The Nomba that a fleet talks to. */
export interface Upstream extends Omit<Ledger, "note"> {
  /** The live access token. */
  readonly liveToken: Effect.Effect<string | undefined>
  /** When its session was granted, in milliseconds since 1970; 0 if there is none. */
  readonly issuedAt: Effect.Effect<number>
  /** Issues and refreshes that arrived, whatever their outcome. */
  readonly tokenCalls: Effect.Effect<number>
  readonly counts: Effect.Effect<{
    /** Issues for the fleet that succeeded. */
    readonly issued: number
    /** Refreshes that succeeded. */
    readonly refreshed: number
    readonly revoked: number
    /** Refreshes that were rejected. */
    readonly refused: number
  }>
  /** Another program logs in with the same credentials. */
  readonly loginElsewhere: Effect.Effect<void>
  /** The next response to this request is so many milliseconds late; the request is processed before. */
  readonly delayNext: (call: "issue" | "refresh", millis: number) => Effect.Effect<void>
}

/** The shared store. */
export interface Store {
  /** Kills it; the connections break. */
  readonly kill: Effect.Effect<void, Error>
  /** Starts it again after `kill`: empty, unless a row saved a dump. */
  readonly restart: Effect.Effect<void, Error>
  /** Pauses it: it answers nothing until `thaw`, and then processes what it received meanwhile. */
  readonly freeze: Effect.Effect<void, Error>
  readonly thaw: Effect.Effect<void, Error>
  /** Leaves it no memory for writes, until `makeRoom`. */
  readonly fill: Effect.Effect<void, Error>
  readonly makeRoom: Effect.Effect<void, Error>
}

/** A Nomba and a store, without processes. */
export interface Setting {
  readonly upstream: Upstream
  readonly store: Store
  readonly one: (options?: Partial<ProcessOptions>) => Effect.Effect<Worker, Error, Scope.Scope>
}

export interface SettingOptions {
  /** Lifetime of an access token, in milliseconds. */
  readonly accessLifetime?: number
  /** Latency between the processes and the store, each way, in milliseconds. */
  readonly storeLatency?: number
}

export interface Stage<S extends Setting = Setting> {
  readonly build: (options: SettingOptions) => Effect.Effect<S, Error, Scope.Scope>
}
