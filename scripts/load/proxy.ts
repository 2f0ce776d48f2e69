/**
 * Compares `nomba-auth serve`, as it is built, with a bare proxy over `node:http` in the same run: processor time a request,
 * median latency, memory, and the time until the ready line. Needs Linux, which tells the processor time of a process.
 *
 *     npm run load -- proxy
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { Agent, get } from "node:http"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import autocannon from "autocannon"
import { buildSync } from "esbuild"
import { bundle } from "../bundle.js"

const CPU_BUDGET = 1.15
const LATENCY_BUDGET = 0.3
const MEMORY_BUDGET = 80
const READY_BUDGET = 250

const folder = mkdtempSync(join(tmpdir(), "nomba-auth-load-"))
const children: Array<ChildProcess> = []
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})

/** Some machines set it, and it adds a third to the start of every Node.js process. */
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env

const start = (args: ReadonlyArray<string>, more: Readonly<Record<string, string>> = {}): ChildProcess => {
  const child = spawn(process.execPath, args, {
    env: { ...environment, ...more },
    stdio: ["ignore", "pipe", "ignore"]
  })
  children.push(child)
  return child
}

const firstLine = async (child: ChildProcess): Promise<string> => {
  if (child.stdout === null) throw new Error("no output")
  const [line] = await once(child.stdout, "data")
  return String(line).trim()
}

/** Compiled, because tsx in the process would count. */
const helper = (name: string, ...args: ReadonlyArray<string>): ChildProcess => {
  const outfile = join(folder, `${name}.mjs`)
  buildSync({ entryPoints: [fileURLToPath(new URL(`${name}.ts`, import.meta.url))], outfile, format: "esm" })
  return start([outfile, ...args])
}

/** Milliseconds of processor time; the kernel counts in hundredths of a second. */
const cpuOf = ({ pid }: ChildProcess): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ")
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** The most memory that a process has had, in MiB. */
const memoryOf = ({ pid }: ChildProcess): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

interface Target {
  readonly child: ChildProcess
  readonly url: string
  readonly headers: Record<string, string>
}

const REQUESTS = 20_000

/** Microseconds of processor time for each of so many requests, over 20 connections. */
const cpuPerRequest = async ({ child, headers, url }: Target): Promise<number> => {
  const before = cpuOf(child)
  const result = await autocannon({ url: `${url}/v1/accounts/balance`, headers, connections: 20, amount: REQUESTS })
  if (result["2xx"] !== REQUESTS) throw new Error(`${REQUESTS - result["2xx"]} requests failed`)
  return ((cpuOf(child) - before) * 1_000) / REQUESTS
}

/** The median of requests one after the other on one connection, in milliseconds. */
const latency = async ({ headers, url }: Target): Promise<number> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const took: Array<number> = []
  for (let index = 0; index < 2_000; index++) {
    const startedAt = performance.now()
    const asked = get(`${url}/v1/accounts/balance`, { agent, headers })
    const [response] = await once(asked, "response")
    response.resume()
    await once(response, "end")
    took.push(performance.now() - startedAt)
  }
  agent.destroy()
  return median(took)
}

await bundle(join(folder, "bin"))
const bin = join(folder, "bin/nomba-auth.js")
const upstream = await firstLine(helper("proxyUpstream"))

const serve = (): ChildProcess =>
  start([bin, "serve", "--port", "0"], {
    NOMBA_BASE_URL: `http://127.0.0.1:${upstream}`,
    NOMBA_CLIENT_ID: "5e2c7ab5-dc95-431e-97bd-85319087245a",
    NOMBA_CLIENT_SECRET: "qckdiIIlPkLtDNom9YyQKocd/zlFIL9A2ogzm0i912M=",
    NOMBA_TOKEN_STORE: "memory"
  })

const isQuick = process.argv.includes("--cpu")
const readyTimes: Array<number> = []
const bareStarts: Array<number> = []
for (let round = 0; round < (isQuick ? 1 : 9); round++) {
  const nothing = performance.now()
  await once(start(["-e", "0"]), "exit")
  bareStarts.push(performance.now() - nothing)
  const startedAt = performance.now()
  const child = serve()
  await firstLine(child)
  readyTimes.push(performance.now() - startedAt)
  child.kill("SIGTERM")
  await once(child, "exit")
}

const bareChild = helper("bareProxy", upstream)
const bare: Target = { child: bareChild, url: `http://127.0.0.1:${await firstLine(bareChild)}`, headers: {} }
const ownChild = serve()
const ready = JSON.parse(await firstLine(ownChild))
const own: Target = {
  child: ownChild,
  url: ready.url,
  headers: { "x-nomba-key": readFileSync(ready.keyFile, "utf8").trim() }
}

await cpuPerRequest(bare)
await cpuPerRequest(own)
const rounds: Array<{ readonly bare: number; readonly own: number; readonly slower: number }> = []
for (let round = 0; round < 7; round++) {
  const [bareCpu, ownCpu] = [await cpuPerRequest(bare), await cpuPerRequest(own)]
  const [bareLatency, ownLatency] = isQuick ? [0, 0] : [await latency(bare), await latency(own)]
  rounds.push({ bare: bareCpu, own: ownCpu, slower: ownLatency - bareLatency })
}
const ratio = median(rounds.map(({ bare, own }) => own / bare))
const slower = median(rounds.map(({ slower }) => slower))
const memory = memoryOf(ownChild)
const readyAfter = median(readyTimes)

const rounded = (value: number): string => value.toFixed(2)
console.log(`Load of the machine: ${loadavg().map(rounded).join(" ")} (a ratio means little above the number of cores)

processor time a request   ${rounded(median(rounds.map(({ own }) => own)))} µs, bare ${rounded(median(rounds.map(({ bare }) => bare)))} µs: ${rounded(ratio)} × (budget ${CPU_BUDGET})
median latency             + ${rounded(slower)} ms (budget ${LATENCY_BUDGET})
memory                     ${rounded(memory)} MiB (budget ${MEMORY_BUDGET}), bare ${rounded(memoryOf(bareChild))}
ready line                 ${rounded(readyAfter)} ms (budget ${READY_BUDGET}), node alone ${rounded(median(bareStarts))}`)

const isKept = ratio <= CPU_BUDGET && slower <= LATENCY_BUDGET && memory <= MEMORY_BUDGET && readyAfter <= READY_BUDGET
console.log(isKept ? "All budgets are kept." : "FAILED: a budget is not kept.")
process.exit(isKept ? 0 : 1)
