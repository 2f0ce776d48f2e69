/** The quick rows of the fault table, with real processes, a real Redis server and a Nomba that keeps one session. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeRedis } from "../support/describeRedis.js"
import { bundle } from "./Fleet.js"
import { realStage } from "./realStage.js"
import { rows } from "./rows/index.js"

describeRedis("a fleet of real processes keeps one session", () => {
  for (const { name, run, short } of rows) {
    if (!short) continue
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const { broken } = yield* run(realStage(yield* bundle))
        assert.deepStrictEqual(broken, [])
      })
    )
  }
})
