/** The events of one cache, for any number of subscribers. A slow subscriber does not delay the cache. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { SessionEvent } from "../../services/TokenCache.js"

export interface SessionEvents {
  readonly publish: (event: SessionEvent) => void
  /** `current` is the first event of each subscriber. */
  readonly stream: (current: () => SessionEvent) => Stream.Stream<SessionEvent>
  /** Ends every stream after what is buffered. */
  readonly end: Effect.Effect<void>
}

interface Subscriber {
  buffered: Array<SessionEvent>
  missed: number
  readonly latch: Effect.Latch
}

const BUFFER = 64

export const make = (): SessionEvents => {
  const subscribers = new Set<Subscriber>()
  let isEnded = false

  const take = (subscriber: Subscriber): Effect.Effect<Chunk.Chunk<SessionEvent>, Option.Option<never>> =>
    Effect.flatMap(subscriber.latch.await, () => {
      const { buffered, missed } = subscriber
      if (buffered.length === 0 && isEnded) return Effect.fail(Option.none())
      subscriber.buffered = []
      subscriber.missed = 0
      if (!isEnded) subscriber.latch.unsafeClose()
      return Effect.succeed(
        Chunk.unsafeFromArray(missed === 0 ? buffered : [SessionEvent.Missed({ count: missed }), ...buffered])
      )
    })

  const subscribe = (current: () => SessionEvent): Effect.Effect<Subscriber> =>
    Effect.sync(() => {
      const subscriber = { buffered: [current()], missed: 0, latch: Effect.unsafeMakeLatch(true) }
      subscribers.add(subscriber)
      return subscriber
    })

  return {
    publish: (event) => {
      for (const subscriber of subscribers) {
        subscriber.buffered.push(event)
        if (subscriber.buffered.length > BUFFER) {
          subscriber.buffered.shift()
          subscriber.missed += 1
        }
        subscriber.latch.unsafeOpen()
      }
    },
    stream: (current) =>
      Stream.unwrapScoped(
        Effect.map(
          Effect.acquireRelease(subscribe(current), (subscriber) => Effect.sync(() => subscribers.delete(subscriber))),
          (subscriber) => Stream.repeatEffectChunkOption(take(subscriber))
        )
      ),
    end: Effect.sync(() => {
      isEnded = true
      for (const { latch } of subscribers) latch.unsafeOpen()
    })
  }
}
