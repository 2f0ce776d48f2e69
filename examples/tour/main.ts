/**
 * The main job, told in a minute: `npm start` against the sandbox, `npm start -- --watch` with time to look at the
 * sandbox's page, `npm start -- --live` against the environment that `NOMBA_*` names.
 */
import { Effect } from "effect"
import { live } from "./live.js"
import { print } from "./report.js"
import { sandboxed, watched } from "./sandboxed.js"

const usage = "usage: npm start [-- --watch | --live]"
const programs = new Map([
  ["", sandboxed],
  ["--watch", watched],
  ["--live", live]
])
const program = programs.get(process.argv.slice(2).join(" ")) ?? Effect.as(print(usage), false)

process.exitCode = (await Effect.runPromise(program)) ? 0 : 1
