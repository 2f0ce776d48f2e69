import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option } from "effect"
import * as Files from "../../../src/layers/store/file/Files.js"
import * as VersionedFile from "../../../src/layers/store/file/VersionedFile.js"
import { temporaryFolder } from "../../support/fileStore.js"

const folderOf = Effect.map(temporaryFolder, (root) => join(root, "key"))

/** Writers whose link is held back until the gate is opened. */
const stalledAt = (step: "write" | "link") =>
  Effect.gen(function* () {
    const arrived = yield* Deferred.make<void>()
    const gate = yield* Deferred.make<void>()
    const wait = Effect.zipRight(Deferred.succeed(arrived, undefined), Deferred.await(gate))
    const files: Files.Files = {
      ...Files.system,
      [step]: (a: string, b: string) => Effect.zipRight(wait, Files.system[step](a, b))
    }
    return { files, arrived: Deferred.await(arrived), open: Deferred.succeed(gate, undefined) }
  })

const replaced = (register: VersionedFile.VersionedFile, number: number, text: string) =>
  Effect.map(register.replace(number, text), (isReplaced) => assert.isTrue(isReplaced))

const holds = (register: VersionedFile.VersionedFile, number: number, text: string | undefined) =>
  Effect.map(register.load, (found) => assert.deepStrictEqual(found, { number, text: Option.fromNullable(text) }))

describe("VersionedFile", () => {
  it.scopedLive("is empty at first, also if the folder is missing", () =>
    Effect.gen(function* () {
      const register = VersionedFile.make(Files.system, yield* folderOf)
      yield* holds(register, 0, undefined)
      assert.strictEqual(yield* register.newest, 0)
    })
  )

  it.scopedLive("is replaced by exactly one of the writers that have read it", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      for (const number of [0, 1, 2]) {
        const answers = yield* Effect.forEach(
          Array.from({ length: 16 }, (_, at) => at),
          (at) => VersionedFile.make(Files.system, folder).replace(number, `${number}-${at}`),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(answers.filter((_) => _).length, 1)
        const found = yield* VersionedFile.make(Files.system, folder).load
        assert.deepStrictEqual(found, { number: number + 1, text: Option.some(`${number}-${answers.indexOf(true)}`) })
      }
    })
  )

  it.scopedLive("loses no change of concurrent writers, and no reader sees an older text again", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const lines = (found: VersionedFile.Found): ReadonlyArray<string> =>
        Option.match(found.text, { onNone: () => [], onSome: (text) => text.split("\n") })
      const append = (line: string) =>
        Effect.gen(function* () {
          const register = VersionedFile.make(Files.system, folder)
          while (true) {
            const found = yield* register.load
            if (lines(found).includes(line)) return
            if (yield* register.replace(found.number, [...lines(found), line].join("\n"))) return
          }
        })
      const reader = yield* Effect.fork(
        Effect.gen(function* () {
          const register = VersionedFile.make(Files.system, folder)
          for (let last: ReadonlyArray<string> = []; last.length < 120; ) {
            const all = lines(yield* register.load)
            assert.deepStrictEqual(all.slice(0, last.length), last)
            last = all
          }
          return yield* register.load
        })
      )
      yield* Effect.forEach(
        Array.from({ length: 6 }, (_, writer) => writer),
        (writer) => Effect.forEach(Array.from({ length: 20 }), (_, at) => append(`${writer}-${at}`)),
        { concurrency: "unbounded" }
      )
      const all = lines(yield* Fiber.join(reader))
      assert.strictEqual(new Set(all).size, 120)
      assert.strictEqual(all.length, 120)
    })
  )

  for (const step of ["write", "link"] as const) {
    for (const [what, changes] of [
      ["its number was taken", 1],
      ["its number was taken, and cleaned away since", 9]
    ] as const) {
      it.scopedLive(`is not replaced by a writer that stalled before its ${step} until ${what}`, () =>
        Effect.gen(function* () {
          const folder = yield* folderOf
          const register = VersionedFile.make(Files.system, folder)
          yield* replaced(register, 0, "first")
          const { arrived, files, open } = yield* stalledAt(step)
          const late = yield* Effect.fork(VersionedFile.make(files, folder).replace(1, "late"))
          yield* arrived
          for (let change = 0; change < changes; change++) yield* replaced(register, 1 + change, `change ${change}`)
          yield* open
          assert.isFalse(yield* Fiber.join(late))
          yield* holds(register, 1 + changes, `change ${changes - 1}`)
          yield* replaced(register, 1 + changes, "goes on")
          assert.strictEqual(readdirSync(folder).length, 2, "what came late is cleaned away")
        })
      )
    }
  }

  it.scopedLive("keeps the previous text, and no more", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const register = VersionedFile.make(Files.system, folder)
      for (let number = 0; number < 12; number++) yield* replaced(register, number, String(number))
      assert.deepStrictEqual(readdirSync(folder), ["0000000011.json", "0000000012.json"])
    })
  )

  it.scopedLive("is read although it is replaced meanwhile", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const register = VersionedFile.make(Files.system, folder)
      yield* replaced(register, 0, "old")
      let reads = 0
      const slow = VersionedFile.make(
        {
          ...Files.system,
          read: (path) =>
            Effect.zipRight(
              Effect.when(
                Effect.forEach([1, 2], (number) => replaced(register, number, `new ${number}`)),
                () => reads++ === 0
              ),
              Files.system.read(path)
            )
        },
        folder
      )
      yield* holds(slow, 3, "new 2")
      assert.strictEqual(reads, 2)
    })
  )

  it.scopedLive("looks twice if it finds nothing", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      yield* replaced(VersionedFile.make(Files.system, folder), 0, "there")
      let lists = 0
      const blind = VersionedFile.make(
        {
          ...Files.system,
          list: (path) => Effect.suspend(() => (lists++ === 0 ? Effect.succeed([]) : Files.system.list(path)))
        },
        folder
      )
      yield* holds(blind, 1, "there")
    })
  )

  it.scopedLive("fails if the text can never be read", () =>
    Effect.gen(function* () {
      const gone = { ...Files.system, read: () => new Files.FileFailure({ code: "ENOENT" }) }
      const folder = yield* folderOf
      yield* replaced(VersionedFile.make(Files.system, folder), 0, "there")
      assert.strictEqual((yield* Effect.flip(VersionedFile.make(gone, folder).load)).code, "EBUSY")
    })
  )

  it.scopedLive("starts again if its folder was removed", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const register = VersionedFile.make(Files.system, folder)
      yield* replaced(register, 0, "old")
      rmSync(folder, { recursive: true })
      yield* holds(register, 0, undefined)
      yield* replaced(register, 0, "new")
      yield* holds(register, 1, "new")
    })
  )

  it.scopedLive("is not replaced by a write into a removed folder, or by one from too long ago", () =>
    Effect.gen(function* () {
      for (const isRemoved of [true, false]) {
        const folder = yield* folderOf
        const { arrived, files, open } = yield* stalledAt("link")
        const late = yield* Effect.fork(VersionedFile.make(files, folder).replace(0, "late"))
        yield* arrived
        const [temporary = ""] = readdirSync(folder)
        if (isRemoved) rmSync(folder, { recursive: true })
        else {
          utimesSync(join(folder, temporary), new Date(), Date.now() / 1000 - 61)
          yield* replaced(VersionedFile.make(Files.system, folder), 0, "other")
        }
        yield* open
        assert.strictEqual((yield* Effect.flip(Fiber.join(late))).code, "ENOENT")
        assert.deepStrictEqual(isRemoved || readdirSync(folder), isRemoved || ["0000000001.json"])
      }
    })
  )
})

