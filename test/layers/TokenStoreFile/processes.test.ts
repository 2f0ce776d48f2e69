/** Real processes on real files. They are told what to do, and tell what they did; nothing waits for a time to pass. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundle, type Holder, startHolder } from "../../support/fileHolders.js"
import { namesIn, temporaryFolder } from "../../support/fileStore.js"

const fleet = (count: number) =>
  Effect.gen(function* () {
    const program = yield* bundle("fileHolder", yield* temporaryFolder)
    const directory = yield* temporaryFolder
    const clientId = globalThis.crypto.randomUUID()
    const start = (name: string) => startHolder(program, directory, clientId, name)
    const holders = yield* Effect.forEach(
      Array.from({ length: count }, (_, at) => `holder-${at}`),
      start,
      { concurrency: "unbounded" }
    )
    return { directory, holders, start }
  })

const goOn = (holder: Holder, check = false) => holder.send({ do: "go on", check })

const two = Effect.map(fleet(2), ({ holders: [a, b], ...rest }) =>
  a === undefined || b === undefined ? assert.fail() : { a, b, ...rest }
)

/** What all ended with. */
const renewed = (holders: ReadonlyArray<Holder>) =>
  Effect.forEach(holders, (holder) => holder.next("renewed"), { concurrency: "unbounded" })

describe("processes that share a session in files", { timeout: 60_000 }, () => {
  it.scopedLive("issue one session, however many start at once", () =>
    Effect.gen(function* () {
      const { holders } = yield* fleet(8)
      yield* Effect.forEach(holders, (holder) => holder.send({ do: "renew" }))
      const first = yield* Effect.raceAll(holders.map((holder) => Effect.as(holder.next("requesting"), holder)))
      yield* goOn(first)
      const all = yield* renewed(holders)
      const sent = holders.flatMap(({ told }) => told.filter(({ is }) => is === "sent"))
      assert.strictEqual(sent.length, 1)
      assert.deepStrictEqual([...new Set(all.map(({ token }) => token))], [first.name])
      assert.strictEqual(new Set(all.map(({ version }) => version)).size, 1)
      assert.isTrue(all.every(({ saved }) => saved))
    })
  )

  it.scopedLive("take over from one that is killed while it holds the lease, and remove its files", () =>
    Effect.gen(function* () {
      const { a, b, directory } = yield* two
      yield* a.send({ do: "renew" })
      yield* a.next("requesting")
      yield* b.send({ do: "renew" })
      yield* a.signal("SIGKILL")
      yield* b.next("requesting")
      yield* goOn(b)
      const { saved, token } = yield* b.next("renewed")
      assert.deepStrictEqual([token, saved], [b.name, true])
      assert.isTrue(namesIn(directory).every((name) => name.endsWith(".json")))
    })
  )

  it.scopedLive("reject the late write of one that was stopped for longer than its lease", () =>
    Effect.gen(function* () {
      const { a, b, start } = yield* two
      yield* a.send({ do: "renew" })
      yield* a.next("requesting")
      yield* a.signal("SIGSTOP")
      yield* b.send({ do: "renew" })
      yield* b.next("requesting")
      yield* goOn(b)
      const { version } = yield* b.next("renewed")
      yield* goOn(a)
      yield* a.signal("SIGCONT")
      const late = yield* a.next("renewed")
      assert.deepStrictEqual([late.token, late.saved], [a.name, false])
      const c = yield* start("holder-c")
      yield* c.send({ do: "renew" })
      const found = yield* c.next("renewed")
      assert.deepStrictEqual([found.token, found.version], [b.name, version])
    })
  )

  it.scopedLive("let one that was stopped before its request adopt the session that another issued meanwhile", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* a.send({ do: "renew" })
      yield* a.next("requesting")
      yield* a.signal("SIGSTOP")
      yield* b.send({ do: "renew" })
      yield* b.next("requesting")
      yield* goOn(b)
      yield* b.next("renewed")
      yield* goOn(a, true)
      yield* a.signal("SIGCONT")
      const late = yield* a.next("renewed")
      assert.deepStrictEqual([late.token, late.saved], [b.name, true])
      assert.isEmpty(a.told.filter(({ is }) => is === "sent"))
    })
  )

  it.scopedLive("exit by themselves, although nothing was closed", () =>
    Effect.gen(function* () {
      const program = yield* bundle("fileNeverCloses", yield* temporaryFolder)
      const directory = yield* temporaryFolder
      const { stdout } = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, [program, directory], { timeout: 30_000 })
      )
      assert.strictEqual(stdout, "held")
    })
  )
})
