/** The store of the page on testing, which programs copy, over a database that takes its time and has a clock of its own. */
import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, TestClock } from "effect"
import { connect, makeDatabase } from "../../examples/testing/TableStore.js"
import { freshKey, LIFETIME } from "../../src/testing/tokenStore/harness.js"
import { ifFree, ownerOf, writeOf } from "../support/storeFaults.js"

const ahead = Duration.toMillis("3 hours")

it.scoped("a session gets no more time where its write waits", () =>
  Effect.gen(function* () {
    const database = yield* makeDatabase
    const key = yield* freshKey()
    const steps = yield* connect({
      ...database,
      transaction: (run) =>
        database
          .transaction((now) => run(now + ahead))
          .pipe(Effect.delay("1 second"), Effect.zipLeft(Effect.sleep("1 second")))
    })(key, Duration.minutes(1))
    const whole = <A, E>(step: Effect.Effect<A, E>) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(step)
        yield* TestClock.adjust("8 seconds")
        return yield* Fiber.join(fiber)
      })
    const owner = ownerOf("owner")
    const acquired = yield* whole(steps.acquire(owner, ifFree))
    assert.isTrue(acquired.held)
    const asked = (yield* Clock.currentTimeMillis) + ahead
    assert.isTrue(yield* whole(steps.commit(owner, 0, writeOf("held", 1, asked))))
    assert.strictEqual(database.rows.get(key)?.expiry, asked + Duration.toMillis(LIFETIME))
  })
)
