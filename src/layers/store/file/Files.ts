/**
 * The few things that are done with files, over `node:fs`.
 *
 * Not over the platform's `FileSystem`: its `watch` keeps the process alive and looks names up in the wrong folder, a
 * failed close is a defect, and the code of a failure is in its `cause` alone.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** What the system said, such as `ENOSPC`. */
export class FileFailure extends Data.TaggedError("FileFailure")<{ readonly code: string }> {}

export interface Info {
  readonly isDirectory: boolean
  readonly mode: number
  readonly uid: number
  /** When it was last written, in milliseconds. */
  readonly modified: number
  /** When it was last written or got another name, in milliseconds. */
  readonly changed: number
}

export interface Files {
  readonly list: (directory: string) => Effect.Effect<ReadonlyArray<string>, FileFailure>
  readonly stat: (path: string) => Effect.Effect<Info, FileFailure>
  readonly read: (path: string) => Effect.Effect<string, FileFailure>
  /** Writes a new file that only its owner may read, and flushes it to the disk. */
  readonly write: (path: string, text: string) => Effect.Effect<void, FileFailure>
  /** A second name for a file; `EEXIST` if the name is taken: if many processes try, one succeeds. */
  readonly link: (path: string, name: string) => Effect.Effect<void, FileFailure>
  readonly rename: (path: string, name: string) => Effect.Effect<void, FileFailure>
  readonly remove: (path: string) => Effect.Effect<void, FileFailure>
  /** Makes the folder and those above it; only the owner may enter it. */
  readonly makeDirectory: (path: string) => Effect.Effect<void, FileFailure>
  /** Flushes the names in a folder to the disk, if the system can. */
  readonly syncDirectory: (path: string) => Effect.Effect<void, FileFailure>
}

const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, FileFailure> =>
  Effect.tryPromise({ try: run, catch: (error) => new FileFailure({ code: codeOf(error) }) })

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" && /^E[A-Z\d]+$/.test(error.code)
    ? error.code
    : "EUNKNOWN"

/** Opens, uses and closes, whatever happens in between. */
const withFile = async <A>(path: string, flags: string, use: (file: Fs.FileHandle) => Promise<A>): Promise<A> => {
  const file = await Fs.open(path, flags, 0o600)
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

const stat = (path: string): Effect.Effect<Info, FileFailure> =>
  Effect.map(
    attempt(() => Fs.stat(path)),
    (info) => ({
      isDirectory: info.isDirectory(),
      mode: info.mode & 0o777,
      uid: info.uid,
      modified: info.mtimeMs,
      changed: Math.max(info.mtimeMs, info.ctimeMs)
    })
  )

const makeOne = (path: string): Effect.Effect<void, FileFailure> =>
  Effect.catchIf(
    attempt(() => Fs.mkdir(path, 0o700)),
    ({ code }) => code === "EEXIST",
    (failure) =>
      Effect.asVoid(
        Effect.filterOrFail(
          stat(path),
          ({ isDirectory }) => isDirectory,
          () => failure
        )
      )
  )

/**
 * One by one: Node's own way to make those above never ends on a file system that takes no folder and calls it missing,
 * as that of the processes does.
 */
const makeDirectory = (path: string): Effect.Effect<void, FileFailure> =>
  Effect.catchIf(
    makeOne(path),
    ({ code }) => code === "ENOENT" && Path.dirname(path) !== path,
    () => Effect.zipRight(makeDirectory(Path.dirname(path)), makeOne(path))
  )

/** Folders cannot be synced everywhere: not on Windows, nor on some network file systems. */
const cannotSync = new Set(["EISDIR", "EPERM", "EACCES", "EINVAL", "ENOTSUP", "EBADF"])

/** The system's files. */
export const system: Files = {
  list: (directory) => attempt(() => Fs.readdir(directory)),
  stat,
  read: (path) => attempt(() => Fs.readFile(path, "utf8")),
  write: (path, text) =>
    attempt(() =>
      withFile(path, "wx", async (file) => {
        await file.writeFile(text, "utf8")
        await file.sync()
      })
    ),
  link: (path, name) => attempt(() => Fs.link(path, name)),
  rename: (path, name) => attempt(() => Fs.rename(path, name)),
  remove: (path) => attempt(() => Fs.rm(path)),
  makeDirectory: (path) => makeDirectory(Path.resolve(path)),
  syncDirectory: (path) =>
    attempt(() => withFile(path, "r", (file) => file.sync())).pipe(
      Effect.catchIf(
        ({ code }) => cannotSync.has(code),
        () => Effect.void
      )
    )
}
