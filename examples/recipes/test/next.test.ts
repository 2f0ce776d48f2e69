/** `next dev`, which evaluates modules again after each change, and the built server. */
import { readFileSync, writeFileSync } from "node:fs"
import { startSandbox } from "nomba-auth/sandbox"
import { afterAll, assert, describe, it } from "vitest"
import { BALANCE, balance, balances, tokenRequests } from "./calls.js"
import { bin, credentialsOf, folder, freePort, run, start } from "./program.js"

const cwd = `${folder}next`
const module = `${cwd}/lib/nomba.ts`
const text = readFileSync(module, "utf8")
const quiet = { NEXT_TELEMETRY_DISABLED: "1", CI: "1" }
const isBalance = (answers: ReadonlyArray<string>) => assert.deepStrictEqual([...new Set(answers)], [BALANCE])

afterAll(() => writeFileSync(module, text))

describe.sequential("next", () => {
  it("next dev makes one token request for 10 cold requests, and none after a change of the module", async () => {
    await using sandbox = await startSandbox()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const env = { ...credentialsOf(sandbox), ...quiet }
    await using program = start([bin("next"), "dev", "--hostname", "127.0.0.1", "--port", String(port)], { cwd, env })
    await program.printed("Ready in")
    await sandbox.fault("issue", { latency: "200 millis" })
    isBalance(await balances(url, 10))
    assert.strictEqual(await tokenRequests(sandbox), 1)

    writeFileSync(module, `${text}\nconsole.log("evaluated again")\n`)
    while (!program.output().includes("evaluated again")) isBalance([await balance(url)])
    isBalance(await balances(url, 10))
    assert.strictEqual(await tokenRequests(sandbox), 1)

    await sandbox.steal()
    isBalance([await balance(url)])
    assert.strictEqual(await tokenRequests(sandbox), 2)
  })

  it("next build needs no credentials, and next start serves what it built", async () => {
    writeFileSync(module, text)
    const built = await run([bin("next"), "build"], { cwd, env: quiet })
    assert.strictEqual(built.code, 0, built.output)
    await using sandbox = await startSandbox()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const env = { ...credentialsOf(sandbox), ...quiet }
    await using program = start([bin("next"), "start", "--hostname", "127.0.0.1", "--port", String(port)], { cwd, env })
    await program.printed("Ready in")
    await sandbox.fault("issue", { latency: "200 millis" })
    isBalance(await balances(url, 10))
    assert.strictEqual(await tokenRequests(sandbox), 1)
    program.child.kill("SIGTERM")
    // The code that a shell gives to SIGTERM.
    assert.deepStrictEqual(await program.ended, { code: 143, signal: null }, program.output())
  })
})
