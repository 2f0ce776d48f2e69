/** What is learned about a request while it is processed, for the log and the headers of its response. */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import type { Quota } from "../state/Quotas.js"

export interface RequestContext {
  /** The configured client that sent it. */
  readonly clientId?: string
  readonly quota?: Quota
  /** It is rejected, whatever the status of the response. */
  readonly refused?: true
  /** Why it is rejected, if the response has no envelope that says so. */
  readonly why?: string
}

const context = FiberRef.unsafeMake<RequestContext>({})

export const annotate = (facts: RequestContext): Effect.Effect<void> =>
  FiberRef.update(context, (before) => ({ ...before, ...facts }))

export const current: Effect.Effect<RequestContext> = FiberRef.get(context)

/** Processes a request with an empty context. */
export const scoped: <A, E, R>(process: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = Effect.locally(context, {})
