/**
 * Where the misfortunes of a fleet are played: with real processes, a real Redis and sockets, or with simulated ones in
 * simulated time.
 */
import type { Effect, Scope } from "effect"
import type { Ledger } from "./Ledger.js"
import type { ProcessOptions, Report } from "./protocol.js"

/** One process of a fleet. */
export interface Worker {
  readonly get: Effect.Effect<string, Error>
  /** The token in hand is reported as rejected, and another asked for. */
  readonly renew: Effect.Effect<string, Error>
  /** Its clock passes the end of the token in hand, and another is asked for. */
  readonly outlive: Effect.Effect<string, Error>
  readonly call: Effect.Effect<string, Error>
  readonly logout: Effect.Effect<void, Error>
  readonly load: (every: number) => Effect.Effect<void, Error>
  readonly report: Effect.Effect<Report, Error>
  /** Done when it waits where it was asked to. */
  readonly arrived: Effect.Effect<void>
  readonly goOn: Effect.Effect<void>
  readonly kill: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
  readonly continue: Effect.Effect<void>
  /** Whether it is still there: nobody ended it. */
  readonly isAlive: () => boolean
}

/** The one Nomba that a fleet talks to. */
export interface Upstream extends Omit<Ledger, "note"> {
  /** The access token that is alive. */
  readonly live: Effect.Effect<string | undefined>
  /** When its session was granted, in milliseconds since 1970; 0 where there is none. */
  readonly issuedAt: Effect.Effect<number>
  /** Issues and refreshes that arrived, whatever came of them. */
  readonly tokenCalls: Effect.Effect<number>
  readonly counts: Effect.Effect<{
    /** Sessions started for the fleet. */
    readonly issued: number
    /** Carried on for it. */
    readonly refreshed: number
    readonly revoked: number
    /** Refreshes that were refused. */
    readonly refused: number
  }>
  /** Somebody outside logs in with the same credentials. */
  readonly steal: Effect.Effect<void>
  /** The next answer to this call is so many milliseconds late; the call itself is processed before. */
  readonly delayNext: (call: "issue" | "refresh", millis: number) => Effect.Effect<void>
}

/** The store that a fleet shares. */
export interface Store {
  /** It dies at once; the connections break. */
  readonly kill: Effect.Effect<void, Error>
  /** It begins again after `kill`, empty. */
  readonly restart: Effect.Effect<void, Error>
  /** It answers nothing, and does what it was told meanwhile when it is thawed. */
  readonly freeze: Effect.Effect<void, Error>
  readonly thaw: Effect.Effect<void, Error>
  /** It has no memory left to write with, until there is room. */
  readonly fill: Effect.Effect<void, Error>
  readonly makeRoom: Effect.Effect<void, Error>
}

/** A Nomba, a store, and no process yet. */
export interface Setting {
  readonly upstream: Upstream
  readonly store: Store
  readonly one: (options?: Partial<ProcessOptions>) => Effect.Effect<Worker, Error, Scope.Scope>
}

export interface SettingOptions {
  /** How long an access token lives, in milliseconds. */
  readonly accessLifetime?: number
  /** How late the store is for the processes, each way, in milliseconds. */
  readonly storeLatency?: number
}

export interface Stage<S extends Setting = Setting> {
  readonly build: (options: SettingOptions) => Effect.Effect<S, Error, Scope.Scope>
}
