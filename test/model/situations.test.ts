import { setImmediate as turn } from "node:timers/promises"
import { Cause, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { situations } from "../fleet/rows/index.js"
import { simulate } from "./simulatedStage.js"

describe("what holds with real processes holds with simulated ones", () => {
  for (const row of situations) {
    it(row.name, async () => {
      // It is synchronous: without a turn between them, whoever runs the tests would hear nothing until the end.
      await turn()
      const seed = Date.now() & 0x7fffffff
      const exit = simulate(row, seed)
      const broken = Exit.match(exit, { onFailure: (cause) => [Cause.pretty(cause)], onSuccess: (_) => _.broken })
      assert.deepStrictEqual(broken, [], `npm run fleet -- --simulated --only="${row.name}" --seed=${seed}`)
    })
  }
})
