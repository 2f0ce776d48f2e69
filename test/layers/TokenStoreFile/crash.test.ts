import { readdirSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Equal, Fiber, Option } from "effect"
import type * as Files from "../../../src/layers/store/file/Files.js"
import type { Owner, StoreDriver } from "../../../src/layers/store/StoreDriver.js"
import { freshKey, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { makeCrashing } from "../../support/crashingFs.js"
import { connectIn, namesIn, temporaryFolder } from "../../support/fileStore.js"
import { makeHandClock } from "../../support/storeClock.js"
import { ifFree, nothingLeft, ownerOf, writeOf } from "../../support/storeFaults.js"

const lease = Duration.seconds(13)

const NOW = 1_000_000
const [first, victim, next] = [ownerOf("first"), ownerOf("victim"), ownerOf("next")]

const commit = (driver: StoreDriver, owner: Owner, expected: number, name: string) =>
  driver.commit(owner, expected, writeOf(name, expected + 1, NOW))

const heldBy = (driver: StoreDriver) => Effect.map(driver.read, ({ entry }) => Option.flatMap(entry, (_) => _.session))

type Step = (driver: StoreDriver, version: number) => Effect.Effect<unknown, unknown>

/** What a process does, and what it has done before it crashes. */
const steps: Record<
  string,
  { readonly crashing: Step; readonly before: ReadonlyArray<Step>; readonly leaves: ReadonlyArray<string> }
> = {
  acquire: { crashing: (_) => _.acquire(victim, ifFree), before: [], leaves: ["old"] },
  setRefreshInFlight: {
    crashing: (_) => _.setRefreshInFlight(victim, true),
    before: [(_) => _.acquire(victim, ifFree)],
    leaves: ["old"]
  },
  commit: {
    crashing: (_, version) => commit(_, victim, version, "new"),
    before: [(_) => _.acquire(victim, ifFree), (_) => _.setRefreshInFlight(victim, true)],
    leaves: ["old", "new"]
  },
  release: {
    crashing: (_) => _.release(victim, nothingLeft),
    before: [(_) => _.acquire(victim, ifFree), (_, version) => commit(_, victim, version, "new")],
    leaves: ["new"]
  }
}

describe("a process that crashes at any access to the disk", () => {
  for (const [name, { before, crashing, leaves }] of Object.entries(steps)) {
    it.scopedLive(`during ${name} leaves a readable store, and another process takes over`, () =>
      Effect.gen(function* () {
        const seen = new Set<string>()
        for (let touches = 0; ; touches++) {
          const root = yield* temporaryFolder
          const key = yield* freshKey()
          const hand = makeHandClock(NOW)
          const connect = (files?: Files.Files) =>
            Effect.withClock(connectIn(root, files === undefined ? {} : { files })(key, lease), hand.clock)
          const other = yield* connect()
          yield* other.acquire(first, ifFree)
          assert.isTrue(yield* commit(other, first, 0, "old"))
          yield* other.release(first, nothingLeft)
          const version = 1

          const { arm, crashed, files } = yield* makeCrashing
          const driver = yield* connect(files)
          for (const step of before) yield* step(driver, version)
          arm(touches)
          const step = yield* Effect.forkDaemon(crashing(driver, version))
          const isDone = yield* Effect.raceFirst(Effect.as(crashed, false), Effect.as(Fiber.await(step), true))
          if (isDone) {
            assert.isAbove(touches, 8, "it was not killed often enough")
            break
          }

          const found = Option.getOrThrow(yield* heldBy(other))
          const readable = leaves.find((_) => Equal.equals(found, sessionOf(_)))
          assert.isDefined(readable, `after ${touches} touches`)
          seen.add(readable ?? "")

          hand.now += Duration.toMillis(lease)
          const { entry, held } = yield* other.acquire(next, ifFree)
          assert.isTrue(held, `after ${touches} touches`)
          const expected = Option.getOrThrow(entry).version
          for (const path of namesIn(root)) {
            if (path.endsWith(".tmp")) utimesSync(join(root, readdirSync(root)[0] ?? "", path), new Date(), 1)
          }
          assert.isTrue(yield* commit(other, next, expected, "next"))
          assert.isTrue(Equal.equals(yield* heldBy(other), Option.some(sessionOf("next"))))
          assert.strictEqual(namesIn(root).length, 2, `what is left after ${touches} touches`)
        }
        assert.sameMembers([...seen], [...leaves])
      })
    )
  }
})
