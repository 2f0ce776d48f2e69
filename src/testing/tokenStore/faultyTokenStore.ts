import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as SessionStore from "../../layers/store/SessionStore.js"
import type { Connect, StoreDriver } from "../../layers/store/StoreDriver.js"
import { Unavailable } from "../../schemas/AuthError.js"
import type { FaultyStore } from "./Options.js"

const outOfReach = new Unavailable({ operation: "store", reason: "Store", detail: "ECONNRESET" })

/**
 * A store over the steps of any database, whose way to that database can be broken: what `tokenStoreContract` takes as
 * `faulty`. Each time it is run it stands for another process.
 *
 * @since 0.1.0
 * @category testing
 */
export const faultyTokenStore = (connect: Connect): Effect.Effect<FaultyStore> =>
  Effect.gen(function* () {
    const isCut = yield* Ref.make(false)
    const lost = yield* Ref.make(Option.none<"answer" | "request">())

    const isFlagAnswerLost = yield* Ref.make(false)

    const loseFlagAnswer = (step: Effect.Effect<boolean, Unavailable>): Effect.Effect<boolean, Unavailable> =>
      Effect.flatMap(Ref.getAndSet(isFlagAnswerLost, false), (isLost) =>
        isLost ? Effect.zipRight(step, outOfReach) : step
      )

    const through = <A, E>(step: Effect.Effect<A, E>, otherwise: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.if(Ref.get(isCut), { onTrue: () => otherwise, onFalse: () => step })

    const commit = <A>(step: Effect.Effect<A, Unavailable>): Effect.Effect<A, Unavailable> =>
      Effect.flatMap(
        Ref.getAndSet(lost, Option.none()),
        Option.match({
          onNone: () => step,
          onSome: (what) => (what === "answer" ? Effect.zipRight(step, outOfReach) : outOfReach)
        })
      )

    const wrap = (driver: StoreDriver): StoreDriver => ({
      ...driver,
      read: through(driver.read, outOfReach),
      acquire: (owner, options) => through(driver.acquire(owner, options), outOfReach),
      extend: (owner) => through(driver.extend(owner), outOfReach),
      setRefreshInFlight: (owner, inFlight) =>
        through(loseFlagAnswer(driver.setRefreshInFlight(owner, inFlight)), outOfReach),
      commit: (owner, expectedVersion, write) =>
        through(commit(driver.commit(owner, expectedVersion, write)), outOfReach),
      release: (owner, outcome) => through(driver.release(owner, outcome), Effect.void),
      changes: Effect.map(
        driver.changes,
        Stream.filterEffect(() => Effect.negate(Ref.get(isCut)))
      )
    })

    return {
      store: SessionStore.fromDriver((key, leaseTime) => Effect.map(connect(key, leaseTime), wrap)),
      cut: Ref.set(isCut, true),
      mend: Ref.set(isCut, false),
      loseCommit: (what) => Ref.set(lost, Option.some(what)),
      loseFlagAnswer: Ref.set(isFlagAnswerLost, true)
    }
  })
