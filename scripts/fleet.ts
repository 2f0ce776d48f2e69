/**
 * The whole table of faults: real processes, a real Redis server, and a Nomba that has one session.
 *
 *     tsx scripts/fleet.ts              every row, and the table into docs/fleet-faults.md
 *     tsx scripts/fleet.ts --only TEXT  the rows whose name has this text, and no table
 */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Teardown } from "@effect/platform/Runtime"
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Duration, Effect, Exit } from "effect"
import { bundle } from "../test/fleet/Fleet.js"
import type { Outcome, Row } from "../test/fleet/Row.js"
import { rows } from "../test/fleet/rows/index.js"

const { values } = parseArgs({ options: { only: { type: "string" } } })

interface Result extends Outcome {
  readonly name: string
  readonly isComparison: boolean
  readonly took: Duration.Duration
}

const seconds = (duration: Duration.Duration): string => `${Duration.toSeconds(duration).toFixed(1)} s`

const play = ({ isComparison = false, name, run }: Row, file: string): Effect.Effect<Result> =>
  Effect.gen(function* () {
    const [took, exit] = yield* Effect.timed(Effect.exit(Effect.scoped(Effect.timeout(run(file), "5 minutes"))))
    const outcome = Exit.match(exit, {
      onSuccess: (outcome) => outcome,
      onFailure: (cause): Outcome => ({
        processes: 0,
        tokenCalls: 0,
        figures: "",
        broken: [Cause.pretty(cause).split("\n")[0] ?? ""]
      })
    })
    console.log(`${outcome.broken.length === 0 ? "ok" : "BROKEN"}  ${name} (${seconds(took)})  ${outcome.figures}`)
    for (const broken of outcome.broken) console.log(`        ${broken}`)
    return { ...outcome, isComparison, name, took }
  })

const table = (results: ReadonlyArray<Result>): string =>
  [
    "| what happens | processes | token calls | figures | took | holds |",
    "|---|---:|---:|---|---:|---|",
    ...results.map(({ broken, figures, isComparison, name, processes, took, tokenCalls }) =>
      [
        "",
        ` ${name} `,
        ` ${processes} `,
        ` ${tokenCalls} `,
        ` ${figures} `,
        ` ${seconds(took)} `,
        broken.length > 0 ? ` **no**: ${broken.join("; ")} ` : isComparison ? " – " : " yes ",
        ""
      ].join("|")
    )
  ].join("\n")

const page = (results: ReadonlyArray<Result>): string => `# What a fleet survives

Made by \`npm run fleet\` (Node ${process.versions.node}): real processes of this library, a Redis server of its own and
the sandbox, which keeps one session as Nomba does, behind a socket. Counts decide whether a row holds; times depend on
the machine. Some rows run in \`npm test\` too. Where the holder of the right dies or stands still, its lease lasts 5 s,
because these processes give a request 2 s.

${table(results)}

Where there is traffic, every process sends GETs, POSTs with an idempotency key, and one POST with a streamed body, which
cannot be sent again: a 401 to that is the caller's to handle. No POST is carried out twice under one key.

A login by somebody outside costs the fleet two token calls: the refresh that Nomba refuses, and the issue after it.

A holder that stood still before its token call sends none: by its own clock its permission has grown old. After the last
look at that nobody can hold a request back, since Nomba has no fence. It may end the others' session, and when both fall
into one second, Nomba's time does not tell which is alive, and the next request finds out: three token calls more at most.
`

const main = Effect.gen(function* () {
  const file = yield* bundle
  const chosen = rows.filter(({ name }) => values.only === undefined || name.includes(values.only))
  const results = yield* Effect.forEach(chosen, (row) => play(row, file))
  if (values.only === undefined) {
    writeFileSync(fileURLToPath(new URL("../docs/fleet-faults.md", import.meta.url)), page(results))
  }
  const broken = results.filter((_) => _.broken.length > 0).length
  const compared = results.filter((_) => _.isComparison && _.broken.length === 0).length
  console.log(`${results.length - broken - compared} rows hold, ${broken} do not`)
  process.exitCode = broken === 0 && results.length > 0 ? 0 : 1
}).pipe(Effect.scoped)

/** A run that was ended from outside has proved nothing. */
const teardown: Teardown = (exit, onExit) => onExit(Exit.isSuccess(exit) ? 0 : 1)

NodeRuntime.runMain(main, { teardown })
