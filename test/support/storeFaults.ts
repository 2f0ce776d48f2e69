/** Faults between the protocol of a token store and the steps of any store. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Connect, Owner, StoreDriver, Write } from "../../src/layers/store/StoreDriver.js"
import { Unavailable } from "../../src/schemas/AuthError.js"
import { LIFETIME, sessionOf } from "../../src/testing/tokenStore/harness.js"

/** The first attempt of a store with this id. */
export const ownerOf = (store: string, attempt = 1): Owner => ({ store, attempt })

/** Takes the lease if it is free, and takes over nothing. */
export const ifFree = { takeOverBelow: 0 }

/** A session of this name, as it is written at this time of the store. */
export const writeOf = (name: string, version: number, now: number, tombstone = false): Write => ({
  session: Option.some(sessionOf(name)),
  tombstone,
  version,
  remaining: LIFETIME,
  expiresAt: now + Duration.toMillis(LIFETIME)
})

/** A release that leaves nothing behind. */
export const nothingLeft = { failure: Option.none(), cancelRefresh: false }

export type Step = "read" | "acquire" | "extend" | "setRefreshInFlight" | "commit" | "release"

/** What happens to one step. */
export type Fault =
  /** It is not done, and fails. */
  | "request lost"
  /** It is done, and fails. */
  | "answer lost"
  /** It is done after this time. */
  | Duration.Duration
  /** It is done when the gate opens; `arrived` is done before. */
  | { readonly arrived: Deferred.Deferred<void>; readonly gate: Deferred.Deferred<void> }

export const outOfReach = new Unavailable({ operation: "store", reason: "Store", detail: "ECONNRESET" })

export interface StoreFaults {
  /** The same steps, with the faults. */
  readonly connect: Connect
  /** The faults of the next steps of this kind, in order. */
  readonly next: (step: Step, ...faults: ReadonlyArray<Fault>) => void
  /** The fault of every other step of this kind; `undefined` for none. */
  readonly every: (step: Step, fault: Fault | undefined) => void
  /** While it is disconnected, each step fails and no announcement arrives. */
  readonly setDisconnected: (isDisconnected: boolean) => void
  readonly count: (step: Step) => number
}

export const makeFaults = (connect: Connect): StoreFaults => {
  const calls: Array<Step> = []
  const planned: Array<readonly [Step, Fault]> = []
  const lasting = new Map<Step, Fault>()
  let isDisconnected = false

  const faultOf = (step: Step): Fault | undefined => {
    const index = planned.findIndex(([_]) => _ === step)
    return (index < 0 ? undefined : planned.splice(index, 1)[0]?.[1]) ?? lasting.get(step)
  }

  const through = <A, E>(step: Step, run: Effect.Effect<A, E>, lost: Effect.Effect<A, E>): Effect.Effect<A, E> => {
    const whole = Effect.suspend(() => (isDisconnected ? lost : run))
    return Effect.suspend(() => {
      calls.push(step)
      const fault = faultOf(step)
      if (fault === undefined) return whole
      if (fault === "request lost") return lost
      if (fault === "answer lost") return Effect.zipRight(whole, lost)
      if (Duration.isDuration(fault)) return Effect.delay(whole, fault)
      const { arrived, gate } = fault
      return Effect.zipRight(Effect.zipRight(Deferred.succeed(arrived, undefined), Deferred.await(gate)), whole)
    })
  }

  const wrap = (driver: StoreDriver): StoreDriver => ({
    ...driver,
    read: through("read", driver.read, outOfReach),
    acquire: (owner, options) => through("acquire", driver.acquire(owner, options), outOfReach),
    extend: (owner) => through("extend", driver.extend(owner), outOfReach),
    setRefreshInFlight: (owner, inFlight) =>
      through("setRefreshInFlight", driver.setRefreshInFlight(owner, inFlight), outOfReach),
    commit: (owner, expectedVersion, write) =>
      through("commit", driver.commit(owner, expectedVersion, write), outOfReach),
    release: (owner, outcome) => through("release", driver.release(owner, outcome), Effect.void),
    changes: Effect.map(
      driver.changes,
      Stream.filter(() => !isDisconnected)
    )
  })

  return {
    connect: (key, leaseTime) => Effect.map(connect(key, leaseTime), wrap),
    next: (step, ...faults) => void planned.push(...faults.map((fault) => [step, fault] as const)),
    every: (step, fault) => void (fault === undefined ? lasting.delete(step) : lasting.set(step, fault)),
    setDisconnected: (_) => {
      isDisconnected = _
    },
    count: (step) => calls.filter((_) => _ === step).length
  }
}
