/**
 * Hearing what other processes announce, on a connection of its own: one that listens does nothing else.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Unavailable } from "../../../schemas/AuthError.js"
import { sleep } from "../../wait/quietly.js"
import { codeOf, unavailable } from "./Failure.js"
import type { Link } from "./Link.js"
import type { RedisSubscriber } from "./RedisClient.js"

export interface Announcements {
  /** The channel that belongs to a key. What goes on under the same key of another database or prefix is not heard. */
  readonly channelOf: (key: string) => string
  /**
   * The versions announced from now on, until the scope closes; and whenever hearing begins, or begins again, the
   * `current` one, because others have been missed.
   */
  readonly listen: (
    channel: string,
    current: Effect.Effect<number, Unavailable>
  ) => Effect.Effect<Stream.Stream<number>, never, Scope.Scope>
}

interface Listener {
  readonly heard: Queue.Queue<number>
  readonly current: Effect.Effect<number, Unavailable>
}

/** Slept through in its own way, so that nothing is left for the schedule to wait for. */
const waits = Schedule.union(Schedule.exponential("500 millis"), Schedule.spaced("10 seconds")).pipe(
  Schedule.modifyDelayEffect((_, wait) => Effect.as(sleep(wait), Duration.zero))
)

export const make = ({ client }: Link): Effect.Effect<Announcements, never, Scope.Scope> =>
  Effect.gen(function* () {
    const channels = new Map<string, Set<Listener>>()
    const beginnings = yield* FiberMap.make<string>()
    const begin = yield* FiberMap.runtime(beginnings)<never>()
    let connection: RedisSubscriber | undefined
    yield* Effect.addFinalizer(() => Effect.sync(() => connection?.disconnect()))

    const connect = (): RedisSubscriber => {
      const subscriber = client.duplicate()
      // Subscribed again here: ioredis's own way leaves a rejection to nobody, which ends the process, when it is cut off.
      Object.assign(subscriber.options, { autoResubscribe: false })
      subscriber.on("error", () => {})
      subscriber.on("ready", () => {
        for (const channel of channels.keys()) begin(channel, beginning(channel))
      })
      subscriber.on("message", (channel, message) => {
        for (const { heard } of channels.get(channel) ?? []) Queue.unsafeOffer(heard, Number(message))
      })
      return subscriber
    }

    const subscriber = (): RedisSubscriber => {
      connection ??= connect()
      return connection
    }

    let hasWarned = false
    const warn = ({ detail, message }: Unavailable): Effect.Effect<void> =>
      Effect.suspend(() => {
        if (hasWarned || detail !== "NOPERM") return Effect.void
        hasWarned = true
        return Effect.logWarning(`What other processes announce cannot be heard. ${message}`)
      })

    const beginning = (channel: string): Effect.Effect<void> =>
      Effect.tryPromise({ try: () => subscriber().subscribe(channel), catch: (_) => unavailable(codeOf(_)) }).pipe(
        Effect.tapError(warn),
        Effect.zipRight(Effect.suspend(() => Effect.forEach(channels.get(channel) ?? [], tellCurrent))),
        Effect.retry(waits),
        Effect.ignore,
        Effect.interruptible
      )

    const tellCurrent = ({ current, heard }: Listener): Effect.Effect<unknown, Unavailable> =>
      Effect.map(current, (version) => Queue.unsafeOffer(heard, version))

    const join = (channel: string, listener: Listener): Effect.Effect<void> =>
      Effect.sync(() => {
        channels.set(channel, (channels.get(channel) ?? new Set()).add(listener))
        begin(channel, beginning(channel))
      })

    const leave = (channel: string, listener: Listener): Effect.Effect<void> =>
      Effect.gen(function* () {
        const listeners = channels.get(channel)
        listeners?.delete(listener)
        yield* Queue.shutdown(listener.heard)
        if (listeners?.size !== 0) return
        channels.delete(channel)
        yield* FiberMap.remove(beginnings, channel)
        yield* Effect.forkDaemon(Effect.ignore(Effect.tryPromise(async () => connection?.unsubscribe(channel))))
      })

    return {
      channelOf: (key) => `${client.options.keyPrefix ?? ""}${key}@${client.options.db ?? 0}`,
      listen: (channel, current) =>
        Effect.gen(function* () {
          const listener: Listener = { heard: yield* Queue.sliding<number>(16), current }
          yield* Effect.acquireRelease(join(channel, listener), () => leave(channel, listener))
          return Stream.fromQueue(listener.heard)
        })
    }
  })
