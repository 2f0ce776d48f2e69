/**
 * The folder that all keys' folders are in: where it is, whether only this user can open it, and what is removed from it.
 */
import { createHash } from "node:crypto"
import * as Path from "node:path"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { Unavailable } from "../../../schemas/AuthError.js"
import * as LeasedEntry from "../LeasedEntry.js"
import { RETENTION } from "../StoreDriver.js"
import * as envelope from "./envelope.js"
import { FileFailure, type Files } from "./Files.js"
import * as VersionedFile from "./VersionedFile.js"

/**
 * The folder `nomba-auth` in the user's state folder: `$XDG_STATE_HOME` or `~/.local/state`, on macOS
 * `~/Library/Application Support`, on Windows `%LOCALAPPDATA%` or `~\AppData\Local`. Fails with a `ConfigError` if no
 * variable names it and the system knows no home of the user, as in many containers.
 */
export const byConvention = (platform: string, home: () => string): Effect.Effect<string, ConfigError.ConfigError> => {
  const { isAbsolute, join } = platform === "win32" ? Path.win32 : Path.posix
  /** The XDG specification says to ignore relative paths. */
  const named = (variable: string): Config.Config<Option.Option<string>> =>
    Config.map(Config.option(Config.string(variable)), (value) => Option.filter(value, (path) => isAbsolute(path)))
  const inHome = (...names: ReadonlyArray<string>): Effect.Effect<string, ConfigError.ConfigError> =>
    Effect.try(home).pipe(
      Effect.filterOrFail((path) => isAbsolute(path)),
      Effect.mapBoth({ onFailure: () => homeless, onSuccess: (path) => join(path, ...names) })
    )
  const namedOr = (variable: string, ...names: ReadonlyArray<string>): Effect.Effect<string, ConfigError.ConfigError> =>
    Effect.flatMap(named(variable), Option.match({ onNone: () => inHome(...names), onSome: Effect.succeed }))
  const state =
    platform === "darwin"
      ? inHome("Library", "Application Support")
      : platform === "win32"
        ? namedOr("LOCALAPPDATA", "AppData", "Local")
        : namedOr("XDG_STATE_HOME", ".local", "state")
  return Effect.map(state, (path) => join(path, "nomba-auth"))
}

const homeless = ConfigError.MissingData(
  ["NOMBA_TOKEN_STORE"],
  "is not set, and the system knows no home of this user: name a folder, as file:PATH or in the code"
)

/** The folder of a key: its hash, because a key may be long and contains characters that a file name cannot. */
export const nameOf = (key: string): string => createHash("sha256").update(key).digest("hex")

/**
 * Fails if others could read or replace what is in the folder. A folder that does not exist yet passes.
 *
 * The permissions are not changed: others may use the folder, and what they could write until now cannot be trusted.
 */
export const check = (files: Files, path: string): Effect.Effect<void, FileFailure | Unavailable> =>
  files.stat(path).pipe(
    Effect.flatMap(({ isDirectory, mode, uid }): Effect.Effect<void, FileFailure | Unavailable> => {
      const self = process.getuid?.()
      if (!isDirectory) return new FileFailure({ code: "ENOTDIR" })
      if (self === undefined) return Effect.void
      if (uid !== self) return refused(`The folder ${path} belongs to another user: name one of your own.`)
      return (mode & 0o077) === 0
        ? Effect.void
        : refused(
            `The folder ${path} is open to others (${mode.toString(8)}): chmod 700 it, or name one in it that does not exist yet.`
          )
    }),
    Effect.catchIf(
      (failure) => failure._tag === "FileFailure" && failure.code === "ENOENT",
      () => Effect.void
    )
  )

const refused = (hint: string): Unavailable =>
  new Unavailable({ operation: "store", reason: "Store", detail: "EACCES", hint })

const remedies: Readonly<Record<string, (path: string) => string>> = {
  EACCES: (path) => `This user may not use the folder ${path}: give it access, or name one of its own.`,
  EDQUOT: (path) => `This user has no space left for ${path}.`,
  ENOENT: (path) => `The folder ${path} is missing and could not be made: name one on a disk that is there.`,
  ENOSPC: (path) => `The disk of ${path} is full.`,
  ENOTDIR: (path) => `There is a file where the folder ${path} or one above it should be: name another folder.`,
  EPERM: (path) => `The system does not permit a step in ${path}: the store needs a disk with hard links.`,
  EROFS: (path) => `The disk of ${path} is read-only: name a folder on another.`
}

/** For messages. */
export const targetOf = (path: string): string => `file store at ${path}`

/** The system refused a step in the folder; the hint says what to do. */
export const unavailable = (path: string, { code }: FileFailure): Unavailable =>
  new Unavailable({
    operation: "store",
    reason: "Store",
    detail: code,
    target: targetOf(path),
    hint: remedies[code]?.(path)
  })

/**
 * Removes from the folders of all keys what expired, or was set aside, longer ago than the retention. Leaves an entry whose
 * lease is held, and what cannot be removed, for the next time.
 *
 * A folder stays, with a file that says nothing: its number refuses the late write of a process that was stalled.
 */
export const sweep = (files: Files, root: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* check(files, root)
    const now = yield* Clock.currentTimeMillis
    const names = yield* files.list(root)
    const folders = names.filter((name) => /^[\da-f]{64}$/.test(name))
    yield* Effect.forEach(folders, (name) => Effect.ignore(sweepFolder(files, Path.join(root, name), now)), {
      discard: true
    })
  }).pipe(Effect.ignore)

const sweepFolder = (files: Files, folder: string, now: number): Effect.Effect<void, FileFailure> =>
  Effect.gen(function* () {
    const before = now - Duration.toMillis(RETENTION)
    const file = VersionedFile.make(files, folder)
    yield* file.clean(before)
    const { number, text } = yield* file.load
    const read = Option.flatMap(text, (_) => Either.getRight(envelope.readAny(_)))
    if (Option.isNone(read)) return
    const { entry, host, key } = read.value
    if (nameOf(key) !== Path.basename(folder) || LeasedEntry.isLeased(entry, now)) return
    if (entry.content === undefined) return yield* file.forget(number)
    if (entry.content.until > before) return
    if (yield* file.replace(number, envelope.write(key, host, LeasedEntry.empty))) yield* file.forget(number + 1)
  })
