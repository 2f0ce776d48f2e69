import { setTimeout } from "node:timers/promises"
import { type SandboxHandle, startSandbox } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import { BALANCE, balance, balances, tokenRequests } from "./calls.js"
import { bin, credentialsOf, folder, freePort, type Program, run, start, tsx } from "./program.js"

interface Server {
  readonly command: ReadonlyArray<string>
  readonly cwd?: string
  /** What it prints when it can be called. */
  readonly listens?: RegExp
  /** A command to run before. */
  readonly build?: ReadonlyArray<string>
}

const servers: Readonly<Record<string, Server>> = {
  "react-router": {
    command: [bin("react-router-serve"), "build/server/index.js"],
    cwd: `${folder}react-router`,
    listens: /http:\/\/127/,
    build: [bin("react-router"), "build"]
  },
  "express.ts": { command: tsx("express.ts") },
  "fastify.ts": { command: tsx("fastify.ts") },
  "hono.ts": { command: tsx("hono.ts") },
  "nest.ts": { command: tsx("nest.ts") },
  "shutdown.ts": { command: tsx("shutdown.ts") }
}

const isBalance = (answers: ReadonlyArray<string>) => assert.deepStrictEqual([...new Set(answers)], [BALANCE])

/** What its environment says, and where it is then. */
const place = async (sandbox: SandboxHandle) => {
  const port = await freePort()
  const env = { ...credentialsOf(sandbox), HOST: "127.0.0.1", PORT: String(port) }
  return { env, url: `http://127.0.0.1:${port}` }
}

describe.concurrent.each(Object.entries(servers))(
  "%s",
  (_, { build, command, cwd = folder, listens = /[Ll]istening on/ }) => {
    it("makes one token request for 30 cold requests, survives another login, and ends cleanly", async () => {
      await using sandbox = await startSandbox()
      const { env, url } = await place(sandbox)
      if (build !== undefined) {
        const { code, output } = await run(build, { cwd })
        assert.strictEqual(code, 0, output)
      }
      await using program = start(command, { cwd, env })
      await program.printed(listens)
      assert.strictEqual(await tokenRequests(sandbox), 0)

      await sandbox.fault("issue", { latency: "200 millis" })
      isBalance(await balances(url, 30))
      assert.strictEqual(await tokenRequests(sandbox), 1)

      await sandbox.steal()
      isBalance([await balance(url)])
      assert.strictEqual(await tokenRequests(sandbox), 2)

      await endsCleanly(program, sandbox, url)
    })
  }
)

/** As in deployment.yaml, in milliseconds. */
const GRACE_PERIOD = 40_000

/** A request that is being answered at SIGTERM is answered, and the process ends by itself before Kubernetes would kill it. */
const endsCleanly = async (program: Program, sandbox: SandboxHandle, url: string) => {
  const before = (await sandbox.counts()).resource.requests
  await sandbox.fault("GET /v1/accounts/balance", { latency: "1 second" })
  const last = balance(url)
  while ((await sandbox.counts()).resource.requests === before) await setTimeout(10)
  program.child.kill("SIGTERM")
  isBalance([await last])
  const ended = await Promise.race([program.ended, setTimeout(GRACE_PERIOD, "not in time", { ref: false })])
  assert.deepStrictEqual(ended, { code: 0, signal: null }, program.output())
}

describe.concurrent.each(["express.ts", "fastify.ts", "hono.ts"])("%s", (file) => {
  it("answers 503 while Nomba is down", async () => {
    await using sandbox = await startSandbox()
    const { env, url } = await place(sandbox)
    await using program = start(tsx(file), { env })
    await program.printed("Listening on")
    await sandbox.fault("issue", { answer: { status: 503, headers: { "retry-after": "60" } } })
    assert.strictEqual(await balance(url), '503 {"message":"Nomba is not available. Try again."}')
  })
})

describe.concurrent.each(["express.ts", "fastify.ts"])("%s", (file) => {
  it("answers 502, and not 401, if Nomba does not accept the credentials", async () => {
    await using sandbox = await startSandbox()
    const { env, url } = await place(sandbox)
    await using program = start(tsx(file), { env })
    await program.printed("Listening on")
    await sandbox.fault("issue", { answer: { status: 401 } })
    assert.strictEqual(await balance(url), '502 {"message":"Nomba did not accept the request."}')
  })
})

describe.concurrent.each(["express.ts", "shutdown.ts"])("the health route of %s", (file) => {
  it("is ready without a token, and never requests one", async () => {
    await using sandbox = await startSandbox()
    const { env, url } = await place(sandbox)
    await using program = start(tsx(file), { env })
    await program.printed("Listening on")
    const health = async () => (await fetch(`${url}/health`)).json()
    assert.deepStrictEqual(await health(), { ready: true, hasToken: false })
    assert.strictEqual(await tokenRequests(sandbox), 0)
    isBalance([await balance(url)])
    assert.deepInclude(await health(), { ready: true, hasToken: true })
    assert.strictEqual(await tokenRequests(sandbox), 1)
  })
})
