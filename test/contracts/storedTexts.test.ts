import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as StoreDirectory from "../../src/layers/store/file/StoreDirectory.js"
import { connectIn, temporaryFolder } from "../support/fileStore.js"
import { makeHandClock } from "../support/storeClock.js"
import { codecs, contents, key, readGolden, texts, version } from "../support/storedTexts.js"

for (const name of ["plain", "encrypted"] as const) {
  describe(`a text of format 1, ${name}`, () => {
    for (const [what, content] of Object.entries(contents)) {
      it.live(`is decoded: ${what}`, () =>
        Effect.gen(function* () {
          const codec = yield* codecs[name]
          assert.deepStrictEqual(yield* codec.decode({ key, version }, texts[name][what]), content)
        })
      )
    }

    it.scopedLive("is read from a file", () =>
      Effect.gen(function* () {
        const root = yield* temporaryFolder
        const folder = join(root, StoreDirectory.nameOf(key))
        mkdirSync(folder, { mode: 0o700 })
        writeFileSync(join(folder, "0000000001.json"), texts.file[name])
        const connect = connectIn(root, { codec: yield* codecs[name], host: "golden-host" })
        const clock = makeHandClock(version + 1_000).clock
        const driver = yield* Effect.withClock(connect(key, Duration.seconds(13)), clock)
        assert.deepStrictEqual(yield* readGolden(driver), {
          remaining: Duration.seconds(1_799),
          wait: Duration.seconds(7)
        })
      })
    )
  })
}
