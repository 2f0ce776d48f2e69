/**
 * The steps of a token store on a Redis server.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Unavailable } from "../../../schemas/AuthError.js"
import type { StoreKey } from "../../../schemas/StoreKey.js"
import type { SessionCodec } from "../../SessionCodec.js"
import { damaged } from "../refusals.js"
import { type Connect, type Entry, KEEP, type StoreDriver } from "../StoreDriver.js"
import * as Announcements from "./Announcements.js"
import type { Link } from "./Link.js"
import * as Run from "./Run.js"
import * as Scripts from "./Scripts.js"
import * as ServerTime from "./ServerTime.js"

const flag = Schema.transformLiterals(["0", false], ["1", true])
const Held = Schema.Tuple(
  Schema.NumberFromString.pipe(Schema.int(), Schema.positive()),
  Schema.String,
  flag,
  flag,
  Schema.NumberFromString,
  Schema.NumberFromString,
  Schema.NumberFromString
)
const decodeHeld = Schema.decodeUnknownOption(Schema.NullOr(Held))
const decodeAcquired = Schema.decodeUnknownOption(Schema.Tuple(flag, Schema.NumberFromString, Schema.Unknown))

const whole = (millis: number): string => String(Math.floor(millis))

const millis = (duration: Duration.Duration): string => whole(Duration.toMillis(duration))

/** Both in one slot of a cluster, by what is between the braces; no store key has a brace in it. */
const keysOf = (key: StoreKey): readonly [entry: string, lease: string] => [
  `nomba-auth:{${key}}`,
  `nomba-auth:{${key}}:lease`
]

export interface Settings {
  readonly codec: SessionCodec
  readonly commandTimeout: Duration.Duration
}

/**
 * The steps of any key over one client, and a second connection that listens.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (link: Link, { codec, commandTimeout }: Settings): Effect.Effect<Connect, never, Scope.Scope> =>
  Effect.map(Announcements.make(link), (announcements) => connect(Run.make(link, commandTimeout), announcements, codec))

const connect =
  (run: Run.Run, { channelOf, listen }: Announcements.Announcements, codec: SessionCodec): Connect =>
  (key, leaseTime): Effect.Effect<StoreDriver> =>
    Effect.sync(() => {
      const keys = keysOf(key)
      const channel = channelOf(keys[0])
      const unheard = `${channel}:unheard`
      const time = ServerTime.make()

      const entryOf = (answer: unknown): Effect.Effect<Option.Option<Entry>, Unavailable> =>
        Effect.gen(function* () {
          const held = yield* Effect.mapError(decodeHeld(answer), () => damaged)
          if (held === null) return Option.none()
          const [version, text, tombstone, marked, since, until, now] = held
          const session = text === "" ? Option.none() : Option.some(yield* codec.decode(key, text))
          const remaining = Duration.millis(now < since ? 0 : Math.max(0, until - now))
          return Option.some({ version, session, tombstone, marked, remaining })
        })

      const extend = (owner: string, mark: "" | "0" | "1"): Effect.Effect<boolean, Unavailable> =>
        Effect.gen(function* () {
          const now = yield* run(Scripts.extend, keys, owner, millis(leaseTime), mark)
          if (now === null) return false
          yield* time.heard(Number(now))
          return true
        })

      return {
        leaseTime,
        changes: listen(channel, Effect.map(run(Scripts.version, keys), Number)),
        read: Effect.flatMap(run(Scripts.read, keys), entryOf),
        acquire: (owner) =>
          Effect.gen(function* () {
            const answer = yield* run(Scripts.acquire, keys, owner, millis(leaseTime), unheard)
            const [held, now, entry] = yield* Effect.mapError(decodeAcquired(answer), () => damaged)
            yield* time.heard(now)
            return { held, entry: yield* entryOf(entry) }
          }),
        extend: (owner) => extend(owner, ""),
        mark: (owner, marked) => extend(owner, marked ? "1" : "0"),
        commit: (owner, basis, { remaining, session, tombstone }) =>
          Effect.gen(function* () {
            const now = yield* time.now
            // Nobody has a lease that Redis never told of.
            if (Option.isNone(now)) return Option.none()
            const until = whole(now.value + Duration.toMillis(remaining))
            const text = yield* Option.match(session, {
              onNone: () => Effect.succeed(""),
              onSome: (_) => codec.encode(key, _)
            })
            const [left, kept] = [millis(remaining), millis(KEEP)]
            const args = [owner, String(basis), channel, left, until, kept, tombstone ? "1" : "0", text]
            // Whether it was written is not known when the answer is lost: asking again says so.
            const answer = yield* Effect.retry(run(Scripts.commit, keys, ...args), { times: 1 })
            return Option.map(Option.fromNullable(answer), Number)
          }),
        release: (owner) => Effect.ignore(run(Scripts.release, keys, owner, channel)),
        leave: Effect.succeed(false)
      }
    })
