/**
 * The whole table of faults: real processes, a real Redis server, and a Nomba that has one session; and what of it can be
 * simulated, held to the same.
 *
 *     tsx scripts/fleet.ts                        every row, and the tables into docs/fleet-faults.md
 *     tsx scripts/fleet.ts --only TEXT            the rows whose name has this text, and no table
 *     tsx scripts/fleet.ts --real                 the real ones only, and no table
 *     tsx scripts/fleet.ts --simulated --seed N   the simulated ones only, as they went
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
import { CALLS_PER_LATE_HOLDER, CALLS_PER_THEFT } from "../test/support/bounds.js"
import { hasRedis, NO_REDIS } from "../test/support/programs.js"

const { values } = parseArgs({
  options: {
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
    console.log(`${broken.length === 0 ? "ok" : "BROKEN"}  ${how}${name} (${seconds(took)})  ${figures}`)
    for (const one of broken) console.log(`        ${one}`)
  })

const playSimulated = Effect.gen(function* () {
  const { simulate } = yield* Effect.promise(() => import("../test/model/simulatedStage.js"))
  return yield* Effect.forEach(situations.filter(isChosen), (row) =>
    Effect.timed(Effect.exit(Effect.suspend(() => simulate(row, seed)))).pipe(
      Effect.map(resultOf(row)),
      Effect.tap((result) => tell("simulated: ", result))
    )
  )
})

const playReal = Effect.gen(function* () {
  const stage = realStage(yield* bundle)
  return yield* Effect.forEach(rows.filter(isChosen), (row) =>
    Effect.timed(Effect.exit(Effect.scoped(Effect.timeout(row.run(stage), "5 minutes")))).pipe(
      Effect.map(resultOf(row)),
      Effect.tap((result) => tell("", result))
    )
  )
}).pipe(Effect.scoped)

const table = (
  head: ReadonlyArray<string>,
  align: ReadonlyArray<string>,
  lines: ReadonlyArray<ReadonlyArray<string | number>>
) => [head, align, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const verdict = ({ broken, isComparison }: Pick<Result, "broken" | "isComparison">): string =>
  broken.length > 0 ? `**no**: ${broken.join("; ")}` : isComparison ? "–" : "yes"

const faults = (results: ReadonlyArray<Result>): string =>
  table(
    ["what happens", "processes", "token calls", "figures", "took", "holds"],
    ["---", "---:", "---:", "---", "---:", "---"],
    results.map((result) => [
      result.name,
      result.processes,
      result.tokenCalls,
      result.figures,
      seconds(result.took),
      verdict(result)
    ])
  )

const costOf = (result: Result | undefined): string =>
  result?.cost === undefined ? "none" : `${result.cost.calls} of ${result.cost.most}`

/** Each situation beside what it was with real processes. */
const comparison = (simulated: ReadonlyArray<Result>, real: ReadonlyArray<Result>): string =>
  table(
    ["what happens", "processes", "simulated", "real", "both hold"],
    ["---", "---:", "---:", "---:", "---"],
    simulated.map((one) => {
      const other = real.find(({ name }) => name === one.name)
      const broken = [...one.broken.map((_) => `simulated: ${_}`), ...(other?.broken ?? ["not played"])]
      const isJudged = one.cost !== undefined && other?.cost !== undefined
      return [
        one.name,
        one.processes,
        costOf(one),
        costOf(other),
        verdict({ broken: isJudged ? broken : [...broken, "no token calls were counted"], isComparison: false })
      ]
    })
  )

const page = (simulated: ReadonlyArray<Result>, real: ReadonlyArray<Result>): string => `# What a fleet survives

Made by \`npm run fleet\` (Node ${process.versions.node}): real processes of this library, a Redis server of its own and
the sandbox, which keeps one session as Nomba does, behind a socket. Counts decide whether a row holds; times depend on
the machine. Some rows run in \`npm test\` too. Where the holder of the right dies or stands still, its lease lasts 5 s,
because these processes give a request 2 s.

${faults(real)}

Where there is traffic, every process sends GETs, POSTs with an idempotency key, and one POST with a streamed body, which
cannot be sent again: a 401 to that is the caller's to handle. No POST is carried out twice under one key.

Token calls that a login by somebody outside costs the fleet: ${CALLS_PER_THEFT}.

A holder that stood still before its token call sends none: by its own clock its permission has grown old. After the last
look at that its request's time-out is due when it wakes, and gives up what has not left the machine. A request that is on its
way already is held back by nobody, since Nomba has no fence; the simulated one is. It may end the others' session, and when
both fall into one second, Nomba's time does not tell which is alive, and the next request finds out: ${CALLS_PER_LATE_HOLDER} token calls
at most.

## The same, simulated

The same scripts, played with simulated processes in simulated time (seed ${seed}): the library's own client and cache, the
sandbox's state machine, and a store behind a network, all without sockets. Shown is what each misfortune cost, in token
calls, of the most that were due. Real and simulated runs are held to the same limits by the same code, and \`npm test\`
plays the simulated ones each time, with another seed.

${comparison(simulated, real)}
`

const main = Effect.gen(function* () {
  if (!values.simulated && !hasRedis) return yield* Effect.dieMessage(NO_REDIS)
  const simulated = values.real ? [] : yield* playSimulated
  const real = values.simulated ? [] : yield* playReal
  if (values.only === undefined && !values.simulated && !values.real) {
    writeFileSync(fileURLToPath(new URL("../docs/fleet-faults.md", import.meta.url)), page(simulated, real))
  }
  const results = [...simulated, ...real]
  const broken = results.filter((_) => _.broken.length > 0).length
  const compared = results.filter((_) => _.isComparison && _.broken.length === 0).length
  console.log(`${results.length - broken - compared} rows hold, ${broken} do not (simulated with seed ${seed})`)
  process.exitCode = broken === 0 && results.length > 0 ? 0 : 1
})

/** A run that was ended from outside has proved nothing. */
const teardown: Teardown = (exit, onExit) => onExit(Exit.isSuccess(exit) ? 0 : 1)

NodeRuntime.runMain(main, { teardown })
