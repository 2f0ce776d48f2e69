/** Expired entries and files that a process left behind are removed after 30 days. */
import { chmodSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option } from "effect"
import * as Files from "../../../src/layers/store/file/Files.js"
import * as StoreDirectory from "../../../src/layers/store/file/StoreDirectory.js"
import * as VersionedFile from "../../../src/layers/store/file/VersionedFile.js"
import * as TokenStoreFile from "../../../src/layers/TokenStoreFile.js"
import { freshKey, LIFETIME, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { makeCrashing } from "../../support/crashingFs.js"
import { connectIn, edit, namesIn, temporaryFolder } from "../../support/fileStore.js"
import { makeHandClock } from "../../support/storeClock.js"
import { ifFree, nothingLeft, ownerOf, writeOf } from "../../support/storeFaults.js"

const LEASE = Duration.seconds(13)
const DAY = Duration.toMillis("1 day")

/** Everything that is on the disk below a folder. */
const textIn = (root: string): string =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n")

const folderIn = (root: string): string => join(root, readdirSync(root)[0] ?? "")

/** A folder with a session by the name of `held`, and the hand of its clock at the end of it. */
const setup = (options: { readonly tombstone?: boolean } = {}) =>
  Effect.gen(function* () {
    const root = yield* temporaryFolder
    const hand = makeHandClock(Date.now())
    const atHand = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.withClock(effect, hand.clock)
    const driver = yield* atHand(connectIn(root)(yield* freshKey(), LEASE))
    const put = (name: string, version: number, tombstone = false) =>
      Effect.gen(function* () {
        const { entry } = yield* driver.acquire(ownerOf(name), ifFree)
        const expected = Option.match(entry, { onNone: () => 0, onSome: (_) => _.version })
        assert.isTrue(yield* driver.commit(ownerOf(name), expected, writeOf(name, version, hand.now, tombstone)))
      })
    yield* put("held", 1, options.tombstone)
    hand.now += Duration.toMillis(LIFETIME)
    const sweep = (files = Files.system) => atHand(StoreDirectory.sweep(files, root))
    return { root, hand, driver, put, sweep }
  })

describe("sweep: an expired session", () => {
  for (const tombstone of [false, true]) {
    it.scopedLive(`is removed 30 days past its expiry and no sooner${tombstone ? ", also after a logout" : ""}`, () =>
      Effect.gen(function* () {
        const { driver, hand, put, root, sweep } = yield* setup({ tombstone })
        yield* driver.release(ownerOf("held"), nothingLeft)
        hand.now += 30 * DAY - 1
        yield* sweep()
        assert.include(textIn(root), "held-refresh")
        assert.isTrue(Option.isSome((yield* driver.read).entry))
        hand.now += 1
        yield* sweep()
        assert.notInclude(textIn(root), "held")
        assert.strictEqual(namesIn(root).length, 1)
        assert.isTrue(Option.isNone((yield* driver.read).entry))
        yield* put("next", 2)
      })
    )
  }

  it.scopedLive("stays while a process holds its lease", () =>
    Effect.gen(function* () {
      const { driver, hand, root, sweep } = yield* setup()
      hand.now += 31 * DAY
      yield* driver.acquire(ownerOf("held"), ifFree)
      yield* sweep()
      assert.include(textIn(root), "held-refresh")
      hand.now += Duration.toMillis(LEASE)
      assert.isFalse(yield* driver.extend(ownerOf("held")))
      yield* sweep()
      assert.notInclude(textIn(root), "held")
    })
  )

  it.scopedLive("leaves a number by which a late write is rejected", () =>
    Effect.gen(function* () {
      const { driver, hand, put, root, sweep } = yield* setup()
      const register = VersionedFile.make(Files.system, folderIn(root))
      const late = yield* register.load
      hand.now += 31 * DAY
      yield* sweep()
      yield* put("next", 2)
      assert.isFalse(yield* register.replace(late.number, Option.getOrThrow(late.text)))
      const entry = Option.getOrThrow((yield* driver.read).entry)
      assert.deepStrictEqual(entry.session, Option.some(sessionOf("next")))
    })
  )

  it.scopedLive("is removed once if several processes sweep at the same time", () =>
    Effect.gen(function* () {
      const { hand, root, sweep } = yield* setup()
      hand.now += 31 * DAY
      yield* Effect.all([sweep(), sweep(), sweep()], { concurrency: "unbounded" })
      const left = namesIn(root)
      assert.strictEqual(left.length, 1)
      yield* sweep()
      assert.deepStrictEqual(namesIn(root), left)
    })
  )

  it.scopedLive("is removed by the next sweep if the first one crashed at any point", () =>
    Effect.gen(function* () {
      for (let touches = 0; ; touches++) {
        const { driver, hand, put, root, sweep } = yield* setup()
        hand.now += 31 * DAY
        const { arm, crashed, files } = yield* makeCrashing
        arm(touches)
        const swept = yield* Effect.forkDaemon(sweep(files))
        const isDone = yield* Effect.raceFirst(Effect.as(crashed, false), Effect.as(Fiber.await(swept), true))
        if (isDone) {
          assert.isAbove(touches, 10, "it was not killed often enough")
          break
        }
        yield* sweep()
        assert.notInclude(textIn(root), "held", `after ${touches} touches`)
        yield* put("next", 2)
        assert.isTrue(Option.isSome((yield* driver.read).entry))
      }
    })
  )
})

describe("sweep: a file that was left behind", () => {
  it.scopedLive("is removed after 30 days, whether it was set aside or a crashed process was writing it", () =>
    Effect.gen(function* () {
      const { driver, hand, root, sweep } = yield* setup()
      writeFileSync(join(folderIn(root), "0000000001.json.unreadable"), "token-aside")
      writeFileSync(join(folderIn(root), "00ff.tmp"), "token-unfinished")
      hand.now = Date.now() + 29 * DAY
      yield* sweep()
      for (const text of ["token-aside", "token-unfinished"]) assert.include(textIn(root), text)
      hand.now += 2 * DAY
      yield* driver.acquire(ownerOf("another"), ifFree)
      yield* sweep()
      for (const text of ["token-aside", "token-unfinished"]) assert.notInclude(textIn(root), text)
      assert.include(textIn(root), "held-refresh")
    })
  )

  it.scopedLive("is counted from when it was set aside, not from when it was written", () =>
    Effect.gen(function* () {
      const { hand, root, sweep } = yield* setup()
      const [name = ""] = readdirSync(folderIn(root))
      const path = join(folderIn(root), name)
      const written = yield* Files.system.stat(path)
      renameSync(path, `${path}.unreadable`)
      const { changed } = yield* Files.system.stat(`${path}.unreadable`)
      assert.isAbove(changed, written.modified)
      hand.now = changed + 30 * DAY
      yield* sweep()
      assert.include(namesIn(root), `${name}.unreadable`)
      hand.now += 1
      yield* sweep()
      assert.notInclude(namesIn(root), `${name}.unreadable`)
    })
  )
})

describe("sweep: a file that is not the store's", () => {
  const lines: ReadonlyArray<readonly [string, (root: string) => void]> = [
    ["in a folder that is no key's", (root) => renameSync(folderIn(root), join(root, "backup"))],
    ["under the hash of another key", (root) => renameSync(folderIn(root), join(root, "0".repeat(64)))],
    ["of another version", (root) => edit(root, (text) => text.replace("nomba-auth/file/1", "nomba-auth/file/2"))],
    ["in a folder that is open to others", (root) => chmodSync(root, 0o755)]
  ]
  for (const [what, change] of lines) {
    it.scopedLive(`stays: ${what}`, () =>
      Effect.gen(function* () {
        const { hand, root, sweep } = yield* setup()
        change(root)
        hand.now += 31 * DAY
        yield* sweep()
        assert.include(textIn(root), "held-refresh")
      })
    )
  }

  it.scopedLive("does not stop the sweep of the rest", () =>
    Effect.gen(function* () {
      const { hand, root, sweep } = yield* setup()
      for (const sign of "0f") writeFileSync(join(root, sign.repeat(64)), "no folder")
      hand.now += 31 * DAY
      yield* sweep()
      assert.notInclude(textIn(root), "held-refresh")
    })
  )
})

describe("a store of TokenStoreFile", () => {
  it.scopedLive("sweeps in the background when its first key is opened", () =>
    Effect.gen(function* () {
      const { hand, root } = yield* setup()
      hand.now += 31 * DAY
      const store = yield* TokenStoreFile.make({ directory: root })
      const key = yield* freshKey()
      yield* Effect.withClock(store.open(key, Duration.seconds(10)), hand.clock)
      const files = Effect.promise(() => readdir(folderIn(root)))
      const isSwept = Effect.repeat(files, { until: (names) => names.length === 1 && names[0] !== "0000000002.json" })
      yield* Effect.timeout(isSwept, "4 seconds")
      assert.notInclude(textIn(root), "held")
    })
  )
})
