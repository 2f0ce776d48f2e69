/**
 * The steps of a store that this program keeps itself, as pure functions of what the store holds and its time. The store
 * only has to carry out each step as a whole.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { SharedFailure } from "../../services/TokenStore.js"
import type { AcquireOptions, Owner, ReleaseOutcome, Write } from "./StoreDriver.js"

/**
 * A span of the store's time. If the clock is set back to before `since`, the span is over: it never gets longer.
 */
export interface Span {
  readonly since: number
  readonly until: number
}

/** `C` is what the store keeps of a session or tombstone: the value itself, or the text of a codec. */
export interface Content<C> extends Span {
  readonly version: number
  readonly value: C
  readonly refreshInFlight: Option.Option<Owner>
}

export interface Lease extends Span {
  readonly owner: Owner
}

export interface Failure extends Span, Omit<SharedFailure, "wait"> {}

export interface LeasedEntry<C> {
  readonly content: Content<C> | undefined
  readonly lease: Lease | undefined
  readonly failure: Failure | undefined
}

/** The answer of a step, and what the store holds after it: the same object if nothing changes. */
export type Outcome<C, A> = readonly [answer: A, entry: LeasedEntry<C>]

export const empty: LeasedEntry<never> = { content: undefined, lease: undefined, failure: undefined }

const isOver = ({ since, until }: Span, now: number): boolean => now < since || now >= until

export const left = (span: Span, now: number): Duration.Duration =>
  isOver(span, now) ? Duration.zero : Duration.millis(span.until - now)

export const isLeased = ({ lease }: LeasedEntry<unknown>, now: number): boolean =>
  lease !== undefined && !isOver(lease, now)

export const failureAt = ({ failure }: LeasedEntry<unknown>, now: number): Option.Option<SharedFailure> =>
  Option.map(Option.fromNullable(failure), ({ since, until, ...rest }) => ({
    ...rest,
    wait: left({ since, until }, now)
  }))

const isSame = (a: Owner, b: Owner): boolean => a.store === b.store && a.attempt === b.attempt

const isHeldBy = ({ lease }: LeasedEntry<unknown>, owner: Owner, now: number): boolean =>
  lease !== undefined && isSame(lease.owner, owner) && now < lease.until

const give = <C>(entry: LeasedEntry<C>, owner: Owner, now: number, leaseTime: Duration.Duration): LeasedEntry<C> => ({
  ...entry,
  lease: { owner, since: now, until: now + Duration.toMillis(leaseTime) }
})

export const acquire = <C>(
  entry: LeasedEntry<C>,
  owner: Owner,
  { notAfter = Number.POSITIVE_INFINITY, takeOverBelow }: AcquireOptions,
  now: number,
  leaseTime: Duration.Duration
): Outcome<C, boolean> => {
  if (isHeldBy(entry, owner, now)) return [true, entry]
  const holder = entry.lease?.owner
  const isAbandoned = holder !== undefined && holder.store === owner.store && holder.attempt < takeOverBelow
  const mayTake = now <= notAfter && (isAbandoned || !isLeased(entry, now))
  return mayTake ? [true, give(entry, owner, now, leaseTime)] : [false, entry]
}

export const extend = <C>(
  entry: LeasedEntry<C>,
  owner: Owner,
  now: number,
  leaseTime: Duration.Duration
): Outcome<C, boolean> => (isHeldBy(entry, owner, now) ? [true, give(entry, owner, now, leaseTime)] : [false, entry])

export const setRefreshInFlight = <C>(
  entry: LeasedEntry<C>,
  owner: Owner,
  inFlight: boolean,
  now: number,
  leaseTime: Duration.Duration
): Outcome<C, boolean> => {
  const [held, next] = extend(entry, owner, now, leaseTime)
  return [held, held ? withFlag(next, inFlight ? Option.some(owner) : Option.none()) : entry]
}

const withFlag = <C>(entry: LeasedEntry<C>, refreshInFlight: Option.Option<Owner>): LeasedEntry<C> =>
  entry.content === undefined ? entry : { ...entry, content: { ...entry.content, refreshInFlight } }

export const commit = <C>(
  entry: LeasedEntry<C>,
  owner: Owner,
  expectedVersion: number,
  { expiresAt, remaining, value, version }: Pick<Write, "version" | "remaining" | "expiresAt"> & { readonly value: C },
  now: number
): Outcome<C, boolean> => {
  const stored = entry.content?.version ?? 0
  if (!isHeldBy(entry, owner, now) || stored !== expectedVersion || version <= stored) return [false, entry]
  const until = Math.min(expiresAt, now + Duration.toMillis(remaining))
  const content = { version, value, refreshInFlight: Option.none(), since: now, until }
  return [true, { ...entry, content, failure: undefined }]
}

export const release = <C>(
  entry: LeasedEntry<C>,
  owner: Owner,
  { cancelRefresh, failure }: ReleaseOutcome,
  now: number
): Outcome<C, boolean> => {
  if (!isHeldBy(entry, owner, now)) return [false, entry]
  const freed = { ...(cancelRefresh ? withFlag(entry, Option.none()) : entry), lease: undefined }
  return [
    true,
    Option.match(failure, {
      onNone: () => freed,
      onSome: ({ wait, ...rest }) => ({
        ...freed,
        failure: { ...rest, since: now, until: now + Duration.toMillis(wait) }
      })
    })
  ]
}
