import { Clock, Duration, Effect, Option, PubSub, Schema, Stream } from "effect"
import { Session, type StoreKey, type TokenStoreDriver, Unavailable } from "nomba-auth"

interface Row {
  readonly version: number
  readonly session: Option.Option<string>
  readonly tombstone: boolean
  readonly marked: boolean
  readonly expiry: number
}

/** Stands for your database: a table of sessions, a table of leases, a channel for announcements, and a clock. */
export const makeDatabase = Effect.map(PubSub.unbounded<readonly [StoreKey, number]>(), (channel) => ({
  transaction: <A>(run: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, run),
  rows: new Map<StoreKey, Row>(),
  leases: new Map<StoreKey, { readonly owner: string; readonly expiry: number }>(),
  channel
}))

const unreadable = new Unavailable({ operation: "store", reason: "StoreUnreadable" })

// In clear: encrypt it where others can read the table.
const Text = Schema.parseJson(Session)
const encode = Schema.encodeSync(Text)
const decode = (text: string) => Effect.mapError(Schema.decode(Text)(text), () => unreadable)

/** The steps, each of which a database carries out as one transaction by its own clock. */
export const connect =
  ({ channel, leases, rows, transaction }: Effect.Effect.Success<typeof makeDatabase>): TokenStoreDriver.Connect =>
  (key, leaseTime) => {
    const announce = Effect.suspend(() => PubSub.publish(channel, [key, rows.get(key)?.version ?? 0]))

    const isHeldBy = (owner: string, now: number): boolean => {
      const lease = leases.get(key)
      return lease?.owner === owner && now < lease.expiry
    }
    const extend = (owner: string, now: number): boolean => {
      const isOurs = isHeldBy(owner, now)
      if (isOurs) leases.set(key, { owner, expiry: now + Duration.toMillis(leaseTime) })
      return isOurs
    }
    const toEntry = (row: Row | undefined, now: number) =>
      row === undefined
        ? Effect.succeedNone
        : Effect.map(Effect.transposeOption(Option.map(row.session, decode)), (session) =>
            Option.some({ ...row, session, remaining: Duration.millis(Math.max(0, row.expiry - now)) })
          )

    return Effect.succeed({
      leaseTime,
      read: Effect.flatten(transaction((now) => toEntry(rows.get(key), now))),
      acquire: (owner) =>
        Effect.flatten(
          transaction((now) => {
            const lease = leases.get(key)
            const held = lease === undefined || now >= lease.expiry || lease.owner === owner
            if (held) leases.set(key, { owner, expiry: now + Duration.toMillis(leaseTime) })
            return Effect.map(toEntry(rows.get(key), now), (entry) => ({ held, entry }))
          })
        ),
      extend: (owner) => transaction((now) => extend(owner, now)),
      mark: (owner, marked) =>
        transaction((now) => {
          const row = rows.get(key)
          const isOurs = extend(owner, now)
          if (isOurs && row !== undefined) rows.set(key, { ...row, marked })
          return isOurs
        }),
      commit: (owner, basis, { remaining, session, tombstone }) =>
        Effect.gen(function* () {
          // Before the write, which may wait: a session gets no more time because it was written late.
          const [took, asked] = yield* Effect.timed(transaction((now) => now))
          const expiry = asked - Duration.toMillis(took) + Duration.toMillis(remaining)
          const committed = yield* transaction((now) => {
            const previous = rows.get(key)?.version ?? 0
            if (!isHeldBy(owner, now) || previous !== basis) return Option.none()
            const version = Math.max(previous + 1, now)
            rows.set(key, { version, session: Option.map(session, encode), tombstone, marked: false, expiry })
            return Option.some(version)
          })
          if (Option.isSome(committed)) yield* announce
          return committed
        }),
      release: (owner) =>
        Effect.suspend(() => {
          if (leases.get(key)?.owner !== owner) return Effect.void
          leases.delete(key)
          return Effect.asVoid(announce)
        }),
      changes: Effect.map(
        Stream.fromPubSub(channel, { scoped: true }),
        Stream.filterMap(([changed, version]) => (changed === key ? Option.some(version) : Option.none()))
      ),
      leave: Effect.succeed(false)
    })
  }
