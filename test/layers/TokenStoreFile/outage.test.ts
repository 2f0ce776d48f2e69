import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber } from "effect"
import * as Files from "../../../src/layers/store/file/Files.js"
import * as SessionStore from "../../../src/layers/store/SessionStore.js"
import { freshKey } from "../../../src/testing/tokenStore/harness.js"
import { connectIn, temporaryFolder } from "../../support/fileStore.js"
import { makeHandClock } from "../../support/storeClock.js"
import { ifFree, nothingLeft, ownerOf } from "../../support/storeFaults.js"
import { getText, makeCache, makeUpstream } from "../../support/upstream.js"

/** A disk on which some accesses fail until `fail` is called again. */
const makeDisk = () => {
  let failing: Partial<Record<keyof Files.Files, string>> = {}
  const through =
    <Args extends ReadonlyArray<string>, A>(
      name: keyof Files.Files,
      touch: (...args: Args) => Effect.Effect<A, Files.FileFailure>
    ) =>
    (...args: Args): Effect.Effect<A, Files.FileFailure> =>
      Effect.suspend(() => {
        const code = failing[name]
        return code === undefined ? touch(...args) : new Files.FileFailure({ code })
      })
  const files: Files.Files = {
    list: through("list", Files.system.list),
    stat: through("stat", Files.system.stat),
    read: through("read", Files.system.read),
    write: through("write", Files.system.write),
    link: through("link", Files.system.link),
    rename: through("rename", Files.system.rename),
    remove: through("remove", Files.system.remove),
    makeDirectory: through("makeDirectory", Files.system.makeDirectory),
    syncDirectory: through("syncDirectory", Files.system.syncDirectory)
  }
  return {
    files,
    fail: (codes: typeof failing) => {
      failing = codes
    }
  }
}

const outages: ReadonlyArray<readonly [string, Partial<Record<keyof Files.Files, string>>, string]> = [
  ["the disk is full", { write: "ENOSPC", makeDirectory: "ENOSPC" }, "ENOSPC"],
  ["the folder can only be read", { write: "EROFS", link: "EROFS", remove: "EROFS", rename: "EROFS" }, "EROFS"],
  ["the folder is closed to us", { list: "EACCES", read: "EACCES", write: "EACCES" }, "EACCES"],
  ["the disk is broken", { list: "EIO", read: "EIO", write: "EIO", syncDirectory: "EIO" }, "EIO"],
  ["the file system has no links", { link: "EPERM" }, "EPERM"]
]

describe("a live token is served, and a renewal fails with Store until the disk works again, if", () => {
  const outage = (
    folder: (root: string) => string,
    breakIt: (root: string, fail: ReturnType<typeof makeDisk>["fail"]) => void,
    mendIt: (root: string, fail: ReturnType<typeof makeDisk>["fail"]) => void,
    code: string
  ) =>
    Effect.gen(function* () {
      const root = folder(yield* temporaryFolder)
      const { fail, files } = makeDisk()
      const hand = makeHandClock(1_000_000)
      const upstream = makeUpstream()
      upstream.lifetime = "30 minutes"
      const store = SessionStore.fromDriver(connectIn(root, { files }))
      yield* Effect.gen(function* () {
        const cache = yield* makeCache({ upstream, store })
        assert.strictEqual(yield* getText(cache), "access-1")
        breakIt(root, fail)
        hand.now += Duration.toMillis("26 minutes")
        assert.strictEqual(yield* getText(cache), "access-1")
        hand.now += Duration.toMillis("5 minutes")
        const error = yield* Effect.flip(cache.get)
        assert.strictEqual(error._tag === "Unavailable" && error.reason, "Store")
        assert.include(error.message, `: ${code}`)
        assert.include(error.message, root, "the message names the folder")
        assert.strictEqual(upstream.count(), 1, "token requests")
        mendIt(root, fail)
        hand.now += Duration.toMillis("31 seconds")
        assert.strictEqual(yield* getText(cache), "access-2")
        assert.isTrue((yield* cache.session).saved)
      }).pipe(Effect.scoped, Effect.withClock(hand.clock))
    })

  for (const [what, failing, code] of outages) {
    it.scopedLive(what, () =>
      outage(
        (root) => root,
        (_, fail) => fail(failing),
        (_, fail) => fail({}),
        code
      )
    )
  }

  it.scopedLive("a file is where the folder was", () =>
    outage(
      (parent) => join(parent, "root"),
      (root) => {
        rmSync(root, { recursive: true })
        writeFileSync(root, "")
      },
      (root) => rmSync(root),
      "ENOTDIR"
    )
  )
})

