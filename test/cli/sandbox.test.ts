import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer, get, type IncomingMessage } from "node:http"
import { get as getTls } from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, Option, Redacted } from "effect"
import { Sandbox } from "nomba-auth/sandbox"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type Flags, introduction, optionsOf, requestLine } from "../../src/cli/sandbox.js"
import type { ServerOptions } from "../../src/sandbox/config/Options.js"
import { authorizePage } from "../support/authorizePage.js"
import { cliBundle } from "../support/cliBundle.js"

const folder = mkdtempSync(join(tmpdir(), "nomba-auth-cli-"))
const running = new Set<ChildProcess>()
const groups: Array<number> = []

let bin = ""
let front = ""
beforeAll(async () => {
  bin = await cliBundle()
  front = join(bin, "nomba-auth.js")
})
afterAll(() => {
  for (const child of running) child.kill("SIGKILL")
  for (const group of groups) {
    try {
      process.kill(-group, "SIGKILL")
    } catch {
      // It has ended.
    }
  }
  rmSync(folder, { recursive: true, force: true })
})

const start = (...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [front, ...args], { cwd: folder })
  running.add(child)
  const ended = once(child, "exit").then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  return { child, ended, errors: text(child.stderr) }
}

/** Runs to its end. */
const run = async (...args: ReadonlyArray<string>) => {
  const { child, ended, errors } = start(...args)
  const output = text(child.stdout)
  return { code: await ended, output: await output, errors: await errors }
}

/** A sandbox that is ready, and what it said so with. */
const ready = async (...args: ReadonlyArray<string>) => {
  const started = start("sandbox", ...(args.includes("--port") ? [] : ["--port", "0"]), ...args)
  const lines: Array<string> = []
  started.child.stdout.on("data", (chunk) => lines.push(String(chunk)))
  const problem = await Promise.race([
    once(started.child.stdout, "data").then(() => undefined),
    started.ended.then(() => started.errors)
  ])
  if (problem !== undefined) throw new Error(problem)
  return { ...started, lines, url: String(JSON.parse(lines[0] ?? "").url) }
}

const noFlags: Flags = {
  port: Option.some(0),
  host: Option.none(),
  allowedHosts: Option.none(),
  clientId: Option.none(),
  clientSecret: Option.none(),
  accountId: Option.none(),
  redirectUris: Option.none(),
  config: Option.none(),
  openapi: Option.none(),
  tlsCert: Option.none(),
  tlsKey: Option.none(),
  seed: Option.none(),
  env: false,
  writeEnv: Option.none(),
  untilStdinEnds: false,
  keepRunning: false,
  quiet: true
}

/** A sandbox in this process, with the options that the flags of a command line make. */
const withSandbox = (
  flags: Partial<Flags>,
  use: (url: string, options: ServerOptions) => Promise<void>
): Promise<void> =>
  Effect.gen(function* () {
    const options = yield* optionsOf({ ...noFlags, ...flags })
    const { url } = yield* Sandbox.makeServer(options)
    yield* Effect.promise(() => use(url, options))
  }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer), Effect.runPromise)

const issue = (url: string, client_id: string, client_secret: string) =>
  fetch(`${url}/v1/auth/token/issue`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ grant_type: "client_credentials", client_id, client_secret })
  })

/** Of the control side, asked for under a name. */
const statusUnder = async (url: string, host: string): Promise<number | undefined> => {
  const asked = get(`${url}/_sandbox/state`, { headers: { host } })
  const [response] = (await once(asked, "response")) as [IncomingMessage]
  response.resume()
  return response.statusCode
}

const { clientId } = Sandbox.defaultClient
const secret = "qckdiIIlPkLtDNom9YyQKocd/zlFIL9A2ogzm0i912M="

