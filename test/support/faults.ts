/** A memory store whose every step the test can count, delay, fail, hang, or let happen without its answer. */
import { Duration, Effect, type Scope, Stream } from "effect"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import type { StoreDriver } from "../../src/layers/store/StoreDriver.js"
import * as TokenStoreMemory from "../../src/layers/TokenStoreMemory.js"
import { Unavailable } from "../../src/schemas/AuthError.js"
import type { StoreKey } from "../../src/schemas/StoreKey.js"
import type { TokenStoreService } from "../../src/services/TokenStore.js"

export type Step = "read" | "acquire" | "extend" | "setRefreshInFlight" | "commit" | "release"

export const storeDown = new Unavailable({ operation: "store", reason: "Store", detail: "ECONNREFUSED" })

export interface FaultyStore {
  readonly store: TokenStoreService
  readonly steps: Array<Step>
  readonly count: (step?: Step) => number
  /** What happens before a step, instead of it when it fails. */
  before: (step: Step) => Effect.Effect<void, Unavailable>
  /** What happens after a step has been done and before it is answered. */
  after: (step: Step) => Effect.Effect<void, Unavailable>
  /** Whether its announcements arrive; asked when it is opened. */
  hasAnnouncements: boolean
  /** The steps of another process on the same session, without faults and not counted. */
  readonly otherProcess: (key: StoreKey) => Effect.Effect<StoreDriver, never, Scope.Scope>
}

export const makeFaultyStore = (): FaultyStore => {
  const faulty: FaultyStore = {
    store: SessionStore.fromDriver((key, leaseTime) => Effect.map(TokenStoreMemory.connect(key, leaseTime), around)),
    steps: [],
    count: (step) => faulty.steps.filter((_) => step === undefined || _ === step).length,
    before: () => Effect.void,
    after: () => Effect.void,
    hasAnnouncements: true,
    otherProcess: (key) => TokenStoreMemory.connect(key, Duration.seconds(25))
  }

  const through =
    (name: Step) =>
    <A>(step: Effect.Effect<A, Unavailable>): Effect.Effect<A, Unavailable> =>
      Effect.suspend(() => {
        faulty.steps.push(name)
        return faulty.before(name)
      }).pipe(
        Effect.zipRight(step),
        Effect.tap(() => Effect.suspend(() => faulty.after(name)))
      )

  const around = (driver: StoreDriver): StoreDriver => ({
    ...driver,
    changes: faulty.hasAnnouncements ? driver.changes : Effect.succeed(Stream.never),
    read: through("read")(driver.read),
    acquire: (owner, options) => through("acquire")(driver.acquire(owner, options)),
    extend: (owner) => through("extend")(driver.extend(owner)),
    setRefreshInFlight: (owner, inFlight) => through("setRefreshInFlight")(driver.setRefreshInFlight(owner, inFlight)),
    commit: (owner, expectedVersion, write) => through("commit")(driver.commit(owner, expectedVersion, write)),
    release: (owner, outcome) => Effect.ignore(through("release")(driver.release(owner, outcome)))
  })

  return faulty
}

/** Does something at the given steps only. */
export const at =
  (...steps: ReadonlyArray<Step>) =>
  (effect: Effect.Effect<void, Unavailable>) =>
  (step: Step): Effect.Effect<void, Unavailable> =>
    steps.includes(step) ? effect : Effect.void
