import { Clock, Duration, Effect, Option, PubSub, Stream } from "effect"
import { SessionCodec, type SharedFailure, type StoreKey, TokenStoreDriver, type Unavailable } from "nomba-auth"

interface Row {
  readonly version: number
  readonly text: string
  readonly refreshInFlight: Option.Option<TokenStoreDriver.Owner>
  readonly since: number
  readonly expiry: number
}

interface Lease {
  readonly owner: TokenStoreDriver.Owner
  readonly expiry: number
}

/** Stands for your database: three tables, a channel for announcements, and a clock. */
export const makeDatabase = Effect.map(PubSub.unbounded<readonly [StoreKey, number]>(), (channel) => ({
  transaction: <A>(run: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, run),
  rows: new Map<StoreKey, Row>(),
  leases: new Map<StoreKey, Lease>(),
  failures: new Map<StoreKey, { readonly failure: SharedFailure; readonly until: number }>(),
  channel
}))

/** Later versions of nomba-auth read this text. It is plaintext: use `SessionCodec.encrypted` if others can read the table. */
const codec = SessionCodec.plain

/** The steps, each of which a database carries out as one transaction by its own clock. */
export const connect =
  ({
    channel,
    failures,
    leases,
    rows,
    transaction
  }: Effect.Effect.Success<typeof makeDatabase>): TokenStoreDriver.Connect =>
  (key, leaseTime) => {
    const { ownerText } = TokenStoreDriver
    const announce = Effect.suspend(() => PubSub.publish(channel, [key, rows.get(key)?.version ?? 0]))

    const isLeased = (now: number): boolean => now < (leases.get(key)?.expiry ?? 0)
    const isHeldBy = (owner: TokenStoreDriver.Owner, now: number): boolean => {
      const lease = leases.get(key)
      return lease !== undefined && isLeased(now) && ownerText(lease.owner) === ownerText(owner)
    }
    const give = (owner: TokenStoreDriver.Owner, now: number): void => {
      leases.set(key, { owner, expiry: now + Duration.toMillis(leaseTime) })
    }
    const extend = (owner: TokenStoreDriver.Owner, now: number): boolean => {
      const isOurs = isHeldBy(owner, now)
      if (isOurs) give(owner, now)
      return isOurs
    }
    const setFlag = (refreshInFlight: Row["refreshInFlight"]): void => {
      const row = rows.get(key)
      if (row !== undefined) rows.set(key, { ...row, refreshInFlight })
    }

    const reading = (now: number): Effect.Effect<TokenStoreDriver.Reading, Unavailable> =>
      Effect.gen(function* () {
        const row = rows.get(key)
        const last = failures.get(key)
        const entry = row && {
          ...(yield* codec.decode({ key, version: row.version }, row.text)),
          version: row.version,
          refreshInFlight: row.refreshInFlight,
          // A clock that was set back to before the write must not give a session more time.
          remaining: Duration.millis(now < row.since ? 0 : Math.max(0, row.expiry - now))
        }
        return {
          now,
          isLeased: isLeased(now),
          failure: Option.map(Option.fromNullable(last), ({ failure, until }) => ({
            ...failure,
            wait: Duration.millis(Math.max(0, until - now))
          })),
          entry: Option.fromNullable(entry)
        }
      })

    return Effect.succeed({
      leaseTime,
      acquireTimeout: Duration.seconds(1),
      read: Effect.flatten(transaction(reading)),
      acquire: (owner, { notAfter = Number.POSITIVE_INFINITY, takeOverBelow }) =>
        Effect.flatten(
          transaction((now) => {
            const holder = leases.get(key)?.owner
            const isAbandoned = holder?.store === owner.store && holder.attempt < takeOverBelow
            if (now <= notAfter && (isAbandoned || !isLeased(now))) give(owner, now)
            const held = isHeldBy(owner, now)
            return Effect.map(reading(now), (_) => ({ ..._, held }))
          })
        ),
      extend: (owner) => transaction((now) => extend(owner, now)),
      setRefreshInFlight: (owner, inFlight) =>
        transaction((now) => {
          const isOurs = extend(owner, now)
          if (isOurs) setFlag(inFlight ? Option.some(owner) : Option.none())
          return isOurs
        }),
      commit: (owner, expectedVersion, { expiresAt, remaining, session, tombstone, version }) =>
        Effect.flatMap(codec.encode({ key, version }, { session, tombstone }), (text) =>
          transaction((now) => {
            const stored = rows.get(key)?.version ?? 0
            if (!isHeldBy(owner, now) || stored !== expectedVersion || version <= stored) return false
            const expiry = Math.min(expiresAt, now + Duration.toMillis(remaining))
            rows.set(key, { version, text, refreshInFlight: Option.none(), since: now, expiry })
            failures.delete(key)
            return true
          })
        ).pipe(Effect.tap((isWritten) => Effect.when(announce, () => isWritten))),
      release: (owner, { cancelRefresh, failure }) =>
        Effect.tap(
          transaction((now) => {
            if (!isHeldBy(owner, now)) return false
            leases.delete(key)
            if (cancelRefresh) setFlag(Option.none())
            if (Option.isSome(failure)) {
              failures.set(key, { failure: failure.value, until: now + Duration.toMillis(failure.value.wait) })
            }
            return true
          }),
          (isReleased) => Effect.when(announce, () => isReleased)
        ).pipe(Effect.asVoid),
      changes: Effect.map(
        Stream.fromPubSub(channel, { scoped: true }),
        Stream.filterMap(([changed, version]) => (changed === key ? Option.some(version) : Option.none()))
      ),
      close: Effect.succeed(false)
    })
  }