/** Settings of another Nomba, which a developer's shell may have. */
const real = {
  NOMBA_ENVIRONMENT: "production",
  NOMBA_BASE_URL: "https://api.nomba.com",
  NOMBA_CLIENT_ID: "real",
  NOMBA_CLIENT_SECRET: "real",
  NOMBA_ACCOUNT_ID: "real",
  NOMBA_PRIVATE_KEY: "real",
  NOMBA_ACCESS_TOKEN: "real",
  NOMBA_PROXY_URL: "http://127.0.0.1:1",
  NOMBA_PROXY_KEY: "real",
  NOMBA_TOKEN_STORE: "file:/nowhere"
}

const config = (name: string, content: object): string => {
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify(content))
  return path
}

describe("nomba-auth sandbox", () => {
  it("says on one machine-readable line that it is ready, and lets the documented client in", async () => {
    const { child, ended, errors, lines, url } = await ready()
    assert.strictEqual((await fetch(`${url}/health`)).status, 200)
    assert.strictEqual((await issue(url, clientId, secret)).status, 200)
    child.kill("SIGTERM")
    assert.strictEqual(await ended, 0)
    assert.deepStrictEqual(lines, [`${JSON.stringify({ ready: true, url })}\n`])
    assert.include(await errors, `NOMBA_BASE_URL=${url}\n`)
  })

  it("closes on SIGINT although a client watches its events, and frees its port", async () => {
    const { child, ended, url } = await ready("--quiet")
    const events = await fetch(`${url}/_sandbox/events`, { headers: { accept: "text/event-stream" } })
    assert.strictEqual(events.status, 200)
    child.kill("SIGINT")
    assert.strictEqual(await ended, 0)
    await events.text().catch(() => {})
    const again = await ready("--quiet", "--port", new URL(url).port)
    assert.strictEqual(again.url, url)
    again.child.kill("SIGTERM")
    assert.strictEqual(await again.ended, 0)
  })

  it("with --quiet prints no introduction and no requests", async () => {
    const { child, ended, errors, url } = await ready("--quiet")
    await fetch(`${url}/v1/accounts/balance`)
    child.kill("SIGTERM")
    await ended
    assert.strictEqual(await errors, "")
  })

  it("repeats its tokens with --seed", async () => {
    const tokens = []
    for (const _ of [1, 2]) {
      const { child, ended, url } = await ready("--quiet", "--seed", "a seed")
      const { data } = await (await issue(url, clientId, secret)).json()
      tokens.push(data.refresh_token)
      child.kill("SIGTERM")
      await ended
    }
    assert.strictEqual(tokens[0], tokens[1])
    assert.isNotEmpty(tokens[0])
  })

  it("lets the client of the flags in and no other, and does not show its secret", async () => {
    const { child, ended, errors, url } = await ready(
      "--client-id",
      "me",
      "--client-secret",
      "mine",
      "--account-id",
      "a"
    )
    assert.strictEqual((await issue(url, "me", "mine")).status, 200)
    assert.strictEqual((await issue(url, clientId, secret)).status, 401)
    child.kill("SIGTERM")
    await ended
    assert.include(await errors, "NOMBA_CLIENT_ID=me\n  NOMBA_ACCOUNT_ID=a\n")
    assert.notInclude(await errors, "mine")
  })

  it("lets end users log in at the client of the flags, back to this machine unless --redirect-uri says where", async () => {
    const local = "http://127.0.0.1:5001/callback"
    const shop = ["https://shop.example/callback", "com.example.shop:/callback"]
    const clientId = Option.some("me")
    for (const [flags, accepted, refused] of [
      [{ clientId }, [local], shop],
      [{ clientId, redirectUris: Option.some(shop) }, shop, [local]]
    ] as const) {
      await withSandbox(flags, async (url) => {
        for (const uri of accepted) assert.include(await authorizePage(url, "me", uri), "Approve", uri)
        for (const uri of refused) assert.include(await authorizePage(url, "me", uri), "not registered", uri)
      })
    }
  })

  it("lets end users log in at a client of a file that has no secret", async () => {
    const redirectUris = ["https://shop.example/callback"]
    const file = config("public.json", { clients: [{ clientId: "shop", redirectUris }] })
    await withSandbox({ config: Option.some(file) }, async (url, options) => {
      assert.include(await authorizePage(url, "shop", "https://shop.example/callback"), "Approve")
      assert.include(introduction(url, options), "NOMBA_CLIENT_ID=shop\n\n")
    })
  })

  it("can be steered under the names of --allow-host, or of a file, and under no other", async () => {
    const filed = Option.some(config("names.json", { allowedHosts: ["filed"] }))
    for (const [flags, allowed, refused] of [
      [{ allowedHosts: Option.some(["sandbox", "nomba.test"]) }, ["sandbox", "nomba.test"], ["filed"]],
      [{ config: filed }, ["filed"], ["sandbox"]],
      [{ config: filed, allowedHosts: Option.some(["sandbox"]) }, ["sandbox"], ["filed"]]
    ] as const) {
      await withSandbox(flags, async (url) => {
        for (const name of allowed) assert.strictEqual(await statusUnder(url, name), 200, name)
        for (const name of refused) assert.strictEqual(await statusUnder(url, name), 403, name)
      })
    }
  })

  it("takes clients and switches from a file, over which flags win", async () => {
    const file = config("good.json", {
      port: 4011,
      dialect: "live",
      accessLifetime: "5 seconds",
      clients: [{ clientId: "filed", clientSecret: "in a file" }]
    })
    const { child, ended, errors, url } = await ready("--config", file)
    const { data } = await (await issue(url, "filed", "in a file")).json()
    assert.hasAllKeys(data, ["access_token", "refresh_token", "expiresAt", "businessId"])
    child.kill("SIGTERM")
    await ended
    assert.notInclude(await errors, "in a file")
  })

  it("says what is wrong with a file, without its values", async () => {
    const file = config("bad.json", { clients: [{ clientId: "a", clientSecret: { sesame: 1 } }], dialekt: "sesame" })
    const { code, errors, output } = await run("sandbox", "--config", file)
    assert.deepStrictEqual({ code, output }, { code: 2, output: "" })
    assert.include(errors, "bad.json: clients.0.clientSecret: must be text")
    assert.notInclude(errors, "sesame")
  })

  it("says that a port is taken, and how to take another", async () => {
    const holder = createServer().listen(0, "127.0.0.1")
    await once(holder, "listening")
    const { port } = holder.address() as AddressInfo
    const { code, errors } = await run("sandbox", "--port", String(port))
    holder.close()
    assert.strictEqual(code, 1)
    assert.include(errors, `Port ${port} is already in use on 127.0.0.1 (EADDRINUSE); use --port 0 for a free port`)
  })

  it("suggests another port only if the port is what is wrong", async () => {
    const { code, errors } = await run("sandbox", "--port", "0", "--host", "192.0.2.1")
    assert.strictEqual(code, 1)
    assert.include(errors, "192.0.2.1 is not an address of this machine (EADDRNOTAVAIL)")
    assert.notInclude(errors, "--port 0")
  })

  it.each([
    [["sandbox", "--port", "many"], "--port many: must be a whole number"],
    [["sandbox", "--prot", "1"], "--prot"],
    [["sandbox", "--port", "70000"], "port: must be an integer from 0 to 65535"],
    [["sandbox", "--port", "6000"], "port: browsers and fetch refuse to connect to this port; choose another"],
    [["sandbox", "--tls-cert", "nomba-auth.js"], "--tls-cert and --tls-key need each other"]
  ])("refuses %j with what is wrong and the exit code 2", async (args, said) => {
    const { code, errors, output } = await run(...args)
    assert.strictEqual(code, 2)
    assert.include(errors + output, said)
  })

  it("prints the settings of several clients in blocks that can each be copied whole", () => {
    const url = "http://127.0.0.1:1"
    const blocks = introduction(url, {
      clients: [
        Sandbox.defaultClient,
        { clientId: "shop", redirectUris: ["com.example.shop:/"] },
        { clientId: "b", accountId: "c" }
      ]
    })
      .split("\n\n")
      .slice(1, -1)
      .map((block) => block.split("\n").map((line) => line.trim()))
    assert.deepStrictEqual(blocks, [
      [
        `NOMBA_BASE_URL=${url}`,
        `NOMBA_CLIENT_ID=${clientId}`,
        `NOMBA_CLIENT_SECRET=${secret}`,
        `NOMBA_ACCOUNT_ID=${Sandbox.defaultClient.accountId}`
      ],
      [`NOMBA_BASE_URL=${url}`, "NOMBA_CLIENT_ID=shop"],
      [`NOMBA_BASE_URL=${url}`, "NOMBA_CLIENT_ID=b", "NOMBA_ACCOUNT_ID=c"]
    ])
  })

  it("warns when it listens beyond this machine", () => {
    assert.notInclude(introduction("http://127.0.0.1:1", {}), "Warning")
    for (const host of ["localhost", "::1", "127.0.0.1", "127.8.9.10"]) {
      assert.notInclude(introduction("http://127.0.0.1:1", { host }), "Warning", host)
    }
    for (const host of ["0.0.0.0", "::", "127.0.0.1.example", "192.0.2.1"]) {
      assert.include(introduction("http://127.0.0.1:1", { host }), `Warning: it listens on ${host}.`)
    }
  })

  it("writes a line for each request, in colour only on a terminal", async () => {
    const { child, ended, errors, url } = await ready()
    await issue(url, clientId, "SENTINEL")
    await fetch(`${url}/v1/accounts/balance?SENTINEL`)
    child.kill("SIGTERM")
    await ended
    const text = await errors
    assert.match(text, /^POST \/v1\/auth\/token\/issue 401 client_secret: is not that of this client_id \d+ ms$/m)
    assert.match(text, /^GET \/v1\/accounts\/balance 401 Authorization: is missing \d+ ms$/m)
    assert.notInclude(text, "SENTINEL")
    assert.notInclude(text, "\u001b")
    const request = { method: "GET", path: "/", status: 200, outcome: "succeeded", took: 1.6 } as const
    assert.strictEqual(requestLine(request, true), "GET / \u001b[32m200\u001b[0m 2 ms\n")
  })

  it("prints export lines with --env, which a shell reads back unchanged", async () => {
    const started = start(
      "sandbox",
      "--port",
      "0",
      "--env",
      "--quiet",
      "--client-id",
      "it's $HOME",
      "--client-secret",
      "a b`c'"
    )
    const [chunk] = (await once(started.child.stdout, "data")) as [Buffer]
    started.child.kill("SIGTERM")
    await started.ended
    const script = `${chunk}\nprintf '%s|%s|%s' "$NOMBA_CLIENT_ID" "$NOMBA_CLIENT_SECRET" "$NOMBA_ENVIRONMENT$NOMBA_ACCOUNT_ID"`
    const { stdout } = spawnSync("sh", ["-c", script], { env: { ...process.env, ...real } })
    assert.strictEqual(String(stdout), "it's $HOME|a b`c'|")
    assert.match(String(chunk), /^export NOMBA_BASE_URL='http:\/\/127\.0\.0\.1:\d+'$/m)
  })

  it("gives a script its settings as the manual shows", async () => {
    const manual = readFileSync(new URL("../../docs/sandbox.md", import.meta.url), "utf8")
    const [, example = ""] = /```sh\n([^`]*--env > [^`]*)```/.exec(manual) ?? []
    const use = `${process.execPath} -e 'fetch(process.env.NOMBA_BASE_URL + "/health").then(async (r) => console.log(await r.text()))'`
    const script = `${example.replace("npx nomba-auth", `${process.execPath} ${front}`)}\n${use}\nkill $!`
    const child = spawn("sh", ["-c", script], { cwd: mkdtempSync(join(folder, "script-")) })
    running.add(child)
    assert.strictEqual(await text(child.stdout), '{"status":"ok"}\n')
    running.delete(child)
  })

  it("says that eval would wait, if the export lines go to a pipe", async () => {
    const { child, ended, errors } = start("sandbox", "--port", "0", "--env", "--quiet")
    await once(child.stdout, "data")
    child.kill("SIGTERM")
    await ended
    assert.include(await errors, "waits until the sandbox ends")
  })

  it("writes a dotenv file that only its user can read, and overwrites no other file", async () => {
    const file = join(folder, "sandbox.env")
    // As mktemp makes it, but for everyone to read.
    writeFileSync(file, "", { mode: 0o644 })
    for (const _ of ["the first time", "again"]) {
      const { child, ended, url } = await ready("--quiet", "--write-env", file)
      child.kill("SIGTERM")
      await ended
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      assert.include(
        readFileSync(file, "utf8"),
        `NOMBA_BASE_URL='${url}'\nNOMBA_CLIENT_ID='${clientId}'\nNOMBA_CLIENT_SECRET='${secret}'\n`
      )
    }
    const target = join(folder, "target.env")
    const link = join(folder, "link.env")
    writeFileSync(target, "")
    symlinkSync(target, link)
    const linked = await run("sandbox", "--port", "0", "--write-env", link)
    assert.strictEqual(linked.code, 2)
    assert.include(linked.errors, "link.env: is not a plain file")
    assert.strictEqual(readFileSync(target, "utf8"), "")
    const own = join(folder, "own.env")
    writeFileSync(own, "MINE=1\n")
    const { code, errors } = await run("sandbox", "--port", "0", "--write-env", own)
    assert.strictEqual(code, 2)
    assert.include(errors, "own.env: exists and was not written by nomba-auth")
    assert.strictEqual(readFileSync(own, "utf8"), "MINE=1\n")
  })

  it("gives a command no setting of another Nomba", async () => {
    const script = `console.log(Object.keys(process.env).filter((name) => /^NOMBA_/.test(name)).sort().join())`
    const file = config("one.json", { clients: [{ clientId: "filed", redirectUris: ["com.example:/"] }] })
    const child = spawn(
      process.execPath,
      [front, "sandbox", "--port", "0", "--quiet", "--config", file, "--", process.execPath, "-e", script],
      { env: { ...process.env, ...real } }
    )
    assert.strictEqual(await text(child.stdout), "NOMBA_BASE_URL,NOMBA_CLIENT_ID,NOMBA_TOKEN_STORE\n")
  })

  it.each(["--until-stdin-ends", "--env"])("refuses %s beside a command", async (flag) => {
    const { code, errors, output } = await run("sandbox", "--port", "0", flag, "--", process.execPath, "-e", "1")
    assert.deepStrictEqual({ code, output }, { code: 2, output: "" })
    assert.include(errors, `leave ${flag} out`)
  })

  it("changes one client of a file by flags, and keeps the others", async () => {
    const file = config("two.json", {
      clients: [
        { clientId: "a", clientSecret: "secret of a", accountId: "account of a" },
        { clientId: "b", clientSecret: "secret of b" }
      ]
    })
    const given = Option.some("given")
    for (const [flags, clients] of [
      [{ accountId: given }, ["a/given", "b"]],
      [{ clientId: Option.some("b"), accountId: given }, ["a/account of a", "b/given"]],
      [{ clientId: Option.some("c"), clientSecret: Option.some(Redacted.make("s")) }, ["c", "a/account of a", "b"]]
    ] as const) {
      await withSandbox({ ...flags, config: Option.some(file) }, async (url, options) => {
        assert.strictEqual((await issue(url, "b", "secret of b")).status, 200)
        const shown = introduction(url, options).matchAll(/NOMBA_CLIENT_ID=(.*)\n(?: {2}NOMBA_ACCOUNT_ID=(.*)\n)?/g)
        assert.deepStrictEqual(
          Array.from(shown, ([, id, account]) => (account === undefined ? id : `${id}/${account}`)),
          [...clients]
        )
      })
    }
  })

  it("runs a command with NOMBA_* set, stops with it, and passes its exit code on", async () => {
    const script = `fetch(process.env.NOMBA_BASE_URL + "/health").then(async (r) => {
      console.log(await r.text(), process.env.NOMBA_CLIENT_ID, process.argv.slice(1).join())
      process.exit(7)
    })`
    const { code, output } = await run(
      "sandbox",
      "--port",
      "0",
      "--quiet",
      "--",
      process.execPath,
      "-e",
      script,
      "--",
      "--port"
    )
    assert.deepStrictEqual({ code, output }, { code: 7, output: `{"status":"ok"} ${clientId} --port\n` })
    const missing = await run("sandbox", "--port", "0", "--quiet", "--", "no-such-command")
    assert.strictEqual(missing.code, 127)
    assert.include(missing.errors, "no-such-command: cannot be run (ENOENT)")
  })

  it("stops the command if it is stopped itself", async () => {
    const script =
      "process.on('SIGTERM', () => { console.log('bye'); process.exit(0) }); setInterval(() => {}, 1000); console.log('up')"
    const { child, ended } = start("sandbox", "--port", "0", "--quiet", "--", process.execPath, "-e", script)
    const output = text(child.stdout)
    await once(child.stdout, "data")
    child.kill("SIGTERM")
    assert.strictEqual(await ended, 0)
    assert.strictEqual(await output, "up\nbye\n")
  })

  it("ends a command that ignores SIGTERM", async () => {
    const script = "process.on('SIGTERM', () => console.log('no')); setInterval(() => {}, 1000); console.log('up')"
    const { child } = start("sandbox", "--port", "0", "--quiet", "--", process.execPath, "-e", script)
    const output = text(child.stdout)
    await once(child.stdout, "data")
    child.kill("SIGTERM")
    // The pipe closes when the command has ended, too.
    assert.match(await output, /^up\n(?:no\n)+$/)
  })

  /** A process that starts a shell, as npx does, with a script. Its lines begin with the id of the shell. */
  const underStarter = (script: string, env: NodeJS.ProcessEnv = {}) => {
    const starter = `require("child_process").spawn("sh", ["-c", ${JSON.stringify(`echo $$; ${script}`)}], { stdio: "inherit" })`
    const child = spawn(process.execPath, ["-e", starter], {
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...withoutNpm, NODE: process.execPath, FRONT: front, ...env }
    })
    groups.push(Number(child.pid))
    // The pipes close when the last process that holds them has ended.
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return { child, errors: text(child.stderr), next: async () => (await lines.next()).value as string | undefined }
  }

  const withoutNpm = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("npm_")))
  const fromNpm = { npm_command: "exec", npm_execpath: "/usr/lib/npx", npm_lifecycle_event: "npx" }
  const sandbox = "$NODE $FRONT sandbox --port 0 --quiet"
  const parentEnded = /^nomba-auth: .*has ended.*--keep-running/m

  it.each([
    ["directly", `exec ${sandbox}`],
    ["behind a shell, as npx does", `${sandbox}; :`]
  ])("stops and says why when the process that started it %s has ended", async (_, script) => {
    const { child, errors, next } = underStarter(script)
    await next()
    assert.match((await next()) ?? "", /"ready":true/)
    child.kill("SIGKILL")
    assert.isUndefined(await next())
    assert.match(await errors, parentEnded)
  })

  it.each([
    ["directly", `read line; exec ${sandbox}`, {}],
    ["behind a shell, as npx does", `read line; ${sandbox}; :`, fromNpm]
  ])("stops at once if the process that started it %s ended before it could look", async (_, script, env) => {
    const { child, errors, next } = underStarter(script, env)
    await next()
    child.kill("SIGKILL")
    assert.isUndefined(await next())
    assert.match(await errors, parentEnded)
  })

  it.each([
    ["with --keep-running", `read line; exec ${sandbox} --keep-running`, {}],
    ["with --keep-running by npx", `read line; ${sandbox} --keep-running; :`, fromNpm],
    ["as the leader of its process group, as a service manager does", `read line; exec setsid ${sandbox}`, {}],
    ["as the leader of its process group by a script of npm", `read line; exec setsid ${sandbox}`, fromNpm]
  ])("runs without a parent if it is started %s", async (_, script, env) => {
    const { child, errors, next } = underStarter(script, env)
    const pid = Number(await next())
    child.kill("SIGKILL")
    assert.match((await next()) ?? "", /"ready":true/)
    process.kill(script.includes("exec") ? pid : -Number(child.pid), "SIGTERM")
    assert.isUndefined(await next())
    assert.strictEqual(await errors, "")
  })

  it("stops when the standard input ends, with --until-stdin-ends", async () => {
    const { child, ended } = await ready("--quiet", "--until-stdin-ends")
    child.stdin.end()
    assert.strictEqual(await ended, 0)
  })

  it("serves HTTPS with --tls-cert and --tls-key", async () => {
    const tls = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url))
    const { child, ended, url } = await ready(
      "--quiet",
      "--tls-cert",
      tls("certificate.pem"),
      "--tls-key",
      tls("key.pem")
    )
    assert.match(url, /^https:/)
    const asked = getTls(`${url}/health`, { rejectUnauthorized: false })
    const [response] = (await once(asked, "response")) as [IncomingMessage]
    assert.strictEqual(await text(response), '{"status":"ok"}')
    child.kill("SIGTERM")
    await ended
    const { code, errors } = await run(
      "sandbox",
      "--port",
      "0",
      "--tls-cert",
      tls("key.pem"),
      "--tls-key",
      tls("certificate.pem")
    )
    assert.strictEqual(code, 2)
    assert.include(errors, "tls: must be a certificate and its key, in PEM")
  })

  it("answers from the examples of an OpenAPI document, behind the bearer token", async () => {
    const file = join(folder, "terminals.yaml")
    writeFileSync(
      file,
      `openapi: 3.0.0
servers: [{ url: https://api.nomba.com/v1 }]
paths:
  /terminals/{terminal-id}:
    get:
      responses:
        "200":
          content:
            application/json:
              schema: { $ref: "#/components/schemas/Terminal" }
  /accounts/balance:
    get: { responses: { "200": { content: { application/json: { example: { amount: mine } } } } } }
components:
  schemas:
    Terminal: { type: object, properties: { serial: { type: string, example: "T-1" }, active: { type: boolean } } }
`
    )
    const { child, ended, url } = await ready("--quiet", "--openapi", file)
    assert.strictEqual((await fetch(`${url}/v1/terminals/7`)).status, 401)
    const { data } = await (await issue(url, clientId, secret)).json()
    const call = async (path: string) =>
      (await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${data.access_token}` } })).json()
    assert.deepStrictEqual(await call("/v1/terminals/7"), { serial: "T-1", active: true })
    assert.strictEqual((await call("/v1/accounts/balance")).data.currency, "NGN")
    child.kill("SIGTERM")
    await ended
    writeFileSync(file, "a: [")
    const { code, errors } = await run("sandbox", "--port", "0", "--openapi", file)
    assert.strictEqual(code, 2)
    assert.include(errors, "terminals.yaml: is not an OpenAPI document in JSON or YAML")
  })
})

describe("the package", () => {
  it("comes with the licence of all that is in it", () => {
    const licences = readFileSync(join(bin, "LICENSES.txt"), "utf8").split(`\n${"-".repeat(80)}\n\n`)
    const names = licences.map((licence) => /^(\S+) \d+\.\d+\.\d+/.exec(licence)?.[1])
    assert.includeMembers(names, ["effect", "@effect/cli", "@effect/platform", "@effect/platform-node", "ioredis"])
    assert.sameMembers(names, [...new Set(names)])
    for (const licence of licences) {
      assert.match(licence, /Copyright|\n\n(?:MIT|ISC|Apache-2\.0|BSD-\d-Clause)\n$/i)
    }
  })

  it("names the package to install if the viewer of the API pages is missing", async () => {
    const { child, ended, url } = await ready("--quiet")
    const viewer = await fetch(`${url}/docs/scalar.js`)
    assert.strictEqual(viewer.status, 200)
    assert.include(await viewer.text(), "npm install @effect/platform@0.97")
    child.kill("SIGTERM")
    await ended
  })
})
