import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as SessionStore from "../../layers/store/SessionStore.js"
import type { Connect, StoreDriver } from "../../layers/store/StoreDriver.js"
import { Unavailable } from "../../schemas/AuthError.js"
import type { FaultyStore } from "./Options.js"

const outOfReach = new Unavailable({ operation: "store", reason: "Store", detail: "ECONNRESET" })

/** When a late acquire is carried out: longer after it was asked for than any step may take. */
export const LATE: Duration.Duration = Duration.seconds(7)

/**
 * A store over the steps of any database, whose connection to that database can be broken: what `tokenStoreContract`
 * takes as `faulty`. Each run of the effect stands for another process.
 *
 * @since 0.1.0
 * @category testing
 */
export const faultyTokenStore = (connect: Connect): Effect.Effect<FaultyStore> =>
  Effect.sync(() => {
    let isDisconnected = false
    let lostCommit: "answer" | "request" | undefined
    let isFlagAnswerLost = false
    let isAcquireLate = false
    let nextVersion: number | undefined

    const through = <A, E>(step: Effect.Effect<A, E>, otherwise: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => (isDisconnected ? otherwise : step))

    const acquire =
      (driver: StoreDriver): StoreDriver["acquire"] =>
      (owner, options) =>
        Effect.suspend(() => {
          const step = driver.acquire(owner, options)
          if (!isAcquireLate) return step
          isAcquireLate = false
          return Effect.zipRight(Effect.forkDaemon(Effect.ignore(Effect.delay(step, LATE))), outOfReach)
        })

    const setRefreshInFlight =
      (driver: StoreDriver): StoreDriver["setRefreshInFlight"] =>
      (owner, inFlight) =>
        Effect.suspend(() => {
          const step = driver.setRefreshInFlight(owner, inFlight)
          if (!isFlagAnswerLost) return step
          isFlagAnswerLost = false
          return Effect.zipRight(step, outOfReach)
        })

    const commit =
      (driver: StoreDriver): StoreDriver["commit"] =>
      (owner, expectedVersion, write) =>
        Effect.suspend(() => {
          const [lost, version] = [lostCommit, nextVersion ?? write.version]
          lostCommit = undefined
          nextVersion = undefined
          const step = driver.commit(owner, expectedVersion, { ...write, version })
          return lost === undefined ? step : lost === "answer" ? Effect.zipRight(step, outOfReach) : outOfReach
        })

    const wrap = (driver: StoreDriver): StoreDriver => ({
      ...driver,
      read: through(driver.read, outOfReach),
      acquire: (owner, options) => through(acquire(driver)(owner, options), outOfReach),
      extend: (owner) => through(driver.extend(owner), outOfReach),
      setRefreshInFlight: (owner, inFlight) => through(setRefreshInFlight(driver)(owner, inFlight), outOfReach),
      commit: (owner, expectedVersion, write) => through(commit(driver)(owner, expectedVersion, write), outOfReach),
      release: (owner, outcome) => through(driver.release(owner, outcome), Effect.void),
      changes: Effect.map(
        driver.changes,
        Stream.filter(() => !isDisconnected)
      )
    })

    return {
      store: SessionStore.fromDriver((key, leaseTime) => Effect.map(connect(key, leaseTime), wrap)),
      disconnect: Effect.sync(() => {
        isDisconnected = true
      }),
      reconnect: Effect.sync(() => {
        isDisconnected = false
      }),
      loseCommit: (what) =>
        Effect.sync(() => {
          lostCommit = what
        }),
      loseFlagAnswer: Effect.sync(() => {
        isFlagAnswerLost = true
      }),
      lateAcquire: Effect.sync(() => {
        isAcquireLate = true
      }),
      nextVersion: (version) =>
        Effect.sync(() => {
          nextVersion = version
        })
    }
  })
