/** The steps of a token store on a Redis server. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Unavailable } from "../../../schemas/AuthError.js"
import type { StoreKey } from "../../../schemas/StoreKey.js"
import type { SharedFailure } from "../../../services/TokenStore.js"
import {
  type Acquired,
  type Connect,
  damaged,
  type Entry,
  FAILURE_RETENTION,
  MAX_FAILURE_WAIT,
  MAX_VERSION,
  ownerFromText,
  ownerText,
  RETENTION,
  type SessionCodec,
  type StoreDriver
} from "../StoreDriver.js"
import { type RedisConnection, type RunScript, runScript } from "./RedisConnection.js"
import * as Subscriptions from "./Subscriptions.js"
import * as scripts from "./scripts.js"

export interface Settings {
  readonly codec: SessionCodec
  readonly commandTimeout: Duration.Duration
}

const Flag = Schema.transformLiterals(["0", false], ["1", true])
const Time = Schema.NumberFromString.pipe(Schema.finite())
const Text = Schema.NullOr(Schema.String)

/** What `read` and `acquire` answer: the entry's fields are null if there is none. */
const Answer = Schema.Tuple(Flag, Time, Flag, Text, Schema.Tuple(Text, Text, Text, Text, Text))

/** The fields of an entry: version, text, owner of the refresh-in-flight flag, and the session's span of time. */
const Fields = Schema.Tuple(
  Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, MAX_VERSION - 1)),
  Schema.String,
  Schema.String,
  Time,
  Time
)

const decodeAnswer = Schema.decodeUnknownOption(Answer)
const decodeFields = Schema.decodeUnknownOption(Fields)

const whole = (millis: number): string => String(Math.floor(millis))
const millis = (duration: Duration.Duration): string => whole(Duration.toMillis(duration))

const remainingOf = (since: number, until: number, now: number): Duration.Duration =>
  Duration.millis(now < since ? 0 : Math.max(0, until - now))

const failureText = ({ count, reason, status }: SharedFailure): string =>
  [reason, Option.getOrElse(status, () => "-"), count].join(" ")

/** None if it is something else: an unreadable failure delays no request. */
const parseFailure = (text: string | null, now: number): Option.Option<SharedFailure> => {
  const [, reason, status, count, since, until] =
    /^(RateLimited|ServerError) (\d{3}|-) (\d{1,9}) (\d{1,16}) (\d{1,16})$/.exec(text ?? "") ?? []
  if (reason !== "RateLimited" && reason !== "ServerError") return Option.none()
  return Option.some({
    reason,
    status: status === "-" ? Option.none() : Option.some(Number(status)),
    count: Number(count),
    wait: remainingOf(Number(since), Math.min(Number(until), Number(since) + Duration.toMillis(MAX_FAILURE_WAIT)), now)
  })
}

/** All in one slot of a cluster, by what is between the braces; no store key has a brace in it. */
const keysOf = (key: StoreKey): readonly [entry: string, lease: string, failure: string, unreadable: string] => {
  const entry = `nomba-auth:{${key}}`
  return [entry, `${entry}:lease`, `${entry}:failure`, `${entry}:unreadable`]
}

