/**
 * Runs a client under the sandbox's switches, every three of them in every combination.
 *
 *     tsx scripts/switches.ts [--seed TEXT] [--strength N]   all rows
 *     tsx scripts/switches.ts --row JSON                     one row, as it failed
 */
import { parseArgs } from "node:util"
import { Cause, Effect, Exit, Logger, LogLevel, TestContext } from "effect"
import { runLifecycle } from "../test/sandbox/lifecycle/lifecycle.js"
import { cover, type Row, replay } from "../test/sandbox/lifecycle/rows.js"

const { values } = parseArgs({
  options: { seed: { type: "string" }, strength: { type: "string", default: "3" }, row: { type: "string" } }
})

const seed = values.seed ?? String(Date.now() & 0x7fffffff)
const rows: ReadonlyArray<Row> =
  values.row === undefined ? cover(Number(values.strength), seed) : [JSON.parse(values.row) as Row]
if (values.row === undefined) {
  console.log(`${rows.length} rows with every ${values.strength} switches in every combination, seed ${seed}`)
}

const start = performance.now()
let failed = 0
for (const row of rows) {
  const exit = await Effect.runPromiseExit(
    Effect.provide(runLifecycle(row), TestContext.TestContext).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )
  if (Exit.isSuccess(exit)) continue
  failed += 1
  console.log(`\n${Cause.pretty(exit.cause)}\nto run it again: ${replay(row)}`)
}
console.log(
  `${rows.length - failed} rows hold, ${failed} do not (${((performance.now() - start) / 1000).toFixed(1)} s)`
)
process.exit(failed === 0 ? 0 : 1)
