/** All processes start at once with an empty store. */
import { Effect } from "effect"
import { CALLS_PER_COLD_START } from "../../support/bounds.js"
import { agree, type Row, scene, seconds } from "../Row.js"

const coldStart = (count: number): Row => ({
  name: `${count} processes start at once with an empty store`,
  short: false,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage)
      const workers = yield* set.start(count)
      const [took] = yield* Effect.timed(agree(set, workers, "after the start"))
      set.costs(yield* set.upstream.tokenCalls, CALLS_PER_COLD_START)
      return yield* set.end(count, `all had a token after ${seconds(took)}`)
    })
})

export const coldStarts: ReadonlyArray<Row> = [coldStart(8), coldStart(32)]
