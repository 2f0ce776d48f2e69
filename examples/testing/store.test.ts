import { it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { TokenStoreMemory } from "nomba-auth"
import { tokenStoreContract } from "nomba-auth/testing"

const contract = tokenStoreContract({
  store: Effect.succeed(TokenStoreMemory.make), // yours; each time it is run it stands for another process
  pass: TestClock.adjust // for a store with a clock of its own: Effect.sleep
})

for (const { effect, name } of contract) {
  it.scoped(`my store: ${name}`, () => effect)
}
