/**
 * What turns out about a request while it is processed, for the log and the headers of its answer.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import type { Quota } from "./state/Quotas.js"

/** What turned out so far. */
export interface Visit {
  /** Whose request it is: a client that was configured. */
  readonly clientId?: string
  readonly quota?: Quota
  /** It is refused, whatever the status of the answer. */
  readonly refused?: true
}

const visit = FiberRef.unsafeMake<Visit>({})

/** Something turned out. */
export const note = (what: Visit): Effect.Effect<void> => FiberRef.update(visit, (notes) => ({ ...notes, ...what }))

/** Processes a request, and gives what turned out about it beside the answer. */
export const following = <A, E, R>(process: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, Visit], E, R> =>
  Effect.zip(process, FiberRef.get(visit)).pipe(Effect.locally(visit, {}))
