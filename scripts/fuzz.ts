/**
 * Sends broken, cut and hostile requests to every path of a sandbox over raw sockets, by HTTP and by HTTPS. The sandbox
 * must not crash, answer 500, leave a request without an answer, or fail to stop while clients keep connections open.
 *
 *     tsx scripts/fuzz.ts [--seconds N] [--seed TEXT]
 */
import { readFileSync } from "node:fs"
import http from "node:http"
import https from "node:https"
import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { parseArgs } from "node:util"
import { HttpApi } from "@effect/platform"
import { Effect, Random } from "effect"
import { ControlApi, NombaApi, type SandboxHandle, startSandbox } from "../src/sandbox/index.js"

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string", default: String(Date.now()) } }
})

const random = Random.make(values.seed)
const int = (below: number): number => Effect.runSync(random.nextIntBetween(0, below))
const pick = <A>(from: ReadonlyArray<A>): A => from[int(from.length)] as A
const chance = (percent: number): boolean => int(100) < percent

const pem = (name: string): string => readFileSync(new URL(`../test/fixtures/tls/${name}`, import.meta.url), "utf8")

const sandboxes = [
  await startSandbox({ seed: values.seed }),
  await startSandbox({ seed: values.seed, tls: { cert: pem("certificate.pem"), key: pem("key.pem") } })
]

/** The one that this round is for. */
let sandbox = sandboxes[0] as SandboxHandle
const { clientId, clientSecret } = sandbox.credentials()

const failures: Array<string> = []
process.on("uncaughtException", (error) => failures.push(`the process crashed: ${error.stack}`))
process.on("unhandledRejection", (error) => failures.push(`a promise was rejected: ${error}`))

interface Route {
  readonly method: string
  readonly path: string
}

const routes: Array<Route> = []
for (const api of [NombaApi, ControlApi]) {
  HttpApi.reflect(api as never, {
    onGroup: () => {},
    onEndpoint: ({ endpoint: { method, path } }) => routes.push({ method, path })
  })
}
routes.push(
  ...["/", "/health", "/openapi.json", "/docs", "/docs/control", "/assets/page.js", "/v1/auth/authorize"].map(
    (path) => ({
      method: "GET",
      path
    })
  ),
  { method: "POST", path: "/v1/auth/authorize" },
  { method: "GET", path: "/v1/accounts/balance" },
  { method: "POST", path: "/v2/transfers/bank" },
  { method: "POST", path: "/v1/checkout/order" },
  { method: "GET", path: "/v1/checkout/transaction?idType=ORDER_REFERENCE&id=1" }
)

const text = (): string =>
  Array.from({ length: int(30) }, () => String.fromCharCode(pick([int(32), 32 + int(95), int(256)]))).join("")

const json = (depth = 0): unknown =>
  pick<() => unknown>([
    () => null,
    () => chance(50),
    () => pick([0, -1, 1.5, 1e308, int(1000)]),
    text,
    () => "\ud800",
    () => (depth > 3 ? [] : Array.from({ length: int(4) }, () => json(depth + 1))),
    () =>
      depth > 3
        ? {}
        : Object.fromEntries(
            Array.from({ length: int(5) }, () => [
              pick(["token", "clientId", "access_token", "grant_type", "__proto__", "constructor", "fault", text()]),
              json(depth + 1)
            ])
          )
  ])()

const deep = (): string => {
  const levels = 1 + int(20_000)
  return pick([`${"[".repeat(levels)}${"]".repeat(levels)}`, '{"a":'.repeat(levels)])
}

const valid: Readonly<Record<string, () => unknown>> = {
  "/v1/auth/token/issue": () => ({
    grant_type: pick(["client_credentials", "authorization_code"]),
    client_id: clientId,
    client_secret: clientSecret,
    code: text(),
    code_verifier: text(),
    redirect_uri: text()
  }),
  "/v1/auth/token/refresh": () => ({ grant_type: "refresh_token", refresh_token: text() }),
  "/v1/auth/token/revoke": () => ({ token: text() }),
  "/_sandbox/faults": () => ({
    target: pick(["issue", "refresh", "revoke", "resource", "GET /v1/accounts/*"]),
    fault: {
      times: 1 + int(3),
      answer: pick([
        {
          status: 200 + int(300),
          headers: { [pick(["trailer", "x-a", "connection", "upgrade", "date"])]: text() },
          body: json()
        },
        "connectionReset",
        "truncated",
        "invalidBody"
      ])
    }
  }),
  "/_sandbox/clock": () => pick([{ advance: int(1e9) }, { set: "2030-01-01T00:00:00Z" }])
}

const body = (path: string): string =>
  pick([
    () => JSON.stringify(valid[path]?.() ?? json()),
    () => JSON.stringify(valid[path]?.() ?? json()),
    () => JSON.stringify(json()),
    text,
    deep,
    () => "x".repeat(int(200_000)),
    () => ""
  ])()

let bearer = ""

const host = (): string => new URL(sandbox.url).host

