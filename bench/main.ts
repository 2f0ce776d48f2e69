/**
 * `npm run bench`: measures this package beside other token caches and writes `RESULTS.md`, `results.json` and `results.svg`.
 *
 * `npm run bench -- --quick` takes less than two minutes, writes nothing, and fails if a count is off: token requests, blocked
 * callers, Redis commands, leaked secrets. It prints times without judging them. `--no-build` takes the build that is there.
 */
import { execFileSync, fork, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { availableParallelism, cpus, loadavg, release } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { sizes } from "../scripts/sizes.js"
import { chart } from "./chart.js"
import * as programs from "./programs.js"
import { report } from "./report.js"
import type { Counts, Mock, Results, Spread } from "./results.js"
import { systems } from "./systems.js"

const here = fileURLToPath(new URL(".", import.meta.url))
const root = join(here, "..")
const isQuick = process.argv.includes("--quick")

interface System {
  readonly from?: ReadonlyArray<string>
  readonly ours?: boolean
  readonly herd?: boolean
  readonly cache?: boolean
}
const all = Object.entries(systems as Record<string, System>)
const names = all.map(([name]) => name)
const keeps = all.filter(([, { cache = true }]) => cache).map(([name]) => name)
const inHerd = all.filter(([, { herd = true }]) => herd).map(([name]) => name)

const inFolder = (folder: string, command: string, ...args: ReadonlyArray<string>): void => {
  execFileSync(command, args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] })
}
if (!existsSync(join(here, "node_modules"))) {
  console.log("installing the packages that are compared")
  inFolder(here, "npm", "ci", "--ignore-scripts")
}
if (!process.argv.includes("--no-build") || !existsSync(join(root, "dist/index.js"))) {
  console.log("building")
  inFolder(root, "npm", "run", "--silent", "build")
}

const server = fork(join(here, "tokenServer.js"))
const [{ url }] = (await once(server, "message")) as [{ url: string }]

let runs = 0
/** One row of one system in a fresh process. */
const measure = async <A>(row: string, name: string, options: object = {}): Promise<A> => {
  runs += 1
  const run = `run${runs}`
  const child = spawn(
    process.execPath,
    ["--expose-gc", join(here, "rows.js"), row, name, JSON.stringify({ quick: isQuick, url, run, ...options })],
    { stdio: ["ignore", "pipe", "inherit"] }
  )
  let printed = ""
  child.stdout.on("data", (part) => {
    printed += part
  })
  const [code] = await once(child, "close")
  if (code !== 0) throw new Error(`${row} of ${name} ended with ${code}`)
  const lines = printed.trim().split("\n")
  if (lines.length > 1) console.log(lines.slice(0, -1).join("\n"))
  return JSON.parse(lines.at(-1) ?? "") as A
}

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

/** The median of the processes' medians, and the lowest and highest of them. */
const over = (spreads: ReadonlyArray<Spread>): Spread => {
  const medians = spreads.map((spread) => spread.median)
  return spreads.length === 1 && spreads[0] !== undefined
    ? spreads[0]
    : { median: median(medians), low: Math.min(...medians), high: Math.max(...medians) }
}
const spreadOf = (values: ReadonlyArray<number>): Spread => ({
  median: median(values),
  low: Math.min(...values),
  high: Math.max(...values)
})

/** Runs a row for each system in turn, and that several times, so that a slow minute hits all of them. */
const interleaved = async <A>(
  row: string,
  subjects: ReadonlyArray<string>,
  rounds: number,
  options: object = {}
): Promise<Record<string, Array<A>>> => {
  const found: Record<string, Array<A>> = Object.fromEntries(subjects.map((name) => [name, []]))
  for (let round = 0; round < (isQuick ? 1 : rounds); round++) {
    for (let i = 0; i < subjects.length; i++) {
      const name = subjects[(i + round) % subjects.length]
      if (name !== undefined) found[name]?.push(await measure<A>(row, name, options))
    }
  }
  return found
}

const collect = <A, B>(found: Record<string, Array<A>>, pick: (values: ReadonlyArray<A>) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(found).map(([name, values]) => [name, pick(values)]))

const say = (what: string): void =>
  console.log(`${((performance.now() - began) / 1_000).toFixed(0).padStart(4)} s  ${what}`)
const began = performance.now()
const loadBefore = loadavg()[0] ?? 0

