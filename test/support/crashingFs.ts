/** Files under a process that crashes. */
import { writeFileSync } from "node:fs"
import { Deferred, Effect } from "effect"
import * as Files from "../../src/layers/store/file/Files.js"

/** A process that crashes at its nth access to the disk, once it is armed; a write has begun by then. */
export const makeCrashing = Effect.map(Deferred.make<void>(), (crashed) => {
  let left = Number.POSITIVE_INFINITY
  const crashing =
    <Args extends ReadonlyArray<string>, A>(touch: (...args: Args) => Effect.Effect<A, Files.FileFailure>) =>
    (...args: Args): Effect.Effect<A, Files.FileFailure> =>
      Effect.suspend(() => {
        left -= 1
        if (left >= 0) return touch(...args)
        const [path, text] = args
        if (touch === (Files.system.write as unknown) && path !== undefined)
          writeFileSync(path, text?.slice(0, 9) ?? "")
        return Effect.zipRight(Deferred.succeed(crashed, undefined), Effect.never)
      })
  const files: Files.Files = {
    list: crashing(Files.system.list),
    stat: crashing(Files.system.stat),
    read: crashing(Files.system.read),
    write: crashing(Files.system.write),
    link: crashing(Files.system.link),
    rename: crashing(Files.system.rename),
    remove: crashing(Files.system.remove),
    makeDirectory: crashing(Files.system.makeDirectory),
    syncDirectory: crashing(Files.system.syncDirectory)
  }
  return {
    files,
    crashed: Deferred.await(crashed),
    arm: (touches: number) => {
      left = touches
    }
  }
})
