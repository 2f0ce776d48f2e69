/**
 * The steps of the store, each a replacement of one key's text.
 *
 * @since 0.1.0
 */
import * as Path from "node:path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Unavailable } from "../../../schemas/AuthError.js"
import type { Session } from "../../../schemas/Session.js"
import type { SessionCodec } from "../../SessionCodec.js"
import { atMost, STORE_LIMIT } from "../../wait/atMost.js"
import * as Place from "../Place.js"
import { anotherVersion } from "../refusals.js"
import type { Connect, Entry, StoreDriver } from "../StoreDriver.js"
import * as Changes from "./Changes.js"
import type { FileFailure, Files } from "./Files.js"
import * as Record from "./Record.js"
import * as Register from "./Register.js"
import * as Root from "./Root.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Dependencies {
  readonly codec: SessionCodec
  readonly files: Files
  /** The folder that the keys' folders are in. */
  readonly root: string
}

/** What is there: the text of the given number says it. */
interface Seen {
  readonly number: number
  readonly place: Place.Place<string>
}

/** The same, its session made of the text. */
interface Readable extends Seen {
  readonly session: Option.Option<Session>
}

const entryOf = ({ content }: Place.Place<string>, session: Option.Option<Session>, now: number) =>
  Option.map(
    Option.fromNullable(content),
    ({ marked, since, tombstone, until, version }): Entry => ({
      version,
      session,
      tombstone,
      marked,
      remaining: Place.left({ since, until }, now)
    })
  )

/**
 * Opens the steps of a key.
 *
 * @since 0.1.0
 * @category constructors
 */
