import { describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as TokenStoreMemory from "../../src/layers/TokenStoreMemory.js"
import { tokenStoreContract } from "../contracts/TokenStoreContract.js"
import { faultyStore } from "../support/storeFaults.js"

describe("TokenStoreMemory keeps the contract of token stores", () => {
  const cases = tokenStoreContract({
    store: Effect.succeed(TokenStoreMemory.make),
    faulty: faultyStore(TokenStoreMemory.connect),
    pass: TestClock.adjust
  })
  for (const { effect, name } of cases) it.scoped(name, () => effect)
})
