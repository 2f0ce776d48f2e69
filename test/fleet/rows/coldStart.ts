/** Everybody begins at once, with nothing in the store. */
import { Effect } from "effect"
import { agree, type Row, scene, seconds } from "../Row.js"

const coldStart = (count: number): Row => ({
  name: `${count} processes start cold at once`,
  short: count < 10,
  run: (file) =>
    Effect.gen(function* () {
      const stage = yield* scene(file)
      const workers = yield* stage.start(count)
      const [took] = yield* Effect.timed(agree(stage, workers, "after the start"))
      const { issued } = yield* stage.upstream.sandbox.counts
      stage.must(issued === 1, `${issued} sessions were issued in place of 1`)
      return yield* stage.end(count, `all have a token after ${seconds(took)}`)
    })
})

export const coldStarts: ReadonlyArray<Row> = [coldStart(8), coldStart(32)]
