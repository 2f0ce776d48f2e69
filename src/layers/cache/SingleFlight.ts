/**
 * One run of some work at a time, joined by everybody who asks meanwhile.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"

export interface SingleFlight<E> {
  /** Begins a run unless one is under way; does not wait for it. */
  readonly start: Effect.Effect<void>
  /** The same, and waits for its outcome. Interrupting one who waits harms neither the run nor the others. */
  readonly run: Effect.Effect<void, E>
  /** Interrupts the run that is under way, if any, and waits until it has ended. */
  readonly stop: Effect.Effect<void>
  /** Waits until the run that is under way, if any, has ended. */
  readonly settled: Effect.Effect<void>
}

interface Flight<E> {
  readonly done: Deferred.Deferred<void, E>
  fiber: Fiber.RuntimeFiber<void, E> | undefined
}

/** How work is forked: never from the fiber that asks, whose interruption, span and log level are its own. */
export type Fork = <A, E>(effect: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>

/** `interrupted` is what those who wait for a run get when it is interrupted. */
export const make = <E>(fork: Fork, work: Effect.Effect<void, E>, interrupted: Exit.Exit<void, E>): SingleFlight<E> => {
  let flight: Flight<E> | undefined

  const launch = Effect.sync((): Flight<E> => {
    if (flight !== undefined) return flight
    const own: Flight<E> = { done: Deferred.unsafeMake(FiberId.none), fiber: undefined }
    flight = own
    own.fiber = fork(
      Effect.onExit(work, (exit) =>
        Effect.sync(() => {
          flight = undefined
          Deferred.unsafeDone(own.done, Exit.isInterrupted(exit) ? interrupted : exit)
        })
      )
    )
    return own
  })

  const ending = (how: (fiber: Fiber.RuntimeFiber<void, E>) => Effect.Effect<unknown>) =>
    Effect.suspend(() => (flight?.fiber === undefined ? Effect.void : Effect.asVoid(how(flight.fiber))))

  return {
    start: Effect.asVoid(launch),
    run: Effect.flatMap(launch, ({ done }) => Deferred.await(done)),
    stop: ending(Fiber.interrupt),
    settled: ending(Fiber.await)
  }
}
