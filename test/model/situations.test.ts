import { Cause, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { situations } from "../fleet/rows/index.js"
import { simulate } from "./simulatedStage.js"

describe("what holds with real processes holds with simulated ones", () => {
  for (const row of situations) {
    it(row.name, () => {
      const exit = simulate(row, Date.now() & 0x7fffffff)
      if (Exit.isFailure(exit)) assert.fail(Cause.pretty(exit.cause))
      assert.deepStrictEqual(exit.value.broken, [])
    })
  }
})
