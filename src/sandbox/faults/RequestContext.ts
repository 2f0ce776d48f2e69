/** What turns out about a request while it is processed, for the log and the headers of its answer. */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import type { Quota } from "../state/Quotas.js"

/** What turned out so far. */
export interface RequestContext {
  /** Whose request it is: a client that was configured. */
  readonly clientId?: string
  readonly quota?: Quota
  /** It is refused, whatever the status of the answer. */
  readonly refused?: true
  /** Why it is refused, where the answer has no envelope that says so. */
  readonly why?: string
}

const context = FiberRef.unsafeMake<RequestContext>({})

/** Something turned out. */
export const annotate = (what: RequestContext): Effect.Effect<void> =>
  FiberRef.update(context, (before) => ({ ...before, ...what }))

/** What turned out so far. */
export const current: Effect.Effect<RequestContext> = FiberRef.get(context)

/** Processes a request, about which nothing has turned out yet. */
export const scoped: <A, E, R>(process: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = Effect.locally(context, {})
