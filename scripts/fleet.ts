/**
 * Runs the fault table of a fleet: real processes, a real Redis server, and a Nomba that keeps one session. Rows that can be
 * simulated also run with simulated processes and the same checks.
 *
 *     npm run fleet                             every row; writes docs/fleet-faults.md
 *     npm run fleet -- --jobs 3                 the same, three real rows at a time
 *     npm run fleet -- --only TEXT              the rows whose name contains this text; writes nothing
 *     npm run fleet -- --real                   the real rows only; writes nothing
 *     npm run fleet -- --simulated --seed N     the simulated rows only, with this seed; writes nothing
 */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import type { Teardown } from "@effect/platform/Runtime"
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Duration, Effect, Exit } from "effect"
import { bundle } from "../test/fleet/Fleet.js"
import type { Outcome } from "../test/fleet/Row.js"
import { realStage } from "../test/fleet/realStage.js"
import { rows, situations } from "../test/fleet/rows/index.js"
import { CALLS_PER_LATE_HOLDER, CALLS_PER_OTHER_LOGIN } from "../test/support/bounds.js"
import { hasRedis, NO_REDIS } from "../test/support/programs.js"

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "1" },
    only: { type: "string" },
    seed: { type: "string" },
    real: { type: "boolean", default: false },
    simulated: { type: "boolean", default: false }
  }
})
const seed = Number(values.seed ?? Date.now() & 0x7fffffff)
const isChosen = ({ name }: { readonly name: string }): boolean =>
  values.only === undefined || name.includes(values.only)

interface Result extends Outcome {
  readonly name: string
  readonly isComparison: boolean
  readonly took: Duration.Duration
}

const seconds = (duration: Duration.Duration): string => `${Duration.toSeconds(duration).toFixed(1)} s`

const resultOf =
  ({ isComparison = false, name }: { readonly name: string; readonly isComparison?: boolean }) =>
  ([took, exit]: readonly [Duration.Duration, Exit.Exit<Outcome, Error>]): Result => {
    const outcome = Exit.getOrElse(exit, (cause): Outcome => {
      const broken = [Cause.pretty(cause).split("\n")[0] ?? ""]
      return { processes: 0, tokenCalls: 0, cost: undefined, figures: "", broken }
    })
    return { ...outcome, name, isComparison, took }
  }

const tell = (how: string, { broken, figures, name, took }: Result): Effect.Effect<void> =>
  Effect.sync(() => {
    console.log(`${broken.length === 0 ? "ok" : "FAILED"}  ${how}${name} (${seconds(took)})  ${figures}`)
    for (const one of broken) console.log(`        ${one}`)
  })

const runSimulated = Effect.gen(function* () {
  const { simulate } = yield* Effect.promise(() => import("../test/model/simulatedStage.js"))
  return yield* Effect.forEach(situations.filter(isChosen), (row) =>
    Effect.timed(Effect.exit(Effect.suspend(() => simulate(row, seed)))).pipe(
      Effect.map(resultOf(row)),
      Effect.tap((result) => tell("simulated: ", result))
    )
  )
})

const runReal = Effect.gen(function* () {
  const stage = realStage(yield* bundle)
  const run = (row: (typeof rows)[number]) =>
    Effect.timed(Effect.exit(Effect.scoped(Effect.timeout(row.run(stage), "5 minutes")))).pipe(
      Effect.map(resultOf(row)),
      Effect.tap((result) => tell("", result))
    )
  return yield* Effect.forEach(rows.filter(isChosen), run, { concurrency: Number(values.jobs) })
}).pipe(Effect.scoped)

