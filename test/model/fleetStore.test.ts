import { Duration, Effect, Exit, Option, Utils } from "effect"
import { assert, it } from "vitest"
import { freshKey, LIFETIME, sessionOf } from "../../src/testing/tokenStore/harness.js"
import { makeSimulation } from "../support/simulator.js"
import { makeDice } from "./fleetNetwork.js"
import { makeStore } from "./fleetStore.js"

it("a write that comes late leaves a session no more time than one that comes at once", () => {
  const simulation = makeSimulation()
  const store = makeStore(simulation, makeDice(new Utils.PCGRandom(1)), () => {})
  const connect = store.connectFor(simulation.process(), () => {})
  const exit = simulation.run(
    Effect.gen(function* () {
      const driver = yield* connect(yield* freshKey(), Duration.minutes(1))
      const owner = { store: "aa", attempt: 1 }
      yield* driver.acquire(owner, { takeOverBelow: 1 })
      const asked = simulation.now()
      store.fates.set("commit", "late")
      const write = {
        version: 1,
        session: Option.some(sessionOf("late")),
        tombstone: false,
        remaining: LIFETIME,
        expiresAt: asked + Duration.toMillis(LIFETIME)
      }
      yield* Effect.exit(driver.commit(owner, 0, write))
      yield* Effect.sleep("30 seconds")
      return { isWritten: store.holds() !== undefined, lived: simulation.now() - asked, remaining: store.remaining() }
    }).pipe(Effect.scoped)
  )
  const { isWritten, lived, remaining } = Exit.getOrElse(exit, (cause) => assert.fail(`${cause}`))
  assert.isTrue(isWritten)
  assert.approximately(lived + remaining, Duration.toMillis(LIFETIME), 0.001)
})
