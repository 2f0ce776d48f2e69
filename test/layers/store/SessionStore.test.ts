/** The protocol over steps that fail, whose answers are lost, or that take their time. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Option, TestClock } from "effect"
import * as SessionStore from "../../../src/layers/store/SessionStore.js"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import type { StoreKey } from "../../../src/schemas/StoreKey.js"
import {
  down,
  freshKey,
  holds,
  holdsNothing,
  LIFETIME,
  makeRevoke,
  put,
  sessionOf
} from "../../contracts/tokenStore/Kit.js"
import { makeFaults, type StoreFaults } from "../../support/storeFaults.js"

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

describe("an interruption during a commit", () => {
  const interruptDuringCommit = <A, E>(faults: StoreFaults, run: Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      const [arrived, gate] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      faults.next("commit", { arrived, gate })
      const fiber = yield* Effect.fork(run)
      yield* Deferred.await(arrived)
      const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(interruption)
    })

  it.scoped("does not lose a granted session", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* interruptDuringCommit(a.faults, put(a.store, sessionOf("granted")))
      yield* holds(b.store, sessionOf("granted"))
    })
  )

  it.scoped("does not lose the tombstone of a proved revocation", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* put(b.store, sessionOf("held"))
      const { current, revoke } = yield* makeRevoke()
      yield* interruptDuringCommit(a.faults, a.store.clear(revoke))
      yield* holdsNothing(b.store)
      yield* b.store.clear(revoke)
      assert.isTrue(Option.isNone(current()))
    })
  )
})
