import { existsSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { system } from "../../../src/layers/store/file/Files.js"
import { temporaryFolder } from "../../support/fileStore.js"

describe("makeDirectory", () => {
  it.scopedLive("makes the folders above it too, open to their owner only", () =>
    Effect.gen(function* () {
      const folder = join(yield* temporaryFolder, "above", "it")
      yield* Effect.all(
        Array.from({ length: 10 }, () => system.makeDirectory(folder)),
        { concurrency: "unbounded" }
      )
      const modes = [folder, dirname(folder)].map((path) => statSync(path).mode & 0o777)
      if (process.platform !== "win32") assert.deepStrictEqual(modes, [0o700, 0o700])
      assert.isTrue(statSync(folder).isDirectory())
    })
  )

  it.scopedLive("fails if there is a file in its place", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "file")
      writeFileSync(file, "")
      assert.strictEqual((yield* Effect.flip(system.makeDirectory(file))).code, "EEXIST")
      assert.strictEqual((yield* Effect.flip(system.makeDirectory(join(file, "below")))).code, "ENOTDIR")
    })
  )

  it.scopedLive("fails on a file system that takes no folder", () =>
    Effect.gen(function* () {
      const processes = "/proc"
      const folder = existsSync(processes)
        ? join(processes, "nomba-auth", "folder")
        : join(yield* temporaryFolder, "\0")
      assert.isDefined((yield* Effect.flip(system.makeDirectory(folder))).code)
    })
  )
})
