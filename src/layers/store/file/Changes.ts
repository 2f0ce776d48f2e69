/**
 * The changes of a folder, as they come, told by the system where it can and found by looking where it cannot.
 *
 * @since 0.1.0
 */
import { type FSWatcher, watch } from "node:fs"
import { basename } from "node:path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { sleep } from "../../wait/quietly.js"

/** How often is looked beside what the system tells. */
const POLL: Duration.Duration = Duration.seconds(1)

/** So long after the first is waited for more: one change is told several times. */
const GATHER: Duration.Duration = Duration.millis(5)

/**
 * Watches from now on: emits whenever something may have changed in a folder, which need not exist yet. Keeps no process
 * alive, and ends with no failure: without the system's help it looks each second.
 *
 * @since 0.1.0
 */
export const signals = (folder: string): Effect.Effect<Stream.Stream<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const nudges = yield* Queue.sliding<void>(1)
    const watcher = yield* Effect.acquireRelease(
      Effect.sync(() => makeWatcher(folder, () => nudges.unsafeOffer(undefined))),
      ({ close }) => Effect.sync(close)
    )
    const ensure = Effect.sync(watcher.ensure)
    yield* ensure
    const nudged = Effect.zipRight(Queue.take(nudges), sleep(GATHER))
    return Stream.repeatEffect(Effect.zipRight(ensure, Effect.raceFirst(nudged, sleep(POLL))))
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
     * Watches from now on if it can: not where the folder does not exist, or too many are watched. A folder that is
     * removed tells its own name, and is to be watched anew when it is back.
     */
    ensure: (): void => {
      if (watcher !== undefined) return
      try {
        watcher = watch(folder, { persistent: false }, (_, name) => {
          if (name === basename(folder)) close()
          nudge()
        }).on("error", close)
      } catch {
        watcher = undefined
      }
    }
  }
}
