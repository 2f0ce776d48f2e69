/** Programs that are started and loaded from outside: the sandbox, other mock servers, the command line and the proxy. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { Agent, createServer, request as sendRequest } from "node:http"
import { createServer as listen } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { ACCOUNT_ID, CLIENT_ID, CLIENT_SECRET } from "./systems.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const bin = join(root, "dist/bin/nomba-auth.js")
const node = process.execPath

export const freePort = async () => {
  const server = listen().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address()
  server.close()
  await once(server, "close")
  return port
}

/** Starts a program and waits until `look` finds what it waits for in what the program printed. */
const start = async (args, look, env = {}, isReady = new Promise(() => {})) => {
  const began = performance.now()
  const child = spawn(node, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true
  })
  let printed = ""
  const found = new Promise((resolve, reject) => {
    const hear = (part) => {
      printed += part
      const value = look(printed)
      if (value) resolve(value)
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    child.once("exit", (code) => reject(new Error(`${args.join(" ")} ended with ${code}: ${printed.slice(0, 500)}`)))
  })
  const value = await Promise.race([
    found,
    isReady,
    sleep(60_000, undefined, { ref: false }).then(() => {
      process.kill(-child.pid, "SIGKILL")
      throw new Error(`${args.join(" ")} was not ready in a minute`)
    })
  ])
  return {
    value,
    readyMs: performance.now() - began,
    child,
    // The whole group, because Prism starts a process of its own. What it prints is no longer waited for.
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(
          `${args.join(" ")} ended early with ${child.exitCode ?? child.signalCode}: ${printed.slice(-500)}`
        )
      }
      child.stdout.destroy()
      child.stderr.destroy()
      const ended = once(child, "exit")
      process.kill(-child.pid, "SIGKILL")
      await ended
    }
  }
}

const untilAnswered = async (url) => {
  for (;;) {
    try {
      await (await fetch(url)).text()
      return true
    } catch {
      await sleep(10)
    }
  }
}

/** Processor time in milliseconds and resident memory in MiB of a process. Undefined on systems without `/proc`. */
export const usage = (pid) => {
  if (!existsSync(`/proc/${pid}/stat`)) return undefined
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ")
  const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * 10, residentMiB: Number(resident?.[1] ?? 0) / 1024 }
}

/** Sends so many requests, ten at a time, and reports the rate and the median latency. */
export const load = async (url, { amount, body, headers = {}, method = "GET" }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 10 })
  const latencies = []
  let failed = 0
  const one = () =>
    new Promise((resolve) => {
      const began = performance.now()
      const request = sendRequest(
        url,
        { agent, method, headers: { ...headers, ...(body && { "content-length": Buffer.byteLength(body) }) } },
        (response) => {
          if (response.statusCode >= 300) failed += 1
          response.resume().once("end", () => {
            latencies.push(performance.now() - began)
            resolve()
          })
        }
      )
      request.once("error", () => {
        failed += 1
        resolve()
      })
      request.end(body)
    })
  let left = amount
  const began = performance.now()
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      while (left-- > 0) await one()
    })
  )
  const seconds = (performance.now() - began) / 1_000
  agent.destroy()
  latencies.sort((a, b) => a - b)
  return { rate: amount / seconds, medianMs: latencies[latencies.length >> 1], failed }
}

const form = "application/x-www-form-urlencoded"

const bareServer = `require("node:http").createServer((request, response) => response.end("{}")).listen(0, "127.0.0.1", function () { console.log("ready " + this.address().port) })`

const mocks = {
  "nomba-auth sandbox": {
    start: () => start([bin, "sandbox", "--port", "0"], (text) => /NOMBA_ACCOUNT_ID=\S+/.test(text) && text),
    request: (printed) => ({
      url: `${/"url":"([^"]+)"/.exec(printed)[1]}/v1/auth/token/issue`,
      headers: { "content-type": "application/json", accountId: /NOMBA_ACCOUNT_ID=(\S+)/.exec(printed)[1] },
      body: JSON.stringify({
        grant_type: "client_credentials",
        client_id: /NOMBA_CLIENT_ID=(\S+)/.exec(printed)[1],
        client_secret: /NOMBA_CLIENT_SECRET=(\S+)/.exec(printed)[1]
      })
    })
  },
  "oauth2-mock-server": {
    start: async () => {
      const port = await freePort()
      const started = await start(
        [
          join(root, "bench/node_modules/oauth2-mock-server/dist/oauth2-mock-server.mjs"),
          "-a",
          "127.0.0.1",
          "-p",
          String(port)
        ],
        (text) => text.includes("listening")
      )
      return { ...started, value: port }
    },
    request: (port) => ({
      url: `http://127.0.0.1:${port}/token`,
      headers: { "content-type": form },
      body: "grant_type=client_credentials&scope=bench"
    })
  },
  Prism: {
    // It says that it is ready at a log level at which it also prints every request, so it is asked instead.
    start: async () => {
      const port = await freePort()
      const script = join(root, "bench/node_modules/@stoplight/prism-cli/dist/index.js")
      const started = await start(
        [script, "mock", "openapi.json", "-p", String(port), "-v", "silent"],
        () => false,
        {},
        untilAnswered(`http://127.0.0.1:${port}/`)
      )
      return { ...started, value: port }
    },
    request: (port) => ({
      url: `http://127.0.0.1:${port}/v1/auth/token/issue`,
      headers: { "content-type": "application/json", accountId: ACCOUNT_ID },
      body: JSON.stringify({ grant_type: "client_credentials", client_id: CLIENT_ID, client_secret: CLIENT_SECRET })
    })
  },
  "bare node server": {
    start: () => start(["-e", bareServer], (text) => /ready (\d+)/.exec(text)?.[1]),
    request: (port) => ({ url: `http://127.0.0.1:${port}/`, headers: {}, body: "{}" })
  }
}

