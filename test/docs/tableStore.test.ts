/** The store of the page on testing, which programs copy, over a database that takes its time and has a clock of its own. */
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, TestClock } from "effect"
import { connect, makeDatabase } from "../../examples/testing/TableStore.js"
import { freshKey, sessionOf } from "../../src/testing/tokenStore/harness.js"

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
    const next = { session: Option.some(sessionOf("held")), tombstone: false, remaining: Duration.minutes(30) }
    const whole = <A, E>(step: Effect.Effect<A, E>) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(step)
        yield* TestClock.adjust("8 seconds")
        return yield* Fiber.join(fiber)
      })
    const acquired = yield* whole(steps.acquire("owner"))
    assert.isTrue(acquired.held)
    const asked = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    assert.isTrue(Option.isSome(yield* whole(steps.commit("owner", 0, next))))
    const expiry = database.rows.get(key)?.expiry ?? Number.NaN
    assert.isAtMost(expiry, asked + ahead + Duration.toMillis(next.remaining))
    assert.isAtLeast(expiry, asked + ahead + Duration.toMillis(next.remaining) - Duration.toMillis("2 seconds"))
  })
)
