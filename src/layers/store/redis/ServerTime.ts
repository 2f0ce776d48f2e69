/**
 * What time it is at Redis, told by Redis alone: this machine's clock may differ by hours.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

export interface ServerTime {
  /** An answer has come that said it was `now`, in milliseconds since 1970. */
  readonly heard: (now: number) => Effect.Effect<void>
  /**
   * The time there, or somewhat earlier: an answer is as old as its way was long. None before the first. That its clock is
   * set is not noticed before the next.
   */
  readonly now: Effect.Effect<Option.Option<number>>
}

export const make = (): ServerTime => {
  let told: { readonly now: number; readonly at: bigint } | undefined
  return {
    heard: (now) =>
      Effect.map(Clock.currentTimeNanos, (at) => {
        told = { now, at }
      }),
    now: Effect.map(Clock.currentTimeNanos, (nanos) =>
      Option.map(Option.fromNullable(told), ({ at, now }) => now + Duration.toMillis(Duration.nanos(nanos - at)))
    )
  }
}
