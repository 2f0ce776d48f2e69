import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startSandbox } from "nomba-auth/sandbox"
import { afterAll, assert, describe, it } from "vitest"
import { tokenRequests } from "./calls.js"
import { credentialsOf, run, tsx } from "./program.js"

const parent = mkdtempSync(join(tmpdir(), "nomba-auth-script-"))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

describe.concurrent("script.ts", () => {
  it("uses the session of the run before, and survives another login between two runs", async () => {
    await using sandbox = await startSandbox()
    const env = { ...credentialsOf(sandbox), NOMBA_TOKEN_STORE: `file:${join(parent, "runs")}` }
    for (const expected of [1, 1, 2]) {
      if (expected === 2) await sandbox.steal()
      const { code, output } = await run(tsx("script.ts"), { env })
      assert.include(output, "amount: '250000.00'")
      assert.strictEqual(code, 0, output)
      assert.strictEqual(await tokenRequests(sandbox), expected)
    }
  })

  it("ends with code 75 while Nomba is down, and with code 1 if the credentials are wrong", async () => {
    await using sandbox = await startSandbox()
    const env = credentialsOf(sandbox)
    await sandbox.fault("issue", { answer: { status: 503, headers: { "retry-after": "60" } } })
    const down = await run(tsx("script.ts"), { env: { ...env, NOMBA_TOKEN_STORE: `file:${join(parent, "down")}` } })
    assert.strictEqual(down.code, 75, down.output)
    assert.include(down.output, "HTTP 503")
    const wrong = await run(tsx("script.ts"), {
      env: {
        ...env,
        NOMBA_CLIENT_SECRET: "bm90IHRoZSBzZWNyZXQ=",
        NOMBA_TOKEN_STORE: `file:${join(parent, "wrong")}`
      }
    })
    assert.strictEqual(wrong.code, 1, wrong.output)
    assert.include(wrong.output, "NOMBA_CLIENT_SECRET")
  })
})
