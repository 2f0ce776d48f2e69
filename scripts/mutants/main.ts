/**
 * Applies each mutant to a copy of the project and runs the test that has to notice it. `npm run mutants` prints a line for each
 * mutant and fails if one survives; `npm run mutants -- WORD` runs those whose rule or breakage has the word. Several run at a time,
 * because many make a test wait for its time-out.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Mutant, mutants } from "./list.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const JOBS = 4
const word = process.argv[2] ?? ""

interface Outcome {
  readonly killer: string | undefined
  readonly problem?: string
}

interface Report {
  readonly testResults: ReadonlyArray<{
    readonly assertionResults: ReadonlyArray<{ readonly status: string; readonly fullName: string }>
  }>
}

/** A mutant may loop without an end, so its test run is a process group of its own, which is killed as a whole. */
const run = async (copy: string, args: ReadonlyArray<string>): Promise<void> => {
  const child = spawn("npx", args, { cwd: copy, stdio: "ignore", detached: true })
  const killAll = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
    } catch {
      // All of it has ended.
    }
  }
  const timer = setTimeout(killAll, 180_000)
  await once(child, "exit")
  clearTimeout(timer)
  killAll()
}

/** The first test that fails, if one does. */
const killerOf = async (copy: string, { name, test }: Mutant): Promise<Outcome> => {
  const report = join(copy, "report.json")
  rmSync(report, { force: true })
  const args = [
    "vitest",
    "run",
    test,
    "--bail=1",
    "--maxWorkers=1",
    "--minWorkers=1",
    "--reporter=json",
    `--outputFile=${report}`
  ]
  await run(copy, name === undefined ? args : [...args, "-t", name])
  try {
    const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report
    const results = testResults.flatMap(({ assertionResults }) => assertionResults)
    if (results.length === 0) return { killer: undefined, problem: "no test ran" }
    return { killer: results.find(({ status }) => status === "failed")?.fullName }
  } catch {
    return { killer: "(the run did not end)" }
  }
}

const tryOut = async (copy: string, mutant: Mutant): Promise<Outcome> => {
  const file = join(copy, mutant.file)
  const source = readFileSync(file, "utf8")
  const places = source.split(mutant.from).length - 1
  if (places !== 1) return { killer: undefined, problem: `its line stands in ${mutant.file} ${places} times` }
  try {
    writeFileSync(
      file,
      source.replace(mutant.from, () => mutant.to)
    )
    return await killerOf(copy, mutant)
  } finally {
    writeFileSync(file, source)
  }
}

const makeCopy = (): string => {
  const copy = mkdtempSync(join(tmpdir(), "nomba-auth-mutants-"))
  for (const part of [
    "src",
    "test",
    "examples",
    "docs",
    "package.json",
    "tsconfig.json",
    "vitest.config.ts",
    "openapi.json"
  ]) {
    cpSync(join(root, part), join(copy, part), { recursive: true })
  }
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
  return copy
}

const chosen = mutants.filter(({ breaks, rule }) => `${rule} ${breaks}`.includes(word))
const waiting = [...chosen]
let alive = 0

const work = async (): Promise<void> => {
  const copy = makeCopy()
  try {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const { killer, problem } = await tryOut(copy, mutant)
      if (killer === undefined) alive += 1
      console.log(`${killer === undefined ? "ALIVE " : "killed"}  ${mutant.rule}: ${mutant.breaks}`)
      console.log(`        ${killer ?? problem ?? `${mutant.test} passes`}`)
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

await Promise.all(Array.from({ length: Math.min(JOBS, chosen.length) }, work))
console.log(`\n${chosen.length - alive} of ${chosen.length} mutants killed`)
process.exitCode = alive === 0 && chosen.length > 0 ? 0 : 1
