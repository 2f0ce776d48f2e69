import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeRedis } from "../../support/describeRedis.js"

describeRedis("a process is not kept alive by TokenStoreRedis", (server) => {
  const script = fileURLToPath(new URL("../../fixtures/neverClosesRedis.ts", import.meta.url))

  const ends = (said: string, ...args: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const { stdout } = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, ["--import", "tsx", script, ...args], { timeout: 60_000 })
      )
      assert.strictEqual(stdout, said)
    })

  it.scopedLive(
    "though both its connections are open",
    () => Effect.flatMap(server, ({ url }) => ends("looked", url)),
    90_000
  )

  it.scopedLive(
    "though it may not listen, and tries again for ever",
    () =>
      Effect.gen(function* () {
        const { setUser, url } = yield* server
        yield* setUser("deaf", "on", ">password", "~*", "&*", "+@all", "-subscribe")
        yield* ends("looked 0", url.replace("//", "//deaf:password@"), "refused")
      }),
    90_000
  )
})
