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
  /** Why it is refused, where the answer has no envelope that says so. */
  readonly why?: string
}

const visit = FiberRef.unsafeMake<Visit>({})

/** Something turned out. */
export const note = (what: Visit): Effect.Effect<void> => FiberRef.update(visit, (notes) => ({ ...notes, ...what }))

/** What turned out so far. */
export const noted: Effect.Effect<Visit> = FiberRef.get(visit)

/** Processes a request, about which nothing has turned out yet. */
export const following: <A, E, R>(process: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = Effect.locally(visit, {})
