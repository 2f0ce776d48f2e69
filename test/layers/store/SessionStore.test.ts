/** The protocol over steps that fail, whose answers are lost, or that take their time. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, TestClock } from "effect"
import * as SessionStore from "../../../src/layers/store/SessionStore.js"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import type { StoreKey } from "../../../src/schemas/StoreKey.js"
import { down, freshKey, LIFETIME, makeRevoke, put, sessionOf } from "../../contracts/tokenStore/Kit.js"
import { makeFaults } from "../../support/storeFaults.js"

const requestTimeout = Duration.seconds(10)

/** A holder behind a wire of its own. */
const behindFaults = (key: StoreKey) =>
  Effect.gen(function* () {
    const faults = makeFaults(TokenStoreMemory.connect)
    const store = yield* SessionStore.fromDriver(faults.connect).open(key, requestTimeout)
    return { store, faults }
  })

const two = Effect.gen(function* () {
  const key = yield* freshKey()
  return { a: yield* behindFaults(key), b: yield* behindFaults(key) }
})

describe("what is left of a session", () => {
  it.scoped("does not include the time that the commit took", () =>
    Effect.gen(function* () {
      const { a } = yield* two
      a.faults.next("commit", Duration.seconds(3))
      const fiber = yield* Effect.fork(put(a.store, sessionOf("new")))
      yield* TestClock.adjust("3 seconds")
      const { remaining } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(remaining, Duration.subtract(LIFETIME, "3 seconds"))
    })
  )

  it.scoped("does not include the time that a revocation took", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* put(a.store, sessionOf("held"))
      yield* Effect.fork(a.store.clear(() => Effect.delay(Effect.fail(down), "20 seconds")))
      yield* TestClock.adjust("20 seconds")
      const { current, revoke } = yield* makeRevoke()
      yield* b.store.clear(revoke)
      const kept = Option.getOrThrow(current())
      assert.deepStrictEqual(kept.remaining, Duration.subtract(LIFETIME, "20 seconds"))
    })
  )
})
