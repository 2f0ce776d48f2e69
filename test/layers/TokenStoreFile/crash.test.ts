import { readdirSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Equal, Fiber, Option } from "effect"
import type * as Files from "../../../src/layers/store/file/Files.js"
import type { StoreDriver } from "../../../src/layers/store/StoreDriver.js"
import { freshKey, LIFETIME, sessionOf } from "../../../src/testing/tokenStore/harness.js"
import { connectIn, namesIn, temporaryFolder } from "../../support/fileStore.js"
import { makeMortal } from "../../support/mortalFiles.js"
import { makeHandClock } from "../../support/storeClock.js"

const lease = Duration.seconds(13)

const commit = (driver: StoreDriver, owner: string, basis: number, name: string) =>
  driver.commit(owner, basis, { session: Option.some(sessionOf(name)), tombstone: false, remaining: LIFETIME })

const heldBy = (driver: StoreDriver) =>
  Effect.map(
    driver.read,
    Option.flatMap((_) => _.session)
  )

type Step = (driver: StoreDriver, version: number) => Effect.Effect<unknown, unknown>

/** What a victim does, and what of it has been done before it dies. */
const steps: Record<
  string,
  { readonly dying: Step; readonly before: ReadonlyArray<Step>; readonly leaves: ReadonlyArray<string> }
> = {
  acquire: { dying: (_) => _.acquire("victim"), before: [], leaves: ["old"] },
  mark: { dying: (_) => _.mark("victim", true), before: [(_) => _.acquire("victim")], leaves: ["old"] },
  commit: {
    dying: (_, version) => commit(_, "victim", version, "new"),
    before: [(_) => _.acquire("victim"), (_) => _.mark("victim", true)],
    leaves: ["old", "new"]
  },
  release: {
    dying: (_) => _.release("victim"),
    before: [(_) => _.acquire("victim"), (_, version) => commit(_, "victim", version, "new")],
    leaves: ["new"]
  }
}

describe("a process that dies at any touch of the disk", () => {
  for (const [name, { before, dying, leaves }] of Object.entries(steps)) {
    it.scopedLive(`while it does ${name} leaves what can be read, and another takes over`, () =>
      Effect.gen(function* () {
        const seen = new Set<string>()
        for (let touches = 0; ; touches++) {
          const root = yield* temporaryFolder
          const key = yield* freshKey()
          const hand = makeHandClock(1_000_000)
          const connect = (files?: Files.Files) =>
            Effect.withClock(connectIn(root, files === undefined ? {} : { files })(key, lease), hand.clock)
          const other = yield* connect()
          yield* other.acquire("first")
          const version = Option.getOrThrow(yield* commit(other, "first", 0, "old"))
          yield* other.release("first")

          const { arm, died, files } = yield* makeMortal
          const victim = yield* connect(files)
          for (const step of before) yield* step(victim, version)
          arm(touches)
          const life = yield* Effect.forkDaemon(dying(victim, version))
          const lived = yield* Effect.raceFirst(Effect.as(died, false), Effect.as(Fiber.await(life), true))
          if (lived) {
            assert.isAbove(touches, 8, "it was not killed often enough")
            break
          }

          const found = Option.getOrThrow(yield* heldBy(other))
          const readable = leaves.find((_) => Equal.equals(found, sessionOf(_)))
          assert.isDefined(readable, `after ${touches} touches`)
          seen.add(readable ?? "")

          hand.now += Duration.toMillis(lease)
          const { entry, held } = yield* other.acquire("next")
          assert.isTrue(held, `after ${touches} touches`)
          const basis = Option.getOrThrow(entry).version
          for (const path of namesIn(root)) {
            if (path.endsWith(".tmp")) utimesSync(join(root, readdirSync(root)[0] ?? "", path), new Date(), 1)
          }
          assert.isTrue(Option.isSome(yield* commit(other, "next", basis, "next")))
          assert.isTrue(Equal.equals(yield* heldBy(other), Option.some(sessionOf("next"))))
          assert.strictEqual(namesIn(root).length, 2, `what is left after ${touches} touches`)
        }
        assert.sameMembers([...seen], [...leaves])
      })
    )
  }
})
