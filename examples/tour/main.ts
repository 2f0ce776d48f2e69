/**
 * The demo: `npm start` against the sandbox, `npm start -- --watch` slowly, so that you can follow it on the sandbox's page,
 * `npm start -- --live` against the environment that `NOMBA_*` names.
 */
import { createInterface } from "node:readline/promises"
import { Effect } from "effect"
import { live } from "./live.js"
import { print } from "./report.js"
import { sandboxed, watched } from "./sandboxed.js"

const usage = "usage: npm start [-- --watch | --live [--yes]]"

const warning =
  "This logs in with the credentials in NOMBA_* and logs out again. Nomba keeps one session per client, so every running program with these credentials loses its session."

/** Asks on a terminal, and refuses elsewhere. */
const confirmed = Effect.gen(function* () {
  yield* print(warning)
  if (!process.stdin.isTTY) {
    yield* print("Not started. Add --yes if that is what you want: npm start -- --live --yes")
    return false
  }
  const answer = yield* Effect.promise(async () => {
    const terminal = createInterface({ input: process.stdin, output: process.stdout })
    try {
      return await terminal.question("Go on? [y/N] ")
    } finally {
      terminal.close()
    }
  })
  return /^y(es)?$/i.test(answer.trim())
})

const programs = new Map([
  ["", sandboxed],
  ["--watch", watched],
  ["--live", Effect.if(confirmed, { onTrue: () => live, onFalse: () => Effect.succeed(false) })],
  ["--live --yes", live]
])
const program = programs.get(process.argv.slice(2).join(" ")) ?? Effect.as(print(usage), false)

process.exitCode = (await Effect.runPromise(program)) ? 0 : 1
