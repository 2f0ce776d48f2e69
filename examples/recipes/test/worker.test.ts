/** The recipe on workerd. More of it is tested in test/promise/workers.test.ts. */
import { build } from "esbuild"
import { Miniflare } from "miniflare"
import { startSandbox } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import { BALANCE, tokenRequests, withoutTime } from "./calls.js"
import { credentialsOf, folder } from "./program.js"

describe("worker.ts", () => {
  it("makes one token request for 10 cold requests, and survives another login", async () => {
    await using sandbox = await startSandbox()
    const { outputFiles } = await build({
      entryPoints: [`${folder}worker.ts`],
      bundle: true,
      format: "esm",
      platform: "browser",
      external: ["cloudflare:workers"],
      write: false
    })
    const worker = new Miniflare({
      modules: true,
      script: outputFiles[0]?.text ?? "",
      compatibilityDate: "2025-09-01",
      bindings: credentialsOf(sandbox)
    })
    try {
      const get = async () => withoutTime(await (await worker.dispatchFetch("http://worker/")).text())
      await sandbox.fault("issue", { latency: "200 millis" })
      const answers = await Promise.all(Array.from({ length: 10 }, get))
      assert.deepStrictEqual(answers, Array(10).fill(BALANCE))
      assert.strictEqual(await tokenRequests(sandbox), 1)
      await sandbox.steal()
      assert.strictEqual(await get(), BALANCE)
      assert.strictEqual(await tokenRequests(sandbox), 2)
    } finally {
      await worker.dispose()
    }
  })
})
