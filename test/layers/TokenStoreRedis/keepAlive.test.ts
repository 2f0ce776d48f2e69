import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { describeRedis } from "../../support/describeRedis.js"

describeRedis("a process is not kept alive by TokenStoreRedis", (it, server) => {
  const script = fileURLToPath(new URL("../../fixtures/neverClosesRedis.ts", import.meta.url))

  it.scoped(
    "though both its connections are open",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server
        const { stdout } = yield* Effect.promise(() =>
          promisify(execFile)(process.execPath, ["--import", "tsx", script, url], { timeout: 60_000 })
        )
        assert.strictEqual(stdout, "looked")
      }),
    90_000
  )
})
