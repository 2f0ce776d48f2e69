import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { startSandbox } from "nomba-auth/sandbox"
import { assert, it } from "vitest"

const root = new URL("../../", import.meta.url)
const [, program = ""] = /```ts\n(.*?)```/s.exec(readFileSync(new URL("README.md", root), "utf8")) ?? []

it("the first program of the README prints what it says, against the sandbox", async () => {
  const [, output = ""] = /console\.log\(.*\) \/\/ (.*)/.exec(program) ?? []
  const sandbox = await startSandbox()
  try {
    const { accountId, clientId, clientSecret } = sandbox.credentials()
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      cwd: fileURLToPath(root),
      env: {
        ...process.env,
        NO_COLOR: "1",
        NOMBA_BASE_URL: sandbox.url,
        NOMBA_CLIENT_ID: clientId,
        NOMBA_CLIENT_SECRET: clientSecret,
        NOMBA_ACCOUNT_ID: accountId
      }
    })
    const [printed, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
    assert.strictEqual(printed.trim(), output, errors)
    assert.match(output, /amount/)
  } finally {
    await sandbox.close()
  }
})
