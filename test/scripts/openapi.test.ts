import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { assert, describe, it } from "vitest"

describe("npm run openapi", () => {
  const run = (...args: ReadonlyArray<string>) =>
    promisify(execFile)(process.execPath, ["--import", "tsx", "scripts/openapi.ts", ...args], {
      cwd: new URL("../..", import.meta.url)
    })

  it("-- --check succeeds with the file as committed", async () => {
    const { stdout } = await run("--check")
    assert.include(stdout, "openapi.json")
  })

  it("-- --check fails on a stale file and leaves it alone", async () => {
    const stale = join(mkdtempSync(join(tmpdir(), "openapi-")), "openapi.json")
    writeFileSync(stale, "{}\n")
    const code = await run("--check", stale).then(
      () => 0,
      (error: { readonly code: number }) => error.code
    )
    assert.strictEqual(code, 1)
    assert.strictEqual(readFileSync(stale, "utf8"), "{}\n")
  })
})
