/**
 * Checks the model of the renewal protocol with Spin: no invariant may fail, and each switch must break the invariant it names.
 *
 *     tsx scripts/protocol.ts                 all runs
 *     tsx scripts/protocol.ts --only TEXT     the runs whose name contains TEXT
 *     tsx scripts/protocol.ts --trace TEXT    the shortest trace of the first such run that fails
 */
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { passing, type Run, switches } from "../test/model/protocol/runs.js"

const model = resolve("test/model/protocol/protocol.pml")

/** Megabytes for one run, and how many run side by side. */
const MEMORY = 3_500
const SIDE_BY_SIDE = 2

interface Outcome {
  readonly run: Run
  /** The invariant that failed, none, or why the checker could not tell. */
  readonly found: string
  readonly states: number
  readonly seconds: number
}

const defines = (run: Run): ReadonlyArray<string> =>
  Object.entries(run.bounds)
    .map(([name, value]) => `-D${name}=${value}`)
    .concat(run.fault === undefined ? [] : [`-D${run.fault}`])

/** A run without the calm ends where its bounds end: that is not a deadlock. */
const panOptions = (run: Run): ReadonlyArray<string> => [
  "-m1000000",
  "-w24",
  ...(run.bounds.CALM === undefined ? ["-E"] : [])
]

const succeeded = (result: SpawnSyncReturns<string>, what: string): void => {
  if (result.status !== 0) throw new Error(`${what} failed: ${result.stdout}${result.stderr}`)
}

const compile = (run: Run, directory: string, options: ReadonlyArray<string>): void => {
  const inDirectory = { cwd: directory, encoding: "utf8" } as const
  succeeded(spawnSync("spin", [...defines(run), "-a", model], inDirectory), "spin")
  const flags = ["-O2", "-w", "-DSAFETY", "-DNOFAIR", "-DVECTORSZ=1024", `-DMEMLIM=${MEMORY}`, ...options]
  succeeded(spawnSync("gcc", [...flags, "-o", "pan", "pan.c"], inDirectory), "gcc")
}

/** What the checker says. In an invalid end state no process can renew any more. */
const read = (output: string): string => {
  const assertion = /assertion violated \(?(\w+)/.exec(output)?.[1]
  if (assertion !== undefined) return assertion
  if (/^pan.*: invalid end state/m.test(output)) return "SOMEBODY_CAN_RENEW"
  if (/max search depth too small|out of memory|reached -DMEMLIM/.test(output)) return "the bounds are too wide"
  return /errors: 0\b/.test(output) ? "none" : `no verdict: ${output.slice(-300)}`
}

const withDirectory = async <A>(use: (directory: string) => Promise<A>): Promise<A> => {
  const directory = mkdtempSync(join(tmpdir(), "protocol-"))
  try {
    return await use(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const check = (run: Run): Promise<Outcome> =>
  withDirectory(async (directory) => {
    compile(run, directory, ["-DCOLLAPSE"])
    const start = performance.now()
    const pan = spawn("./pan", panOptions(run), { cwd: directory, stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    pan.stdout.setEncoding("utf8").on("data", (text: string) => (output += text))
    await new Promise((done) => pan.on("close", done))
    return {
      run,
      found: read(output),
      states: Number(/(\d+) states, stored/.exec(output)?.[1] ?? 0),
      seconds: (performance.now() - start) / 1000
    }
  })

/** Breadth first, so that the trace is the shortest. */
const trace = (run: Run): Promise<void> =>
  withDirectory(async (directory) => {
    compile(run, directory, ["-DBFS"])
    const pan = spawnSync("./pan", [...panOptions(run)], { cwd: directory, encoding: "utf8" })
    console.log(`${run.name}: ${read(pan.stdout)}`)
    const replay = [...defines(run), "-t", "-p", "-k", join(directory, "protocol.pml.trail"), model]
    console.log(spawnSync("spin", replay, { cwd: directory, encoding: "utf8", maxBuffer: 1e9 }).stdout)
  })

const describe = ({ found, run, seconds, states }: Outcome): string => {
  const holds = found === run.expected
  const bounds = Object.entries(run.bounds).map(([name, value]) => `${name.toLowerCase()} ${value}`)
  const verdict = holds ? "ok " : "NOT"
  return `${verdict} ${run.name} | ${found}${holds ? "" : `, not ${run.expected}`} | ${states} states, ${seconds.toFixed(1)} s | ${bounds.join(", ")}`
}

const { values } = parseArgs({ options: { only: { type: "string" }, trace: { type: "string" } } })

const missing = ["spin", "gcc"].filter((program) => spawnSync(program, ["-V"]).error !== undefined)
if (missing.length > 0) {
  console.log(
    `The protocol was not checked: ${missing.join(" and ")} not found. Install with: apt-get install spin gcc`
  )
  process.exit(process.env["CI"] === "true" ? 1 : 0)
}

const named = (text: string | undefined) => [...passing, ...switches].filter((run) => run.name.includes(text ?? ""))

if (values.trace !== undefined) {
  const [first] = named(values.trace)
  if (first === undefined) throw new Error(`No run has a name with: ${values.trace}`)
  await trace(first)
} else {
  const waiting = named(values.only)
  const total = waiting.length
  let surprises = 0
  const work = async (): Promise<void> => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      const outcome = await check(run)
      if (outcome.found !== run.expected) surprises += 1
      console.log(describe(outcome))
    }
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work))
  console.log(`${total - surprises} as expected, ${surprises} not`)
  process.exit(total > 0 && surprises === 0 ? 0 : 1)
}
