/** The steps of a token store in files. Each replaces the one file of a key. */
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Unavailable } from "../../../schemas/AuthError.js"
import type { StoredContent } from "../../../schemas/Session.js"
import { oncePerText } from "../../processMemory.js"
import { hardTimeout, STORE_LIMIT } from "../../time.js"
import * as LeasedEntry from "../LeasedEntry.js"
import { anotherVersion, type Connect, type Reading, type SessionCodec, type StoreDriver } from "../StoreDriver.js"
import * as envelope from "./envelope.js"
import type { FileFailure, Files } from "./Files.js"
import * as StoreDirectory from "./StoreDirectory.js"
import * as VersionedFile from "./VersionedFile.js"

export interface Dependencies {
  readonly codec: SessionCodec
  readonly files: Files
  /** The folder that the keys' folders are in. */
  readonly root: string
  /** The name of this host, whose clock the store counts with. */
  readonly host: string
}

type Entry = LeasedEntry.LeasedEntry<string>

type StepError = FileFailure | Unavailable

/** What the file of the given number says, in this host's time. */
interface Seen {
  readonly number: number
  readonly entry: Entry
}

interface Decoded extends Seen {
  readonly content: Option.Option<StoredContent>
}

const readingOf = (entry: Entry, decoded: Option.Option<StoredContent>, now: number): Reading => ({
  now,
  isLeased: LeasedEntry.isLeased(entry, now),
  failure: LeasedEntry.failureAt(entry, now),
  entry: Option.zipWith(Option.fromNullable(entry.content), decoded, (stored, content) => ({
    ...content,
    version: stored.version,
    refreshInFlight: stored.refreshInFlight,
    remaining: LeasedEntry.left(stored, now)
  }))
})

/** Opens the steps of keys below one folder. */
export const connectWith = (dependencies: Dependencies): Connect => {
  const inLocalTime = makeInLocalTime(dependencies)
  return Effect.fnUntraced(function* (key, leaseTime) {
    const { codec, files, host, root } = dependencies
    const clock = yield* Effect.clock
    const now = Effect.sync(() => clock.unsafeCurrentTimeMillis())
    const folder = Path.join(root, StoreDirectory.nameOf(key))
    const file = VersionedFile.make(files, folder)
    /** One step after the other, each to its end: a release follows the acquire that timed out. */
    const turns = yield* Effect.makeSemaphore(1)

    const toUnavailable = (error: StepError): Unavailable =>
      error._tag === "FileFailure"
        ? StoreDirectory.unavailable(root, error)
        : new Unavailable({ ...error, target: StoreDirectory.targetOf(root) })

    const bounded = <A>(step: Effect.Effect<A, StepError>): Effect.Effect<A, Unavailable> =>
      Effect.uninterruptible(turns.withPermits(1)(step)).pipe(
        hardTimeout(STORE_LIMIT),
        Effect.mapError(toUnavailable),
        Effect.interruptible,
        Effect.forkDaemon,
        Effect.flatMap(Fiber.join)
      )

    const replace = Effect.fnUntraced(function* (number: number, entry: Entry) {
      yield* files.makeDirectory(root)
      yield* StoreDirectory.check(files, root)
      return yield* file.replace(number, envelope.write(key, host, entry))
    })

    /** Keeps an unreadable entry beside the others; every process goes on without it. */
    const setAside = Effect.fnUntraced(function* (number: number, entry: Entry) {
      if (!(yield* replace(number, entry))) return
      const kept = Option.match(yield* file.setAside(number), {
        onNone: () => "",
        onSome: (path) => ` The old one is kept as ${path}.`
      })
      yield* Effect.logWarning(`A session in the token store cannot be read and is replaced.${kept}`)
    })

    const current: Effect.Effect<Seen, StepError> = Effect.gen(function* () {
      for (let tries = 0; tries < VersionedFile.TRIES; tries++) {
        yield* StoreDirectory.check(files, root)
        const { number, text } = yield* file.load
        if (Option.isNone(text)) return { number, entry: LeasedEntry.empty }
        const read = envelope.read(key, text.value)
        if (Either.isRight(read)) return { number, entry: yield* inLocalTime(read.right, yield* now) }
        if (read.left === "LaterFormat") return yield* anotherVersion
        yield* setAside(number, LeasedEntry.empty)
      }
      return yield* VersionedFile.busy
    })

    const lookDecoded: Effect.Effect<Decoded, StepError> = Effect.gen(function* () {
      for (let tries = 0; tries < VersionedFile.TRIES; tries++) {
        const seen = yield* current
        const stored = seen.entry.content
        if (stored === undefined) return { ...seen, content: Option.none() }
        const content = yield* codec.decode({ key, version: stored.version }, stored.value).pipe(
          Effect.asSome,
          Effect.catchIf(
            ({ reason }) => reason === "StoreUnreadable",
            () => Effect.succeedNone
          )
        )
        if (Option.isSome(content)) return { ...seen, content }
        yield* setAside(seen.number, { ...seen.entry, content: undefined })
      }
      return yield* VersionedFile.busy
    })

    /** Tries until no other process came in between. */
    const change = Effect.fnUntraced(function* <From extends Seen, A>(
      from: Effect.Effect<From, StepError>,
      step: (entry: Entry, now: number) => LeasedEntry.Outcome<string, A>
    ): Effect.fn.Return<{ readonly answer: A; readonly after: From; readonly at: number }, StepError> {
      for (let tries = 0; tries < VersionedFile.TRIES; tries++) {
        const seen = yield* from
        const at = yield* now
        const [answer, entry] = step(seen.entry, at)
        if (entry === seen.entry) return { answer, after: seen, at }
        if (yield* replace(seen.number, entry)) return { answer, after: { ...seen, entry }, at }
      }
      return yield* VersionedFile.busy
    })

    const run = <A>(
      step: (entry: Entry, now: number) => LeasedEntry.Outcome<string, A>
    ): Effect.Effect<A, Unavailable> => Effect.map(bounded(change(current, step)), ({ answer }) => answer)

    const driver: StoreDriver = {
      leaseTime,
      acquireTimeout: STORE_LIMIT,
      read: bounded(
        Effect.gen(function* () {
          const { content, entry } = yield* lookDecoded
          return readingOf(entry, content, yield* now)
        })
      ),
      acquire: (owner, options) =>
        Effect.map(
          bounded(change(lookDecoded, (entry, at) => LeasedEntry.acquire(entry, owner, options, at, leaseTime))),
          ({ after, answer, at }) => ({ held: answer, ...readingOf(after.entry, after.content, at) })
        ),
      extend: (owner) => run((entry, at) => LeasedEntry.extend(entry, owner, at, leaseTime)),
      setRefreshInFlight: (owner, inFlight) =>
        run((entry, at) => LeasedEntry.setRefreshInFlight(entry, owner, inFlight, at, leaseTime)),
      commit: Effect.fnUntraced(function* (owner, expectedVersion, { session, tombstone, ...write }) {
        const place = { key, version: write.version }
        const value = yield* Effect.mapError(codec.encode(place, { session, tombstone }), toUnavailable)
        return yield* run((entry, at) => LeasedEntry.commit(entry, owner, expectedVersion, { ...write, value }, at))
      }),
      release: (owner, outcome) => Effect.ignore(run((entry, at) => LeasedEntry.release(entry, owner, outcome, at))),
      changes: Effect.map(VersionedFile.watch(folder), (signals) => announcements(file, current, now, signals)),
      close: Effect.succeed(false)
    }
    return driver
  })
}

