/**
 * The changes of a folder: the system tells of them if it can, and polling finds the others.
 *
 * @since 0.1.0
 */
import { type FSWatcher, watch as watchFolder } from "node:fs"
import { basename } from "node:path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { unrefSleep } from "../../wait.js"

/** Poll interval beside the system's notifications. */
const POLL: Duration.Duration = Duration.seconds(1)

/** How long further notifications are collected: the system tells of one change several times. */
const GATHER: Duration.Duration = Duration.millis(5)

/**
 * Emits whenever something may have changed in a folder, which need not exist yet. Never fails and keeps no process alive.
 */
export const watch = (folder: string): Effect.Effect<Stream.Stream<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const nudges = yield* Queue.sliding<void>(1)
    const watcher = yield* Effect.acquireRelease(
      Effect.sync(() => makeWatcher(folder, () => nudges.unsafeOffer(undefined))),
      ({ close }) => Effect.sync(close)
    )
    const ensure = Effect.sync(watcher.ensure)
    yield* ensure
    const nudged = Effect.zipRight(Queue.take(nudges), unrefSleep(GATHER))
    return Stream.repeatEffect(Effect.zipRight(ensure, Effect.raceFirst(nudged, unrefSleep(POLL))))
  })

const makeWatcher = (folder: string, nudge: () => void) => {
  let watcher: FSWatcher | undefined
  const close = (): void => {
    watcher?.close()
    watcher = undefined
  }
  return {
    close,
    /**
     * Fails silently if the folder does not exist or too many are watched. A folder that is removed tells its own name, and
     * is watched again when it is back.
     */
    ensure: (): void => {
      if (watcher !== undefined) return
      try {
        watcher = watchFolder(folder, { persistent: false }, (_, name) => {
          if (name === basename(folder)) close()
          nudge()
        }).on("error", close)
      } catch {
        watcher = undefined
      }
    }
  }
}
