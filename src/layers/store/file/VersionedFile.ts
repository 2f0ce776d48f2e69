/**
 * One text in a folder of its own, replaced only by who has seen what it replaces.
 *
 * Each text is a file of its own, named by its number, and never changed. Who has read number 7 writes a temporary file
 * and links it to the name of number 8: of all who have read 7, one succeeds, and the others read again. No lock is held
 * meanwhile, so that nobody waits for a process that was stopped or killed; and a process that goes on after an hour
 * finds that number 8 was taken, or, where that was cleaned away since, that there are higher ones.
 *
 * @since 0.1.0
 */
import * as Path from "node:path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Option from "effect/Option"
import { FileFailure, type Files } from "./Files.js"

/**
 * The newest text; number 0 stands for nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Found {
  readonly number: number
  readonly text: Option.Option<string>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface VersionedFile {
  /** The number of the newest text. */
  readonly newest: Effect.Effect<number, FileFailure>
  readonly load: Effect.Effect<Found, FileFailure>
  /**
   * Writes the text that follows the given number, and answers whether that is the newest now. If not, read again: another
   * came first, or so soon after it that nobody can tell. Fails with `ENOENT` where the folder was removed meanwhile, or
   * this took so long that what it wrote was taken for abandoned.
   */
  readonly replace: (number: number, text: string) => Effect.Effect<boolean, FileFailure>
  /** Gives a text that was replaced a name under which it is left alone; none where another did so first. */
  readonly setAside: (number: number) => Effect.Effect<Option.Option<string>>
  /** Removes what came before the newest, which is the given one. Who was about to read that reads again. */
  readonly forget: (number: number) => Effect.Effect<void, FileFailure>
  /** Removes what was set aside, or left behind by a process that died, before a time of the file system's. */
  readonly clean: (before: number) => Effect.Effect<void, FileFailure>
}

/** A temporary file that is older than this, by the file system's own time, was left behind by a process that died. */
const ABANDONED = Duration.toMillis("1 minute")

/**
 * So often in a row another may come first. Whoever does has got further, so that more of it is a file system that shows
 * one thing and does another.
 */
export const TRIES = 100

/**
 * What is said after so many tries.
 *
 * @since 0.1.0
 */
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

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (files: Files, folder: string): VersionedFile => {
  const pathOf = (name: string): string => Path.join(folder, name)

  const names = Effect.catchIf(files.list(folder), on("ENOENT"), () => Effect.succeed([]))

  /** Twice where there is nothing: what is created and removed while a folder is read may both be missing. */
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

  /** Leaves the newest and the one before it, which somebody may be about to read. */
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