say("counts: cold start, short lifetime, 401, renewal ahead, expiry, 503")
const counts: Record<string, Counts> = {}
const waiting = [...names]
await Promise.all(
  Array.from({ length: isQuick ? 4 : 1 }, async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      counts[name] = await measure<Counts>("counts", name)
    }
  })
)

say("hits")
const quickly = isQuick ? ["nomba-auth/promise", "nomba-auth", "@smithy/core"] : undefined
const hits = collect(await interleaved<{ hit: Spread; floor: Spread }>("hit", quickly ?? keeps, 5), (values) => ({
  hit: over(values.map(({ hit }) => hit)),
  floor: over(values.map(({ floor }) => floor))
}))
const inFiber = await interleaved<Record<string, Spread>>("fiber", ["nomba-auth"], 5)
const fiber = merge(inFiber["nomba-auth"] ?? [])
const clients =
  (await interleaved<Record<string, Record<string, Spread>>>("client", ["nomba-auth"], 3))["nomba-auth"] ?? []
const client = Object.fromEntries(
  ["tracer on", "tracer off"].map((mode) => [mode, merge(clients.map((found) => found[mode] ?? {}))])
)

say("herds of 10,000")
const herds = collect(
  await interleaved<{ ms: Spread; tokenRequests: number }>("herd", quickly ?? inHerd, 3),
  (values) => ({
    ms: over(values.map(({ ms }) => ms)),
    tokenRequests: Math.max(...values.map(({ tokenRequests }) => tokenRequests))
  })
)

const scale: Record<string, Record<number, number>> = {}
if (!isQuick) {
  say("from 1 to 100,000 callers")
  for (const name of ["nomba-auth/promise", "nomba-auth", "@smithy/core"]) {
    const row: Record<number, number> = {}
    for (const size of [1, 10, 100, 1_000, 10_000, 100_000]) {
      row[size] = (await measure<{ ms: Spread }>("herd", name, { size })).ms.median
    }
    scale[name] = row
  }
}

say("memory")
const memory = collect(
  await interleaved<{ perCache: number; perWaiter?: number }>("memory", quickly ?? keeps, 1),
  ([first]) => first ?? { perCache: 0 }
)

say("requests over a socket")
const throughputs = (
  await interleaved<Record<string, Spread> & { tokenRequests: number }>("throughput", ["nomba-auth"], 3)
)["nomba-auth"]
const throughput = merge(
  (throughputs ?? []).map(({ client, facade, fetch }) => ({ client, facade, fetch }) as Record<string, Spread>)
)

say("a fleet of 8 over Redis")
const skipped: Array<string> = []
const redis = await programs.redis()
if (redis === undefined) skipped.push("the fleet: redis-server is not installed")
const fleet =
  redis &&
  (await measure<NonNullable<Results["fleet"]>>("fleet", "nomba-auth/promise", { redis: redis.url }).finally(
    redis.stop
  ))

say("mock servers")
const mocks: Record<string, Array<Mock>> = {}
for (let round = 0; round < (isQuick ? 1 : 3); round++) {
  for (const name of isQuick ? ["nomba-auth sandbox", "bare node server"] : programs.mockNames) {
    mocks[name] = [...(mocks[name] ?? []), await programs.mock(name, isQuick ? 500 : 10_000)]
  }
}

say("command line and proxy")
const commandLine = await programs.commandLine(`${url}/cli`, isQuick ? 3 : 15)
if (commandLine === undefined) skipped.push("the command line: `nomba-auth token` is not there")
const proxies = await programs.proxies(`${url}/proxy`, isQuick ? 500 : 20_000, isQuick ? 1 : 5)
if (proxies === undefined) skipped.push("the proxy: `nomba-auth serve` is not there")

say("bundles")
const bundles = await sizes()
server.disconnect()

function merge(found: ReadonlyArray<Record<string, Spread>>): Record<string, Spread> {
  const keys = Object.keys(found[0] ?? {})
  return Object.fromEntries(keys.map((key) => [key, over(found.flatMap((each) => each[key] ?? []))]))
}

const lock = JSON.parse(readFileSync(join(here, "package-lock.json"), "utf8")) as {
  packages: Record<string, { version?: string }>
}
const versions = Object.fromEntries(
  [...new Set([...all.flatMap(([, { from = [] }]) => from), "oauth2-mock-server", "@stoplight/prism-cli"])].map(
    (name) => [name, lock.packages[`node_modules/${name}`]?.version ?? "?"]
  )
)
const versionOf = (path: string): string => JSON.parse(readFileSync(join(root, path, "package.json"), "utf8")).version

