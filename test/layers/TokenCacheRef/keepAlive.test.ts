import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

describe("a process that never closes its layer", () => {
  const script = fileURLToPath(new URL("../../fixtures/neverCloses.ts", import.meta.url))

  for (const how of ["saved", "unsaved"]) {
    it.live(
      `exits with a session that is ${how}`,
      () =>
        Effect.gen(function* () {
          const { stdout } = yield* Effect.promise(() =>
            promisify(execFile)(process.execPath, ["--import", "tsx", script, how], { timeout: 60_000 })
          )
          assert.strictEqual(stdout, "access-1")
        }),
      90_000
    )
  }
})
