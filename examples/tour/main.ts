/**
 * The main job, told in a minute: `npm start` against the sandbox, `npm start -- --live` against the environment that
 * `NOMBA_*` names.
 */
import { Effect } from "effect"
import { live } from "./live.js"
import { print } from "./report.js"
import { sandboxed } from "./sandboxed.js"

const usage = "usage: npm start [-- --live]"
const args = process.argv.slice(2)

const program =
  args.length === 0 ? sandboxed : args.length === 1 && args[0] === "--live" ? live : Effect.as(print(usage), false)

process.exitCode = (await Effect.runPromise(program)) ? 0 : 1
