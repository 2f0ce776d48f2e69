/** Files under a process that dies. */
import { writeFileSync } from "node:fs"
import { Deferred, Effect } from "effect"
import * as Files from "../../src/layers/store/file/Files.js"

/** A process that dies instead of its nth touch of the disk, once it is armed; a write has begun by then. */
export const makeCrashing = Effect.map(Deferred.make<void>(), (died) => {
  let left = Number.POSITIVE_INFINITY
  const mortal =
    <Args extends ReadonlyArray<string>, A>(touch: (...args: Args) => Effect.Effect<A, Files.FileFailure>) =>
    (...args: Args): Effect.Effect<A, Files.FileFailure> =>
      Effect.suspend(() => {
        left -= 1
        if (left >= 0) return touch(...args)
        const [path, text] = args
        if (touch === (Files.system.write as unknown) && path !== undefined)
          writeFileSync(path, text?.slice(0, 9) ?? "")
        return Effect.zipRight(Deferred.succeed(died, undefined), Effect.never)
      })
  const files: Files.Files = {
    list: mortal(Files.system.list),
    stat: mortal(Files.system.stat),
    read: mortal(Files.system.read),
    write: mortal(Files.system.write),
    link: mortal(Files.system.link),
    rename: mortal(Files.system.rename),
    remove: mortal(Files.system.remove),
    makeDirectory: mortal(Files.system.makeDirectory),
    syncDirectory: mortal(Files.system.syncDirectory)
  }
  return {
    files,
    died: Deferred.await(died),
    arm: (touches: number) => {
      left = touches
    }
  }
})