describe("a file store on a disk that does not answer", () => {
  it.scopedLive("fails with ETIMEDOUT, and undoes in order what it began", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const gate = yield* Deferred.make<void>()
      const frozen: Files.Files = {
        ...Files.system,
        link: (a, b) => Effect.zipRight(Deferred.await(gate), Files.system.link(a, b))
      }
      const key = yield* freshKey()
      const [slow, other] = yield* Effect.all([
        connectIn(root, { files: frozen })(key, Duration.minutes(1)),
        connectIn(root)(key, Duration.minutes(1))
      ])
      const error = yield* Effect.flip(Effect.uninterruptible(slow.acquire(ownerOf("a"), ifFree)))
      assert.strictEqual(error.detail, "ETIMEDOUT")
      const release = yield* Effect.fork(slow.release(ownerOf("a"), nothingLeft))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(release)
      assert.isTrue((yield* other.acquire(ownerOf("b"), ifFree)).held)
    })
  )
})

describe("a file store whose every link fails with EEXIST", () => {
  it.scopedLive("fails with EBUSY after 100 tries", () =>
    Effect.gen(function* () {
      let links = 0
      // The rest succeeds without the disk. 100 real writes may take longer than the time-out of a store.
      const stale: Files.Files = {
        ...Files.system,
        write: () => Effect.void,
        remove: () => Effect.void,
        syncDirectory: () => Effect.void,
        link: () =>
          Effect.suspend(() => {
            links += 1
            return new Files.FileFailure({ code: "EEXIST" })
          })
      }
      const driver = yield* connectIn(yield* temporaryFolder, { files: stale })(yield* freshKey(), Duration.minutes(1))
      const error = yield* Effect.flip(driver.acquire(ownerOf("a"), ifFree))
      assert.strictEqual(error.detail, "EBUSY")
      assert.strictEqual(links, 100)
    })
  )
})

describe("the hint of a file store says what to do if", () => {
  const advice = (root: string, files: Files.Files = Files.system) =>
    Effect.gen(function* () {
      const driver = yield* connectIn(root, { files })(yield* freshKey(), Duration.minutes(1))
      const { detail, hint } = yield* Effect.flip(driver.acquire(ownerOf("a"), ifFree))
      return { detail, hint }
    })

  for (const [what, names] of [
    ["a file is in the folder's place", ["file"]],
    ["a file is in the place of a folder above it", ["file", "of", "mine"]]
  ] as const) {
    it.scopedLive(what, () =>
      Effect.gen(function* () {
        const parent = yield* temporaryFolder
        writeFileSync(join(parent, "file"), "")
        const root = join(parent, ...names)
        assert.deepStrictEqual(yield* advice(root), {
          detail: "ENOTDIR",
          hint: `There is a file where the folder ${root} or one above it should be: name another folder.`
        })
      })
    )
  }

  it.scopedLive("the folder is on a disk that is not there", () =>
    Effect.gen(function* () {
      const root = join(yield* temporaryFolder, "root")
      const { fail, files } = makeDisk()
      fail({ makeDirectory: "ENOENT" })
      assert.deepStrictEqual(yield* advice(root, files), {
        detail: "ENOENT",
        hint: `The folder ${root} is missing and could not be made: name one on a disk that is there.`
      })
    })
  )
})
