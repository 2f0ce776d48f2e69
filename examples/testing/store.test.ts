import { it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { TokenStoreDriver } from "nomba-auth"
import { faultyTokenStore, tokenStoreContract } from "nomba-auth/testing"
import { connect, makeDatabase } from "./TableStore.js"

const database = Effect.runSync(makeDatabase)

const contract = tokenStoreContract({
  // Each time it is run it stands for another process.
  store: Effect.sync(() => TokenStoreDriver.make(connect(database))),
  // The same, with a connection that the cases can break.
  faulty: faultyTokenStore(connect(database)),
  // For a database with a clock of its own: Effect.sleep.
  pass: TestClock.adjust,
  corrupt: (key) =>
    Effect.sync(() => {
      const row = database.rows.get(key)
      if (row !== undefined) database.rows.set(key, { ...row, text: "?" })
    }),
  // A failover to a stale replica, or a restored dump.
  snapshot: (key) =>
    Effect.sync(() => {
      const row = database.rows.get(key)
      return Effect.sync(() => {
        if (row !== undefined) database.rows.set(key, row)
      })
    })
})

for (const { effect, name } of contract) {
  it.scoped(`my store: ${name}`, () => effect)
}