const headers = (): ReadonlyArray<string> => [
  `Host: ${chance(95) ? host() : pick(["", "evil.example", "[::1", text()])}`,
  ...(chance(60)
    ? [`Content-Type: ${pick(["application/json", "application/json; charset=utf-8", "text/plain", text()])}`]
    : []),
  ...(chance(50) ? [`Authorization: ${pick([`Bearer ${bearer}`, bearer, "Bearer", `Basic ${text()}`, text()])}`] : []),
  ...(chance(20) ? [`accountId: ${text()}`] : []),
  ...(chance(20)
    ? [`Origin: ${pick(["null", `${chance(50) ? "http" : "https"}://${host()}`, "https://evil.example", text()])}`]
    : []),
  ...(chance(10) ? [`Expect: ${pick(["100-continue", text()])}`] : []),
  ...(chance(10) ? [`Access-Control-Request-Method: ${pick(["POST", text()])}`] : []),
  ...(chance(5) ? [`Cookie: ${"c".repeat(int(20_000))}`] : [])
]

const upgrade = (): ReadonlyArray<string> =>
  chance(30)
    ? pick([
        [
          "Connection: Upgrade",
          "Upgrade: websocket",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
          "Sec-WebSocket-Version: 13"
        ],
        ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAA"],
        ["Connection: Upgrade", `Upgrade: ${text()}`]
      ])
    : ["Connection: close"]

const framed = (content: string): string => {
  const chunk = `${content.length.toString(16)}\r\n${content}\r\n0\r\n\r\n`
  return pick([
    () => `Content-Length: ${Buffer.byteLength(content, "latin1")}\r\n\r\n${content}`,
    () => `Content-Length: ${Buffer.byteLength(content, "latin1")}\r\n\r\n${content}`,
    () => `Transfer-Encoding: chunked\r\n\r\n${chunk}`,
    () => `Content-Length: ${int(100)}\r\n\r\n${content}`,
    () => `Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n${chunk}`,
    () => `\r\n${content}`
  ])()
}

const message = (): { readonly bytes: string; readonly endless: boolean } => {
  const { method, path } = pick(routes)
  const verb = chance(85)
    ? method
    : pick(["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PATCH", "BREW"])
  const target = chance(80)
    ? path
    : pick([
        `${path}/`,
        `${path}?${text()}`,
        `/v1/${text()}`,
        `//${text()}`,
        "*",
        `http://${host()}${path}`,
        `/%${text()}`
      ])
  const lines = [`${verb} ${target} HTTP/1.1`, ...headers(), ...upgrade()]
  return { bytes: `${lines.join("\r\n")}\r\n${framed(body(path))}`, endless: target.includes("events") }
}

/** Ten seconds is beyond anything that the sandbox does with a request that has arrived. */
const patience = 10_000

let answers = 0

/** Over TLS the bytes can also go to a server that waits for a handshake. */
const connection = (): { readonly tcp: Socket; readonly socket: Socket } => {
  const { hostname, port, protocol } = new URL(sandbox.url)
  const tcp = connect({ host: hostname, port: Number(port), noDelay: true })
  if (protocol === "http:" || chance(10)) return { tcp, socket: tcp }
  tcp.on("error", () => {})
  return { tcp, socket: connectTls({ socket: tcp, rejectUnauthorized: false }) }
}

const send = (): Promise<void> =>
  new Promise((resolve) => {
    const { bytes, endless } = message()
    const cut = chance(25) ? int(bytes.length) : undefined
    const shown = JSON.stringify(bytes.slice(0, 400))
    const { socket, tcp } = connection()
    const isUnderstood = sandbox.url.startsWith("http:") || socket !== tcp
    let answer = ""
    const timer = setTimeout(() => {
      if (cut === undefined && isUnderstood && !endless && answer === "") failures.push(`no answer: ${shown}`)
      socket.destroy()
    }, patience)
    socket.setEncoding("latin1")
    socket.on(socket === tcp ? "connect" : "secureConnect", () => {
      if (cut === undefined) socket.end(Buffer.from(bytes, "latin1"))
      else
        socket.write(Buffer.from(bytes.slice(0, cut), "latin1"), () =>
          pick([() => tcp.resetAndDestroy(), () => socket.destroy()])()
        )
    })
    socket.on("data", (chunk) => {
      answer += chunk
      if (endless) socket.destroy()
    })
    socket.on("error", () => {})
    socket.on("close", () => {
      clearTimeout(timer)
      if (answer !== "") answers += 1
      if (/^HTTP\/1.1 500 /.test(answer) && answer.includes("Internal error")) failures.push(`500: ${shown}`)
      resolve()
    })
  })

const start = performance.now()
const report = (sent: number): never => {
  for (const failure of failures) console.log(`FAILED: ${failure}`)
  const took = ((performance.now() - start) / 1000).toFixed(0)
  console.log(`${sent} requests in ${took} s, ${answers} answers, ${failures.length} failures (seed ${values.seed})`)
  process.exit(failures.length === 0 ? 0 : 1)
}

const isHealthy = (): Promise<boolean> =>
  new Promise((resolve) => {
    const { get } = sandbox.url.startsWith("http:") ? http : https
    get(`${sandbox.url}/health`, { agent: false, rejectUnauthorized: false, timeout: patience }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
      .on("timeout", () => resolve(false))
      .on("error", () => resolve(false))
  })

/** Connections that have sent nothing, or half a request, when the sandbox is told to stop. */
const stall = (): Promise<unknown> =>
  Promise.all(
    ["", "GET / HTTP/1.1\r\n", "\x16\x03\x01\x02"].map((bytes) => {
      const { tcp } = connection()
      tcp.on("error", () => {})
      return new Promise((resolve) => tcp.once("connect", () => tcp.write(bytes, resolve)))
    })
  )

const until = start + Number(values.seconds) * 1000
let sent = 0
while (performance.now() < until && failures.length < 10) {
  sandbox = pick(sandboxes)
  await sandbox.reset()
  bearer = (await sandbox.steal()).accessToken
  await Promise.all(Array.from({ length: 50 }, send))
  sent += 50
  if (!(await isHealthy())) failures.push("it no longer answers")
}
setTimeout(() => {
  failures.push("it does not stop")
  report(sent)
}, patience)
for (sandbox of sandboxes) {
  await stall()
  await sandbox.close()
}
report(sent)