/**
 * On a volume that several hosts share, a file may come from a host whose clock is ahead. Its times are moved by what it is
 * ahead at least; without that, its session and its lease would count as over, and every write would cost a token request.
 */
const makeInLocalTime = ({ host, root }: Dependencies) => {
  /** By host, and by the time that it wrote: a clock that was corrected must not make a lease that is held look free. */
  const ahead = new Map<string, Map<number, number>>()
  const KEPT = 16
  return Effect.fnUntraced(function* ({ entry, host: writer }: envelope.Read, now: number) {
    if (writer === host) return entry
    const { content, failure, lease } = entry
    const offsets = ahead.get(writer) ?? new Map<number, number>()
    const isFirst = offsets.size === 0
    const move = <S extends LeasedEntry.Span>(span: S | undefined): S | undefined => {
      if (span === undefined) return undefined
      const offset = offsets.get(span.since) ?? Math.max(0, span.since - now)
      if (offset === 0) return span
      offsets.set(span.since, offset)
      for (const oldest of offsets.keys()) {
        if (offsets.size <= KEPT) break
        offsets.delete(oldest)
      }
      return { ...span, since: span.since - offset, until: span.until - offset }
    }
    const moved = { content: move(content), failure: move(failure), lease: move(lease) }
    if (isFirst && offsets.size > 0) {
      ahead.set(writer, offsets)
      yield* oncePerHost(
        `${writer} ${host} ${root}`,
        Effect.logWarning(
          `The clock of host ${writer} is ahead of this host's (${host}). They share the token store in ${root}, which counts with the clocks of its hosts: use Redis for several hosts.`
        )
      )
    }
    return moved
  })
}

const oncePerHost = oncePerText("clock ahead")

/** Emits the version when it has changed and when the lease was freed. */
const announcements = (
  file: VersionedFile.VersionedFile,
  current: Effect.Effect<Seen, StepError>,
  now: Effect.Effect<number>,
  signals: Stream.Stream<void>
): Stream.Stream<number> => {
  let number = 0
  let version = 0
  const news = Effect.gen(function* () {
    if ((yield* file.newest) === number) return Option.none<number>()
    const seen = yield* current
    number = seen.number
    const found = seen.entry.content?.version ?? 0
    if (found === version && LeasedEntry.isLeased(seen.entry, yield* now)) return Option.none<number>()
    version = found
    return Option.some(found)
  })
  return Stream.mapEffect(signals, () => Effect.orElseSucceed(news, () => Option.none<number>())).pipe(
    Stream.filterMap(identity)
  )
}
