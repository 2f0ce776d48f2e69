/**
 * Work that outlives whoever asked for it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Fork } from "./SingleFlight.js"

export interface Aside {
  /** Begins the work. Interrupting one who joins it does not touch it. */
  readonly start: <A, E>(work: Effect.Effect<A, E>) => Effect.Effect<Fiber.RuntimeFiber<A, E>>
  /** Waits until all of it has ended. */
  readonly settled: Effect.Effect<void>
}

export const make = (fork: Fork): Aside => {
  const underWay = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
  return {
    start: (work) =>
      Effect.sync(() => {
        const fiber = fork(work)
        underWay.add(fiber)
        fiber.addObserver(() => underWay.delete(fiber))
        return fiber
      }),
    settled: Effect.suspend(() => Fiber.awaitAll(underWay)).pipe(Effect.asVoid)
  }
}
