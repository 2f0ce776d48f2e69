/**
 * What a key holds in a store that this program itself keeps, and what each step makes of it: plain functions of what is
 * there and the time, for stores that only have to carry one out as a whole.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/**
 * A span of the store's time. A clock that was set back to before it makes nothing of it: what was written in what is
 * now the future is over.
 *
 * @since 0.1.0
 * @category models
 */
export interface Span {
  readonly since: number
  readonly until: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Content<S> extends Span {
  readonly version: number
  readonly session: Option.Option<S>
  readonly tombstone: boolean
  readonly marked: boolean
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Place<S> {
  readonly content: Content<S> | undefined
  readonly lease: (Span & { readonly owner: string }) | undefined
}

/**
 * What a step answers, and the place after it: the same object where it changes nothing.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome<S, A> = readonly [answer: A, place: Place<S>]

/**
 * A place that nobody has used.
 *
 * @since 0.1.0
 * @category constructors
 */
export const empty: Place<never> = { content: undefined, lease: undefined }

const isOver = ({ since, until }: Span, now: number): boolean => now < since || now >= until

/**
 * What is left of a span.
 *
 * @since 0.1.0
 */
export const left = (span: Span, now: number): Duration.Duration =>
  isOver(span, now) ? Duration.zero : Duration.millis(span.until - now)

/**
 * Whether nobody has the lease.
 *
 * @since 0.1.0
 */
export const isFree = ({ lease }: Place<unknown>, now: number): boolean => lease === undefined || isOver(lease, now)

const isHeldBy = ({ lease }: Place<unknown>, owner: string, now: number): boolean =>
  lease !== undefined && lease.owner === owner && now < lease.until

const give = <S>(place: Place<S>, owner: string, now: number, leaseTime: Duration.Duration): Place<S> => ({
  ...place,
  lease: { owner, since: now, until: now + Duration.toMillis(leaseTime) }
})

/**
 * @since 0.1.0
 * @category combinators
 */
export const acquire = <S>(
  place: Place<S>,
  owner: string,
  now: number,
  leaseTime: Duration.Duration
): Outcome<S, boolean> => {
  const next = isFree(place, now) ? give(place, owner, now, leaseTime) : place
  return [isHeldBy(next, owner, now), next]
}

/**
 * @since 0.1.0
 * @category combinators
 */
export const extend = <S>(
  place: Place<S>,
  owner: string,
  now: number,
  leaseTime: Duration.Duration
): Outcome<S, boolean> => (isHeldBy(place, owner, now) ? [true, give(place, owner, now, leaseTime)] : [false, place])

/**
 * @since 0.1.0
 * @category combinators
 */
export const mark = <S>(
  place: Place<S>,
  owner: string,
  marked: boolean,
  now: number,
  leaseTime: Duration.Duration
): Outcome<S, boolean> => {
  const [ours, next] = extend(place, owner, now, leaseTime)
  return [ours, ours && next.content !== undefined ? { ...next, content: { ...next.content, marked } } : next]
}

/**
 * @since 0.1.0
 * @category combinators
 */
export const commit = <S>(
  place: Place<S>,
  owner: string,
  basis: number,
  next: {
    readonly session: Option.Option<S>
    readonly tombstone: boolean
    readonly remaining: Duration.Duration
  },
  now: number
): Outcome<S, Option.Option<number>> => {
  const previous = place.content?.version ?? 0
  if (!isHeldBy(place, owner, now) || previous !== basis) return [Option.none(), place]
  const { remaining, session, tombstone } = next
  const version = Math.max(previous + 1, now)
  const until = now + Duration.toMillis(remaining)
  return [
    Option.some(version),
    { ...place, content: { version, session, tombstone, marked: false, since: now, until } }
  ]
}

/**
 * @since 0.1.0
 * @category combinators
 */
export const release = <S>(place: Place<S>, owner: string): Outcome<S, boolean> =>
  place.lease?.owner === owner ? [true, { ...place, lease: undefined }] : [false, place]