describe("VersionedFile: its folder", () => {
  it.scopedLive("loses temporary files that were abandoned, and keeps those that may be in use", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      mkdirSync(folder)
      for (const [name, age] of [
        ["dead.tmp", 61],
        ["alive.tmp", 50]
      ] as const) {
        writeFileSync(join(folder, name), "")
        utimesSync(join(folder, name), new Date(), Date.now() / 1000 - age)
      }
      yield* replaced(VersionedFile.make(Files.system, folder), 0, "text")
      assert.deepStrictEqual(readdirSync(folder), ["0000000001.json", "alive.tmp"])
    })
  )

  it.scopedLive("has no temporary file after a write that failed", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      for (const step of ["write", "link", "syncDirectory"] as const) {
        const full: Files.Files = {
          ...Files.system,
          [step]: (a: string, b: string) =>
            Effect.zipRight(
              step === "write" ? Files.system.write(a, b.slice(0, 1)) : Effect.void,
              new Files.FileFailure({ code: "ENOSPC" })
            )
        }
        const failure = yield* Effect.flip(VersionedFile.make(full, folder).replace(0, "text"))
        assert.strictEqual(failure.code, "ENOSPC")
        assert.deepStrictEqual(
          readdirSync(folder).filter((name) => name.endsWith(".tmp")),
          []
        )
      }
    })
  )

  it.scopedLive("keeps a file that was set aside, which is set aside once", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const register = VersionedFile.make(Files.system, folder)
      yield* replaced(register, 0, "damaged")
      yield* replaced(register, 1, "next")
      const names = yield* Effect.all([register.setAside(1), register.setAside(1)])
      assert.deepStrictEqual(names, [Option.some(join(folder, "0000000001.json.unreadable")), Option.none()])
      for (let number = 2; number < 6; number++) yield* replaced(register, number, String(number))
      assert.include(readdirSync(folder), "0000000001.json.unreadable")
    })
  )
})