/**
 * The steps of any key over one client, and a second connection that listens.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  connection: RedisConnection,
  { codec, commandTimeout }: Settings
): Effect.Effect<Connect, never, Scope.Scope> =>
  Effect.map(Subscriptions.make(connection, commandTimeout), (subscriptions): Connect => {
    const run = runScript(connection, commandTimeout)
    return (key, leaseTime) =>
      Effect.sync(() => driverOf({ codec, commandTimeout, connection, key, leaseTime, run, subscriptions }))
  })

interface Context extends Settings {
  readonly connection: RedisConnection
  readonly key: StoreKey
  readonly leaseTime: Duration.Duration
  readonly run: RunScript
  readonly subscriptions: Subscriptions.Subscriptions
}

const driverOf = ({ codec, commandTimeout, connection, key, leaseTime, run, subscriptions }: Context): StoreDriver => {
  const keys = keysOf(key)
  const [entryKey, , , unreadableKey] = keys
  const channel = subscriptions.channelOf(entryKey)
  const withTarget = (error: Unavailable) => new Unavailable({ ...error, target: connection.target })

  const decodeEntry = Effect.fnUntraced(function* (fields: ReadonlyArray<string | null>, now: number) {
    const [version, text, flag, since, until] = yield* Effect.mapError(decodeFields(fields), () => damaged)
    const content = yield* codec.decode({ key, version }, text)
    return Option.some<Entry>({
      ...content,
      version,
      refreshInFlight: flag === "" ? Option.none() : Option.some(ownerFromText(flag) ?? { store: flag, attempt: 0 }),
      remaining: remainingOf(since, until, now)
    })
  })

  /** Keeps an unreadable entry for 30 days under another key; every process goes on without it. */
  const setAside = Effect.fnUntraced(function* ([version, text]: ReadonlyArray<string | null>) {
    const answer = yield* run(scripts.setAside, keys, version ?? "", text ?? "", millis(RETENTION), channel)
    if (Number(answer) === 0) return
    yield* Effect.logWarning(
      `A session in the token store (${connection.target}) cannot be read and is replaced. The old one is kept as ${unreadableKey}.`
    )
  })

  const readingOf = Effect.fnUntraced(function* (answer: unknown) {
    const [held, now, isLeased, failure, fields] = yield* Effect.mapError(decodeAnswer(answer), () => damaged)
    const entry: Option.Option<Entry> = fields.every((_) => _ === null)
      ? Option.none()
      : yield* decodeEntry(fields, now).pipe(
          Effect.catchIf(
            ({ reason }) => reason === "StoreUnreadable",
            () => Effect.as(setAside(fields), Option.none())
          )
        )
    const acquired: Acquired = { held, now, isLeased, failure: parseFailure(failure, now), entry }
    return acquired
  })

  const extend = (owner: string, flag: "" | "set" | "clear"): Effect.Effect<boolean, Unavailable> =>
    Effect.map(run(scripts.extend, keys, owner, millis(leaseTime), flag), (answer) => Number(answer) === 1)

  return {
    leaseTime,
    acquireTimeout: commandTimeout,
    changes: subscriptions.listen(channel, Effect.map(run(scripts.version, keys), Number)),
    read: Effect.mapError(Effect.flatMap(run(scripts.read, keys), readingOf), withTarget),
    acquire: (owner, { notAfter, takeOverBelow }) =>
      run(
        scripts.acquire,
        keys,
        ownerText(owner),
        millis(leaseTime),
        owner.store,
        String(takeOverBelow),
        notAfter === undefined ? "" : whole(notAfter),
        `${channel}:unheard`
      ).pipe(Effect.flatMap(readingOf), Effect.mapError(withTarget)),
    extend: (owner) => extend(ownerText(owner), ""),
    setRefreshInFlight: (owner, inFlight) => extend(ownerText(owner), inFlight ? "set" : "clear"),
    commit: Effect.fnUntraced(function* (owner, expectedVersion, { expiresAt, remaining, version, ...content }) {
      const text = yield* Effect.mapError(codec.encode({ key, version }, content), withTarget)
      const step = run(
        scripts.commit,
        keys,
        ownerText(owner),
        String(expectedVersion),
        String(version),
        text,
        millis(remaining),
        whole(expiresAt),
        millis(RETENTION),
        channel
      )
      // Whether it was written is not known if the answer is lost: asking again tells.
      return Number(yield* Effect.retry(step, { times: 1 })) === 1
    }),
    release: (owner, { cancelRefresh, failure }) =>
      run(
        scripts.release,
        keys,
        ownerText(owner),
        channel,
        cancelRefresh ? "1" : "0",
        Option.match(failure, { onNone: () => "", onSome: failureText }),
        Option.match(failure, { onNone: () => "0", onSome: ({ wait }) => millis(wait) }),
        millis(FAILURE_RETENTION)
      ).pipe(Effect.ignore),
    close: Effect.succeed(false)
  }
}