export const connectWith =
  ({ codec, files, root }: Dependencies): Connect =>
  (key, leaseTime) =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const now = Effect.sync(() => clock.unsafeCurrentTimeMillis())
      const folder = Path.join(root, Root.nameOf(key))
      const register = Register.make(files, folder)
      /** One after the other, and each to its end, so that a release comes after the acquisition that timed out. */
      const turns = yield* Effect.makeSemaphore(1)

      const whole = <A>(step: Effect.Effect<A, FileFailure | Unavailable>): Effect.Effect<A, Unavailable> =>
        Effect.uninterruptible(turns.withPermits(1)(step)).pipe(
          Effect.mapError((failure) => (failure._tag === "FileFailure" ? Root.outOfReach(root, failure) : failure)),
          atMost(STORE_LIMIT),
          Effect.interruptible,
          Effect.forkDaemon,
          Effect.flatMap(Fiber.join)
        )

      const replace = (number: number, place: Place.Place<string>): Effect.Effect<boolean, FileFailure | Unavailable> =>
        files
          .makeDirectory(root)
          .pipe(
            Effect.zipRight(Root.check(files, root)),
            Effect.zipRight(register.replace(number, Record.write(key, place)))
          )

      /** Nobody can read it, so life goes on without it; it is kept for whoever wants to know what happened. */
      const setAside = (number: number, place: Place.Place<string>): Effect.Effect<void, FileFailure | Unavailable> =>
        Effect.gen(function* () {
          if (!(yield* replace(number, place))) return
          const kept = Option.match(yield* register.setAside(number), {
            onNone: () => "",
            onSome: (path) => ` The old one is kept as ${path}.`
          })
          yield* Effect.logWarning(`A session in the token store cannot be read, and a new one takes its place.${kept}`)
        })

      const look = (tries: number = Register.TRIES): Effect.Effect<Seen, FileFailure | Unavailable> =>
        Effect.zipRight(Root.check(files, root), register.load).pipe(
          Effect.flatMap(({ number, text }): Effect.Effect<Seen, FileFailure | Unavailable> => {
            if (Option.isNone(text)) return Effect.succeed({ number, place: Place.empty })
            const place = Record.read(key, text.value)
            if (Either.isRight(place)) return Effect.succeed({ number, place: place.right })
            if (place.left === "another version") return anotherVersion
            return tries > 0 ? Effect.zipRight(setAside(number, Place.empty), look(tries - 1)) : Register.busy
          })
        )

      const readable = (tries: number = Register.TRIES): Effect.Effect<Readable, FileFailure | Unavailable> =>
        Effect.flatMap(look(), (seen) => {
          const { number, place } = seen
          return Option.match(
            Option.flatMap(Option.fromNullable(place.content), (_) => _.session),
            {
              onNone: () => Effect.succeed({ ...seen, session: Option.none() }),
              onSome: (text): Effect.Effect<Readable, FileFailure | Unavailable> =>
                codec.decode(key, text).pipe(
                  Effect.map((session) => ({ ...seen, session: Option.some(session) })),
                  Effect.catchIf(
                    ({ reason }) => reason === "StoreUnreadable" && tries > 0,
                    () => Effect.zipRight(setAside(number, { ...place, content: undefined }), readable(tries - 1))
                  )
                )
            }
          )
        })

      /** Tries until nobody came in between. */
      const change = <From extends Seen, A>(
        from: () => Effect.Effect<From, FileFailure | Unavailable>,
        step: (place: Place.Place<string>, now: number) => Place.Outcome<string, A>
      ): Effect.Effect<readonly [answer: A, after: From, now: number], FileFailure | Unavailable> =>
        Effect.gen(function* () {
          for (let tries = 0; tries < Register.TRIES; tries++) {
            const seen = yield* from()
            const at = yield* now
            const [answer, place] = step(seen.place, at)
            if (place === seen.place) return [answer, seen, at] as const
            if (yield* replace(seen.number, place)) return [answer, { ...seen, place }, at] as const
          }
          return yield* Register.busy
        })

      const run = <A>(
        step: (place: Place.Place<string>, now: number) => Place.Outcome<string, A>
      ): Effect.Effect<A, Unavailable> => Effect.map(whole(change(look, step)), ([answer]) => answer)

      const driver: StoreDriver = {
        leaseTime,
        read: whole(
          Effect.flatMap(readable(), ({ place, session }) => Effect.map(now, (at) => entryOf(place, session, at)))
        ),
        acquire: (owner) =>
          Effect.map(
            whole(change(readable, (place, at) => Place.acquire(place, owner, at, leaseTime))),
            ([held, { place, session }, at]) => ({ held, entry: entryOf(place, session, at) })
          ),
        extend: (owner) => run((place, at) => Place.extend(place, owner, at, leaseTime)),
        mark: (owner, marked) => run((place, at) => Place.mark(place, owner, marked, at, leaseTime)),
        commit: (owner, basis, { remaining, session, tombstone }) =>
          Effect.gen(function* () {
            const since = yield* now
            const text = yield* Effect.transposeMapOption(session, (_) => codec.encode(key, _))
            return yield* run((place, at) => {
              const left = Duration.subtract(remaining, Math.max(0, at - since))
              return Place.commit(place, owner, basis, { session: text, tombstone, remaining: left }, at)
            })
          }),
        release: (owner) => Effect.ignore(run((place) => Place.release(place, owner))),
        changes: Effect.map(Changes.signals(folder), (signals) => announcements(register, look(), now, signals)),
        leave: Effect.succeed(false)
      }
      return driver
    })

/** The version, whenever it is another or the lease was freed. */
const announcements = (
  register: Register.Register,
  look: Effect.Effect<Seen, FileFailure | Unavailable>,
  now: Effect.Effect<number>,
  signals: Stream.Stream<void>
): Stream.Stream<number> => {
  let number = 0
  let version = 0
  const news = Effect.gen(function* () {
    if ((yield* register.newest) === number) return Option.none<number>()
    const seen = yield* look
    number = seen.number
    const found = seen.place.content?.version ?? 0
    if (found === version && !Place.isFree(seen.place, yield* now)) return Option.none<number>()
    version = found
    return Option.some(found)
  })
  return Stream.mapEffect(signals, () => Effect.orElseSucceed(news, () => Option.none<number>())).pipe(
    Stream.filterMap(identity)
  )
}
