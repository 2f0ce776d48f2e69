/**
 * Another program logs in with the same credentials every second for a minute, while `nomba-auth serve` gets 50 requests a
 * second. The first ten logins must cost no request. After them the library spaces renewals out, so that two programs do not
 * log each other out for ever: a request may then fail with 503, `x-nomba-auth: Unavailable` and `Retry-After`. No request may be
 * answered in any other way, above all not with a 401 that a replay could have saved.
 *
 *     npm run load -- otherLogins
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { Agent, type IncomingMessage, request } from "node:http"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { startSandbox } from "../../src/sandbox/index.js"
import { bundle } from "../bundle.js"

const SECONDS = Number(process.argv[3] ?? 60)
const RATE = 50

const folder = mkdtempSync(join(tmpdir(), "nomba-auth-load-"))
await bundle(join(folder, "bin"))
const sandbox = await startSandbox()
const { accountId = "", clientId, clientSecret } = sandbox.credentials()
const child = spawn(process.execPath, [join(folder, "bin/nomba-auth.js"), "serve", "--port", "0", "--quiet"], {
  env: {
    ...process.env,
    NOMBA_BASE_URL: sandbox.url,
    NOMBA_CLIENT_ID: clientId,
    NOMBA_CLIENT_SECRET: clientSecret,
    NOMBA_ACCOUNT_ID: accountId,
    NOMBA_TOKEN_STORE: `file:${join(folder, "store")}`
  },
  stdio: ["ignore", "pipe", "inherit"]
})
const [line] = await once(child.stdout, "data")
const ready = JSON.parse(String(line))
const key = readFileSync(ready.keyFile, "utf8").trim()
const agent = new Agent({ keepAlive: true })

const order = JSON.stringify({
  order: { amount: 100, currency: "NGN", callbackUrl: "https://shop.example/", customerEmail: "a@shop.example" }
})

interface Outcome {
  readonly status: number
  readonly tag: string
  readonly waits: boolean
  readonly detail: string
  readonly body: string
  readonly at: number
}

const startedAt = performance.now()

const ask = async (isPost: boolean): Promise<Outcome> => {
  const at = performance.now() - startedAt
  const path = isPost ? "/v1/checkout/order" : "/v1/accounts/balance"
  const headers = { "x-nomba-key": key, ...(isPost ? { "content-type": "application/json" } : {}) }
  const sent = request(ready.url + path, { method: isPost ? "POST" : "GET", agent, headers })
  sent.end(isPost ? order : undefined)
  const [response] = (await once(sent, "response")) as [IncomingMessage]
  return {
    status: response.statusCode ?? 0,
    tag: String(response.headers["x-nomba-auth"] ?? "none"),
    waits: response.headers["retry-after"] !== undefined,
    detail: String(response.headers["x-nomba-auth-detail"] ?? ""),
    body: await text(response),
    at
  }
}

await ask(false)
let otherLogins = 0
const rival = setInterval(() => {
  otherLogins += 1
  void sandbox.steal()
}, 1_000)
const asked: Array<Promise<Outcome>> = []
const load = setInterval(() => void asked.push(ask(asked.length % 5 === 0)), 1_000 / RATE)
await new Promise((resolve) => setTimeout(resolve, SECONDS * 1_000))
clearInterval(rival)
clearInterval(load)
const outcomes = await Promise.all(asked)

const succeeded = outcomes.filter(({ status }) => status === 200)
const early = outcomes.filter(({ at, status }) => at < 9_500 && status !== 200)
const contested = ({ body, status, tag, waits }: Outcome): boolean =>
  status === 503 && tag === "Unavailable" && waits && body.includes("keeps rejecting new access tokens")
const others = outcomes.filter((outcome) => outcome.status !== 200 && !contested(outcome))
const { issued, refreshed } = await sandbox.counts()

console.log(`Load of the machine: ${loadavg()
  .map((value) => value.toFixed(1))
  .join(" ")}
${otherLogins} other logins, ${outcomes.length} requests: ${succeeded.length} succeeded, ${outcomes.filter(contested).length} were told to wait
token requests of the proxy: ${issued + refreshed}
failed in the first 9.5 seconds: ${early.length}; failed in any other way: ${others.length}`)
const kinds = new Map<string, number>()
for (const { detail, status, tag } of [...early, ...others]) {
  const kind = `${status} ${tag} ${detail}`
  kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
}
for (const [kind, count] of kinds) console.log(`  ${count} × ${kind}`)
child.kill("SIGTERM")
await once(child, "exit")
await sandbox.close()
rmSync(folder, { recursive: true, force: true })
process.exit(early.length + others.length === 0 ? 0 : 1)