/** Start and load of one mock server. */
export const mock = async (name, amount) => {
  const { request, start: begin } = mocks[name]
  const server = await begin()
  try {
    const { body, headers, url } = request(server.value)
    await load(url, { method: "POST", headers, body, amount: Math.ceil(amount / 4) })
    const result = await load(url, { method: "POST", headers, body, amount })
    return { readyMs: server.readyMs, ...result, ...usage(server.child.pid) }
  } finally {
    await server.stop()
  }
}
export const mockNames = Object.keys(mocks)

const run = async (args, env) => {
  const began = performance.now()
  const child = spawn(node, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] })
  let printed = ""
  child.stdout.on("data", (part) => {
    printed += part
  })
  child.stderr.on("data", (part) => {
    printed += part
  })
  const [code] = await once(child, "exit")
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${printed.slice(0, 500)}`)
  return performance.now() - began
}

const helpOf = async (command) => {
  const child = spawn(node, [bin, command, "--help"], { stdio: ["ignore", "pipe", "ignore"] })
  child.stdout.resume()
  const [code] = await once(child, "exit")
  return code === 0
}

const environment = (base) => ({
  NOMBA_BASE_URL: base,
  NOMBA_CLIENT_ID: CLIENT_ID,
  NOMBA_CLIENT_SECRET: CLIENT_SECRET,
  NOMBA_ACCOUNT_ID: ACCOUNT_ID
})

/** `nomba-auth token` with a token in the file store, beside a node that does nothing. Undefined if there is no such command. */
export const commandLine = async (base, rounds) => {
  if (!(await helpOf("token"))) return undefined
  const folder = mkdtempSync(join(tmpdir(), "nomba-auth-bench-"))
  const env = { ...environment(base), NOMBA_TOKEN_STORE: `file:${folder}/store`, NODE_EXTRA_CA_CERTS: "" }
  try {
    await run([bin, "token"], env)
    const samples = { hit: [], bare: [] }
    for (let i = 0; i < rounds; i++) {
      samples.hit.push(await run([bin, "token"], env))
      samples.bare.push(await run(["-e", "0"], env))
    }
    return samples
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A proxy of the size that people write: it adds the token that it was given. */
export const bareProxy = (base, token) => {
  const { hostname, pathname, port } = new URL(base)
  const agent = new Agent({ keepAlive: true })
  createServer((request, response) => {
    const { host, ...headers } = request.headers
    const sent = sendRequest(
      {
        agent,
        hostname,
        port,
        path: pathname + request.url,
        method: request.method,
        headers: { ...headers, authorization: `Bearer ${token}` }
      },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers)
        answer.pipe(response)
      }
    )
    sent.once("error", () => response.writeHead(502).end())
    request.pipe(sent)
  }).listen(0, "127.0.0.1", function () {
    console.log(`ready ${this.address().port}`)
  })
}

/** `nomba-auth serve` beside the bare proxy: processor time and latency of a request. Undefined if there is no such command. */
export const proxies = async (base, amount, rounds) => {
  if (!(await helpOf("serve"))) return undefined
  const folder = mkdtempSync(join(tmpdir(), "nomba-auth-bench-"))
  const key = join(folder, "key")
  const started = []
  try {
    const served = await start(
      [bin, "serve", "--port", "0", "--write-key", key, "--quiet"],
      (text) => /"url":"([^"]+)"/.exec(text)?.[1] ?? /(http:\/\/127\.0\.0\.1:\d+)/.exec(text)?.[1],
      environment(base)
    )
    started.push(served)
    const headers = { "x-nomba-key": readFileSync(key, "utf8").trim() }
    await load(`${served.value}/v1/accounts/balance`, { amount: 10, headers })
    // The token server keeps one session, so both proxies use the token that `serve` has got.
    const { valid } = await (await fetch(base)).json()
    const script = `import { bareProxy } from "./bench/programs.js"; bareProxy("${base}", "${valid}")`
    const bare = await start(["--input-type=module", "-e", script], (text) => /ready (\d+)/.exec(text)?.[1])
    started.push(bare)
    const subjects = {
      bare: { pid: bare.child.pid, url: `http://127.0.0.1:${bare.value}`, headers: {} },
      serve: { pid: served.child.pid, url: served.value, headers }
    }
    const samples = { bare: [], serve: [] }
    const once = async ({ headers, pid, url }) => {
      const before = usage(pid)
      const result = await load(`${url}/v1/accounts/balance`, { amount, headers })
      const after = usage(pid)
      return {
        ...result,
        cpuUs: after && ((after.cpuMs - before.cpuMs) * 1_000) / amount,
        residentMiB: after?.residentMiB
      }
    }
    for (const subject of Object.values(subjects)) await once(subject)
    for (let i = 0; i < rounds; i++) {
      for (const [name, subject] of Object.entries(subjects)) samples[name].push(await once(subject))
    }
    return { ...samples, readyMs: served.readyMs, bareReadyMs: bare.readyMs }
  } finally {
    for (const each of started) await each.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A Redis of the bench's own. Undefined if the program is not installed. */
export const redis = async () => {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), "nomba-auth-bench-"))
  const child = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder],
    {
      stdio: ["ignore", "pipe", "ignore"]
    }
  )
  const isReady = await new Promise((resolve) => {
    child.once("error", () => resolve(false))
    child.once("exit", () => resolve(false))
    child.stdout.on("data", (part) => {
      if (String(part).includes("Ready to accept connections")) resolve(true)
    })
  })
  if (!isReady) {
    rmSync(folder, { recursive: true, force: true })
    return undefined
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      const ended = once(child, "exit")
      child.kill("SIGKILL")
      await ended
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
