/**
 * Tells subscribers in this process which version was stored. Effect's `PubSub` does it too, but is a tenth of the size of the
 * whole client.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

export interface Announcements {
  readonly publish: (version: number) => Effect.Effect<void>
  /** What is published until the scope closes. A slow subscriber misses the oldest. */
  readonly subscribe: Effect.Effect<Queue.Dequeue<number>, never, Scope.Scope>
  readonly changes: Effect.Effect<Stream.Stream<number>, never, Scope.Scope>
}

const BUFFER = 16

export const make = (): Announcements => {
  const subscribers = new Set<Queue.Queue<number>>()
  const subscribe = Effect.acquireRelease(
    Effect.tap(Queue.sliding<number>(BUFFER), (queue) => Effect.sync(() => subscribers.add(queue))),
    (queue) =>
      Effect.suspend(() => {
        subscribers.delete(queue)
        return Queue.shutdown(queue)
      })
  )
  return {
    publish: (version) => Effect.forEach([...subscribers], (queue) => Queue.offer(queue, version), { discard: true }),
    subscribe,
    changes: Effect.map(subscribe, (queue) => Stream.fromQueue(queue))
  }
}
