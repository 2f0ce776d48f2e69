import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { connectIn, temporaryFolder } from "../support/fileStore.js"
import { makeHandClock } from "../support/storeClock.js"
import { codecs, contents, holder, key, readGolden, texts, version, writeGolden } from "../support/storedTexts.js"
import { ifFree, ownerOf } from "../support/storeFaults.js"

const LEASE = Duration.seconds(13)

/** The steps over a folder that holds this text, at so many milliseconds after it was written. */
const setup = (name: "plain" | "encrypted", text: string | undefined, after: number) =>
  Effect.gen(function* () {
    const root = yield* temporaryFolder
    const folder = join(root, texts.file.folder)
    if (text !== undefined) {
      mkdirSync(folder, { mode: 0o700 })
      writeFileSync(join(folder, "0000000001.json"), text)
    }
    const connect = connectIn(root, { codec: yield* codecs[name], host: "golden-host" })
    return { folder, driver: yield* Effect.withClock(connect(key, LEASE), makeHandClock(version + after).clock) }
  })

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
        const { driver } = yield* setup(name, texts.file[name], 1_000)
        assert.deepStrictEqual(yield* readGolden(driver), {
          remaining: Duration.seconds(1_799),
          wait: Duration.seconds(7)
        })
      })
    )
  })
}

describe("a file of format 1, which processes of another version read and write", () => {
  it.scopedLive("is written as it is read", () =>
    Effect.gen(function* () {
      const { driver, folder } = yield* setup("plain", undefined, 0)
      yield* writeGolden(driver, version)
      assert.strictEqual(readFileSync(join(folder, "0000000002.json"), "utf8"), texts.file.leased)
    })
  )

  it.scopedLive("holds a lease, which its owner extends", () =>
    Effect.gen(function* () {
      const { driver } = yield* setup("plain", texts.file.leased, 1_000)
      assert.isTrue((yield* driver.read).isLeased)
      assert.isFalse((yield* driver.acquire(ownerOf("another"), ifFree)).held)
      assert.isTrue(yield* driver.extend(holder))
    })
  )
})
