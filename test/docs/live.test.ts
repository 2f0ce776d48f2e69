import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { startSandbox } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))

describe("npm start -- --live", () => {
  it("sends nothing without a terminal or --yes, and says what it would end", async () => {
    const sandbox = await startSandbox()
    try {
      const { clientId, clientSecret } = sandbox.credentials()
      const { status, stdout } = spawnSync(process.execPath, ["--import", "tsx", "examples/tour/main.ts", "--live"], {
        cwd: root,
        encoding: "utf8",
        input: "yes\n",
        env: {
          ...process.env,
          NOMBA_BASE_URL: sandbox.url,
          NOMBA_CLIENT_ID: clientId,
          NOMBA_CLIENT_SECRET: clientSecret
        }
      })
      assert.strictEqual(status, 1)
      assert.include(stdout, "loses its session")
      assert.include(stdout, "--yes")
      assert.strictEqual((await sandbox.counts()).issue.requests, 0)
    } finally {
      await sandbox.close()
    }
  })
})