const table = (
  head: ReadonlyArray<string>,
  align: ReadonlyArray<string>,
  lines: ReadonlyArray<ReadonlyArray<string | number>>
) => [head, align, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const verdict = ({ broken, isComparison }: Pick<Result, "broken" | "isComparison">): string =>
  broken.length > 0 ? `**no**: ${broken.join("; ")}` : isComparison ? "–" : "yes"

const requestsOf = (result: Result | undefined): string =>
  result?.cost === undefined ? "–" : `${result.cost.calls} / ${result.cost.most}`

const faults = (results: ReadonlyArray<Result>): string =>
  table(
    ["situation", "processes", "token requests made / allowed", "result", "took", "holds"],
    ["---", "---:", "---:", "---", "---:", "---"],
    results.map((result) => [
      result.name,
      result.processes,
      requestsOf(result),
      result.figures,
      seconds(result.took),
      verdict(result)
    ])
  )

/** Each situation beside its run with real processes. */
const comparison = (simulated: ReadonlyArray<Result>, real: ReadonlyArray<Result>): string =>
  table(
    ["situation", "processes", "simulated", "real", "both hold"],
    ["---", "---:", "---:", "---:", "---"],
    simulated.map((one) => {
      const other = real.find(({ name }) => name === one.name)
      const broken = [...one.broken.map((_) => `simulated: ${_}`), ...(other?.broken ?? ["not run"])]
      const isJudged = one.cost !== undefined && other?.cost !== undefined
      return [
        one.name,
        one.processes,
        requestsOf(one),
        requestsOf(other),
        verdict({ broken: isJudged ? broken : [...broken, "no token requests were counted"], isComparison: false })
      ]
    })
  )

const page = (simulated: ReadonlyArray<Result>, real: ReadonlyArray<Result>): string => `# What a fleet survives

\`npm run fleet\` writes this page (Node ${process.versions.node}). It starts real processes of this library, a Redis server, and the
sandbox on a socket, which keeps one session as Nomba does. \`npm run test:all\` runs the quick rows.

A row holds if all its counts are within their limits. The times depend on the machine. Rows with a killed or paused lease
holder use a request time-out of 2 s, so that the lease lasts 5 s.

${faults(real)}

In rows with load, every process sends GETs, POSTs with an idempotency key, and one POST with a streamed body. A streamed
body cannot be replayed, so the caller handles its 401. No POST is processed twice under one key.

**If Nomba answers 429 or 5xx**, all processes fail with that reason. The slowest fails at most 2 s later than one process alone
would, and within 30 s. The whole fleet sends no more token requests than one process, and one after Nomba has recovered. **If
Nomba never answers**, the processes do not share the time-out, because it may be a matter of one host: the next process in line
tries once more if it has time, so the slowest fails later, but within 30 s.

**If another program logs in** with the same credentials, the fleet sends ${CALLS_PER_OTHER_LOGIN} token request for each of its logins. From the
eleventh within ten minutes on, renewals are spaced out, and callers get \`Unavailable\` (\`SessionContested\`) meanwhile.

**If the lease holder is paused before its token request**, it sends none: its lease check has timed out when it resumes. After
its final check, the time-out of the request is due when it resumes, and a request that has not left the machine is not sent.
Nomba has no fencing tokens, so a request that is on its way already cannot be stopped. The simulated one is on its way. It may
end the session of the other processes, at the cost of at most ${CALLS_PER_LATE_HOLDER} token requests. An answer that arrived during the pause is
kept.

## The same rows, simulated

These rows also run with simulated processes in simulated time (seed ${seed}): the library's own client and cache, the sandbox's
state machine, and a store behind a network, without sockets. Real and simulated runs use the same checks and limits, and
\`npm run test:all\` runs the simulated ones with another seed each time. The table shows token requests made / allowed.

${comparison(simulated, real)}
`

const main = Effect.gen(function* () {
  if (!values.simulated && !hasRedis) return yield* Effect.dieMessage(NO_REDIS)
  const simulated = values.real ? [] : yield* runSimulated
  const real = values.simulated ? [] : yield* runReal
  if (values.only === undefined && !values.simulated && !values.real) {
    writeFileSync(fileURLToPath(new URL("../docs/fleet-faults.md", import.meta.url)), page(simulated, real))
  }
  const results = [...simulated, ...real]
  const broken = results.filter((_) => _.broken.length > 0).length
  const compared = results.filter((_) => _.isComparison && _.broken.length === 0).length
  console.log(`${results.length - broken - compared} rows hold, ${broken} do not (simulated with seed ${seed})`)
  process.exitCode = broken === 0 && results.length > 0 ? 0 : 1
})

/** A run that was interrupted must not count as a success. */
const teardown: Teardown = (exit, onExit) => onExit(Exit.isSuccess(exit) ? 0 : 1)

NodeRuntime.runMain(main, { teardown })