const results: Results = {
  environment: {
    node: process.versions.node,
    cpu: cpus()[0]?.model.trim() ?? "?",
    cores: availableParallelism(),
    system: `${process.platform} ${release()}`,
    loadBefore,
    loadAfter: loadavg()[0] ?? 0,
    seconds: Math.round((performance.now() - began) / 1_000),
    versions: {
      "nomba-auth": versionOf("."),
      effect: versionOf("node_modules/effect"),
      "@effect/platform": versionOf("node_modules/@effect/platform"),
      ...versions
    }
  },
  counts,
  hits,
  fiber,
  client,
  herds,
  scale,
  memory,
  throughput,
  ...(fleet === undefined ? {} : { fleet }),
  mocks: Object.fromEntries(
    Object.entries(mocks).map(([name, values]) => [
      name,
      {
        readyMs: spreadOf(values.map(({ readyMs }) => readyMs)),
        rate: spreadOf(values.map(({ rate }) => rate)),
        residentMiB: median(values.map(({ residentMiB = 0 }) => residentMiB)),
        failed: values.reduce((sum, { failed }) => sum + failed, 0)
      }
    ])
  ),
  ...(commandLine === undefined
    ? {}
    : { commandLine: { hit: spreadOf(commandLine.hit), bare: spreadOf(commandLine.bare) } }),
  ...(proxies === undefined
    ? {}
    : {
        proxy: {
          readyMs: proxies.readyMs,
          ...collect({ serve: proxies.serve, bare: proxies.bare } as Record<string, Array<Mock>>, (values) => ({
            cpuUs: spreadOf(values.map(({ cpuUs = 0 }) => cpuUs)),
            medianMs: spreadOf(values.map(({ medianMs }) => medianMs)),
            residentMiB: median(values.map(({ residentMiB = 0 }) => residentMiB)),
            failed: values.reduce((sum, { failed }) => sum + failed, 0)
          }))
        } as NonNullable<Results["proxy"]>
      }),
  bundles,
  skipped
}

/** What must hold on every machine, however busy. */
const expected: Array<readonly [string, unknown, unknown]> = []
for (const [name, { ours }] of all) {
  const found = counts[name]
  if (ours !== true || found === undefined) continue
  expected.push(
    [`${name}: token requests of a cold start of 200`, found.cold.tokenRequests, 1],
    [`${name}: token requests for 100 calls with a token that lives 60 s`, found.short?.tokenRequests, 1],
    [`${name}: token requests after 200 answers of 401`, found.rejected?.tokenRequests, 1],
    [`${name}: calls of these 200 that were answered`, found.rejected?.answered, 200],
    [`${name}: callers that a renewal ahead of expiry blocks`, found.due?.blocked, 0],
    [`${name}: token requests of a renewal ahead of expiry`, found.due?.tokenRequests, 1],
    [`${name}: token requests after expiry`, found.expiry?.tokenRequests, 1],
    [`${name}: callers that got an expired token`, found.expiry?.stale, 0],
    [
      `${name}: token requests of 200 callers while Nomba answers 503: one, and four retries`,
      found.failure.tokenRequests,
      5
    ],
    [`${name}: token requests of the next 200 callers, during the backoff`, found.failure.again, 0],
    [`${name}: an error shows a secret`, found.failure.leaks, false],
    [`${name}: token requests of a herd of 10,000`, herds[name]?.tokenRequests, 1]
  )
}
if (fleet !== undefined) {
  expected.push(
    ["fleet of 8: token requests", fleet.tokenRequests, 1],
    [`fleet of 8: Redis commands for ${fleet.hits} hits`, fleet.redisCommands, 0]
  )
}
const broken = expected.filter(([, found, wanted]) => found !== wanted)

const text = report(results)
if (isQuick) {
  console.log(text)
} else {
  writeFileSync(join(here, "results.json"), `${JSON.stringify(results, undefined, 2)}\n`)
  writeFileSync(join(here, "results.svg"), chart(results))
  writeFileSync(join(here, "RESULTS.md"), text)
}
say("done")
for (const what of skipped) console.log(`SKIPPED ${what}`)
for (const [what, found, wanted] of broken) console.log(`FAILED ${what}: ${found}, not ${wanted}`)
console.log(`${expected.length - broken.length} counts hold, ${broken.length} do not`)
process.exit(broken.length === 0 ? 0 : 1)
