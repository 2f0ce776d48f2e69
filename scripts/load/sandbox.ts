/**
 * Loads a sandbox that runs in a process of its own: 2,000 token requests a second for 10 s without an error, and as
 * many as it can take, 100,000 of them, with its memory flat. Writes the figures into `docs/sandbox-load.md`.
 *
 *     npm run load
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import autocannon from "autocannon"

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const child = fork(here("server.ts"), { execArgv: ["--import", "tsx", "--expose-gc"] })
const told = async <A>(): Promise<A> => {
  const [message] = await once(child, "message")
  return message as A
}

const { credentials, url } = await told<{ url: string; credentials: { clientId: string; clientSecret: string } }>()

/** Its memory in MiB, and the processor time that it has taken in microseconds. */
const usage = async (): Promise<{ heap: number; resident: number; cpu: number }> => {
  child.send("usage")
  const { cpu, heapUsed, rss } = await told<{ heapUsed: number; rss: number; cpu: number }>()
  return { heap: heapUsed / 2 ** 20, resident: rss / 2 ** 20, cpu }
}

const load = (options: Partial<autocannon.Options>): Promise<autocannon.Result> =>
  autocannon({
    url: `${url}/v1/auth/token/issue`,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      grant_type: "client_credentials",
      client_id: credentials.clientId,
      client_secret: credentials.clientSecret
    }),
    connections: 20,
    ...options
  })

const rate = 2_000
const seconds = 10
const failures = ({ errors, non2xx, timeouts }: autocannon.Result): number => errors + non2xx + timeouts
const broken: Array<string> = []

await load({ amount: 4_000 })
const steady = await load({ overallRate: rate, duration: seconds })
const served = steady["2xx"]
if (failures(steady) > 0) broken.push(`${failures(steady)} of ${steady.requests.total} requests failed`)
if (served < rate * seconds * 0.98) broken.push(`only ${served} of ${rate * seconds} requests were served`)

const table: Array<{ requests: number; heap: number; resident: number; cpu: number }> = []
const batch = 20_000
let fastest = 0
for (let requests = batch; requests <= 5 * batch; requests += batch) {
  const result = await load({ amount: batch })
  if (failures(result) > 0) broken.push(`${failures(result)} of ${batch} requests failed`)
  fastest = Math.max(fastest, batch / result.duration)
  table.push({ requests, ...(await usage()) })
}
const each = ((table.at(-1)?.cpu ?? 0) - (table[0]?.cpu ?? 0)) / (4 * batch)
const growth = (table.at(-1)?.heap ?? 0) - (table[0]?.heap ?? 0)
if (growth > 4) broken.push(`the heap grew by ${growth.toFixed(1)} MiB`)
child.disconnect()

const rounded = (value: number): string => value.toFixed(1)
const report = `# The sandbox under load

Written by \`npm run load\`: a sandbox in a process of its own, 20 connections, every request an issue that signs a new
token and ends a session. Node ${process.versions.node}, ${availableParallelism()} cores, which the load generator shares.

| | |
|---|---|
| asked for | ${rate} requests a second for ${seconds} s |
| served | ${served} of ${steady.requests.total}, ${failures(steady)} failed |
| latency, p50 / p99 / longest | ${steady.latency.p50} / ${steady.latency.p99} / ${steady.latency.max} ms |
| as fast as it can | ${Math.round(fastest)} requests a second |
| processor time | ${Math.round(each)} µs a request |

Memory, after a garbage collection:

| requests | heap, MiB | resident, MiB |
|---|---|---|
${table.map(({ heap, requests, resident }) => `| ${requests} | ${rounded(heap)} | ${rounded(resident)} |`).join("\n")}
`
console.log(report)
for (const sentence of broken) console.log(`FAILED: ${sentence}`)
if (broken.length === 0) writeFileSync(here("../../docs/sandbox-load.md"), report)
process.exitCode = broken.length === 0 ? 0 : 1
