/**
 * One text in a folder of its own. Only a process that has read the current text can replace it.
 *
 * Each text is a file, named by its number, and never changed. A process that has read number 7 writes a temporary file and
 * links it to the name of number 8: of all processes that have read 7 one succeeds, and the others read again. No lock is
 * held, so no process waits for one that was stalled or killed. A process that continues after an hour finds that number 8
 * was taken or, if that was cleaned away since, that there are higher numbers.
 */
import { type FSWatcher, watch as watchFolder } from "node:fs"
import * as Path from "node:path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { unrefSleep } from "../../time.js"
import { FileFailure, type Files } from "./Files.js"

/** The newest text; number 0 means that there is none. */
export interface Found {
  readonly number: number
  readonly text: Option.Option<string>
}

export interface VersionedFile {
  readonly newest: Effect.Effect<number, FileFailure>
  readonly load: Effect.Effect<Found, FileFailure>
  /**
   * Writes the text that follows the given number, and answers whether it is the newest now. If not, read again: another
   * process came first, or too soon after it to tell. Fails with `ENOENT` if the folder was removed meanwhile, or this took so
   * long that its temporary file was removed as abandoned.
   */
  readonly replace: (number: number, text: string) => Effect.Effect<boolean, FileFailure>
  /** Renames a text that was replaced, so that it is kept; none if another process did so first. */
  readonly setAside: (number: number) => Effect.Effect<Option.Option<string>>
  /** Removes all texts before the given one, which is the newest. */
  readonly forget: (number: number) => Effect.Effect<void, FileFailure>
  /** Removes what was set aside, or left behind by a crashed process, before a time of the file system. */
  readonly clean: (before: number) => Effect.Effect<void, FileFailure>
}

/** An older temporary file, by the file system's own time, was left behind by a process that crashed. */
const ABANDONED = Duration.toMillis("1 minute")

/**
 * How often in a row another process may come first. Each time that process made progress, so more often than this is a file
 * system that contradicts itself.
 */
export const TRIES = 100

export const busy: FileFailure = new FileFailure({ code: "EBUSY" })

const nameOf = (number: number): string => `${String(number).padStart(10, "0")}.json`

const numberOf = (name: string): number => Number(/^(\d{10,15})\.json$/.exec(name)?.[1] ?? 0)

const temporaryName: Effect.Effect<string> = Effect.sync(
  () => `${Encoding.encodeHex(globalThis.crypto.getRandomValues(new Uint8Array(12)))}.tmp`
)

const newestOf = (names: ReadonlyArray<string>): number =>
  names.reduce((most, name) => Math.max(most, numberOf(name)), 0)

const on =
  (code: string) =>
  (failure: FileFailure): boolean =>
    failure.code === code

export const make = (files: Files, folder: string): VersionedFile => {
  const pathOf = (name: string): string => Path.join(folder, name)

  const names = Effect.catchIf(files.list(folder), on("ENOENT"), () => Effect.succeed([]))

  /** Lists twice if nothing is found: a file that is created or removed during a listing may be missing in it. */
  const newest = Effect.filterOrElse(
    Effect.map(names, newestOf),
    (number) => number > 0,
    () => Effect.map(names, newestOf)
  )

  const load = (tries: number): Effect.Effect<Found, FileFailure> =>
    Effect.flatMap(newest, (number) => {
      if (number === 0) return Effect.succeed({ number, text: Option.none() })
      return files.read(pathOf(nameOf(number))).pipe(
        Effect.map((text) => ({ number, text: Option.some(text) })),
        Effect.catchIf(on("ENOENT"), () => (tries > 0 ? load(tries - 1) : busy))
      )
    })

  const remove = (name: string): Effect.Effect<void> => Effect.ignore(files.remove(pathOf(name)))

  const isAbandoned = (name: string, now: number): Effect.Effect<boolean, FileFailure> =>
    name.endsWith(".tmp")
      ? Effect.map(files.stat(pathOf(name)), ({ modified }) => now - modified > ABANDONED)
      : Effect.succeed(false)

  /** Leaves the newest and the one before it, which another process may be about to read. */
  const sweep = (number: number, all: ReadonlyArray<string>): Effect.Effect<void> =>
    Effect.flatMap(files.stat(pathOf(nameOf(number))), ({ modified }) =>
      Effect.forEach(
        all,
        (name) =>
          Effect.ignore(
            Effect.if(numberOf(name) > 0 ? Effect.succeed(numberOf(name) < number - 1) : isAbandoned(name, modified), {
              onTrue: () => remove(name),
              onFalse: () => Effect.void
            })
          ),
        { discard: true }
      )
    ).pipe(Effect.ignore)

  return {
    newest,
    load: load(TRIES),
    replace: (number, text) =>
      Effect.gen(function* () {
        const next = number + 1
        const temporary = pathOf(yield* temporaryName)
        yield* files.makeDirectory(folder)
        const isLinked = yield* files.write(temporary, text).pipe(
          Effect.zipRight(files.link(temporary, pathOf(nameOf(next)))),
          Effect.as(true),
          Effect.catchIf(on("EEXIST"), () => Effect.succeed(false)),
          Effect.ensuring(Effect.ignore(files.remove(temporary)))
        )
        if (!isLinked) return false
        yield* files.syncDirectory(folder)
        const all = yield* files.list(folder)
        if (newestOf(all) !== next) return false
        yield* sweep(next, all)
        return true
      }),
    setAside: (number) => {
      const name = pathOf(`${nameOf(number)}.unreadable`)
      return Effect.option(Effect.as(files.rename(pathOf(nameOf(number)), name), name))
    },
    forget: (number) =>
      Effect.flatMap(names, (all) =>
        Effect.forEach(
          all.filter((name) => numberOf(name) > 0 && numberOf(name) < number),
          remove,
          { discard: true }
        )
      ),
    clean: (before) =>
      Effect.flatMap(names, (all) =>
        Effect.forEach(
          all.filter((name) => /\.(?:tmp|unreadable)$/.test(name)),
          (name) =>
            Effect.ignore(
              Effect.flatMap(files.stat(pathOf(name)), ({ changed }) => (changed < before ? remove(name) : Effect.void))
            ),
          { discard: true }
        )
      )
  }
}

/** Poll interval beside the system's notifications. */
const POLL: Duration.Duration = Duration.seconds(1)

/** How long further notifications are collected: the system tells of one change several times. */
const GATHER: Duration.Duration = Duration.millis(5)

/**
 * The changes of a folder: the system tells of them if it can, and polling finds the others.
 *
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
          if (name === Path.basename(folder)) close()
          nudge()
        }).on("error", close)
      } catch {
        watcher = undefined
      }
    }
  }
}
