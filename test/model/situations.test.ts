import { setImmediate as turn } from "node:timers/promises"
import { Cause, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { situations } from "../fleet/rows/index.js"
import { simulate } from "./simulatedStage.js"

describe("simulated processes behave as the fleet rows demand of real ones", () => {
  for (const row of situations) {
    it(row.name, async () => {
      // The simulation is synchronous: without a turn of the event loop the runner would report nothing until the end.
      await turn()
      const seed = Date.now() & 0x7fffffff
      const exit = simulate(row, seed)
      const broken = Exit.match(exit, { onFailure: (cause) => [Cause.pretty(cause)], onSuccess: (_) => _.broken })
      assert.deepStrictEqual(broken, [], `npm run fleet -- --simulated --only="${row.name}" --seed=${seed}`)
    })
  }
})
