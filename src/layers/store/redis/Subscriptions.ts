/** Hears what other processes announce, on a connection of its own: one that is subscribed can do nothing else. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Unavailable } from "../../../schemas/AuthError.js"
import { oncePerText } from "../../processMemory.js"
import { stallTolerantTimeout, unrefSleep } from "../../time.js"
import type { RedisSubscriber } from "./RedisClient.js"
import { codeOf, type RedisConnection, unavailable } from "./RedisConnection.js"

export interface Subscriptions {
  /** The channel of a key. What happens to the same key in another database or under another prefix is not heard. */
  readonly channelOf: (key: string) => string
  /**
   * The versions announced from now on, until the scope closes. Whenever the subscription begins, or begins again, the
   * `current` version comes first, because others have been missed.
   */
  readonly listen: (
    channel: string,
    current: Effect.Effect<number, Unavailable>
  ) => Effect.Effect<Stream.Stream<number>, never, Scope.Scope>
}

interface Listener {
  readonly heard: Queue.Queue<number>
  readonly current: Effect.Effect<number, Unavailable>
  /** Whether it knows the version from the moment of the subscription. */
  isCurrent: boolean
}

interface Channel {
  readonly name: string
  readonly listeners: Set<Listener>
  /** Something has changed, and the channel's fiber is to look. */
  readonly changed: Queue.Queue<void>
  isSubscribed: boolean
}

const HEARTBEAT = Duration.seconds(30)

const oncePerServer = oncePerText("announcements not heard")

const CONNECTS_WITHIN = Duration.toMillis("10 seconds")

const FIRST_WAIT = 500
const LONGEST_WAIT = 10_000

export const make = (
  connection: RedisConnection,
  commandTimeout: Duration.Duration
): Effect.Effect<Subscriptions, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { client } = connection
    const clock = yield* Effect.clock
    const now = () => clock.unsafeCurrentTimeMillis()
    const channels = new Map<string, Channel>()
    const fork = yield* FiberSet.makeRuntime<never>()
    let subscriber: RedisSubscriber | undefined
    let isReady = false
    let connectedAt = 0
    yield* Effect.addFinalizer(() => Effect.sync(() => subscriber?.disconnect()))

    const subscribeAll = (): void => {
      for (const channel of channels.values()) {
        channel.isSubscribed = false
        Queue.unsafeOffer(channel.changed, undefined)
      }
    }

    const connect = (): RedisSubscriber => {
      const own = client.duplicate()
      connectedAt = now()
      // ioredis subscribes again by itself, but leaves a rejection unhandled if it is cut off, which ends the process.
      Object.assign(own.options, { autoResubscribe: false })
      own.on("error", () => {})
      own.on("ready", () => {
        if (subscriber !== own) return
        isReady = true
        subscribeAll()
      })
      own.on("message", (name, message) => {
        if (subscriber !== own) return
        for (const { heard } of channels.get(name)?.listeners ?? []) Queue.unsafeOffer(heard, Number(message))
      })
      return own
    }

    /**
     * A connection that does not answer is half open, behind a balancer for instance. One that is not ready yet is given
     * time to connect.
     */
    const replaceIfSilent = Effect.sync(() => {
      if (!isReady && now() < connectedAt + CONNECTS_WITHIN) return
      isReady = false
      subscriber?.disconnect()
      subscriber = undefined
      subscribeAll()
    })

    const command = (run: (subscriber: RedisSubscriber) => Promise<unknown>): Effect.Effect<unknown, Unavailable> =>
      Effect.tryPromise({
        try: () => {
          subscriber ??= connect()
          return run(subscriber)
        },
        catch: (error) => unavailable(connection, codeOf(error))
      }).pipe(
        stallTolerantTimeout({ duration: commandTimeout, onTimeout: () => undefined }),
        Effect.catchAll((error) => (error === undefined ? Effect.zipRight(replaceIfSilent, timedOut) : error))
      )

    const timedOut = Effect.suspend(() => unavailable(connection, connection.lastFailure()))

    const warnIfForbidden = ({ detail, message }: Unavailable): Effect.Effect<void> =>
      detail === "NOPERM"
        ? oncePerServer(message, Effect.logWarning(`Announcements of other processes are not heard. ${message}`))
        : Effect.void

    /** Also the heartbeat's ping: subscribing again changes nothing, and needs no right that a subscriber lacks. */
    const subscribe = Effect.fnUntraced(function* (channel: Channel) {
      const before = subscriber
      yield* command((_) => _.subscribe(channel.name))
      // Replaced meanwhile: the answer came over a connection that is not in use any more.
      if (before === undefined || before === subscriber) channel.isSubscribed = true
    })

    const tell = (listener: Listener) =>
      Effect.map(listener.current, (version) => {
        listener.isCurrent = true
        Queue.unsafeOffer(listener.heard, version)
      })

    const tellAll = Effect.fnUntraced(function* ({ listeners }: Channel) {
      for (const listener of listeners) if (!listener.isCurrent) yield* tell(listener)
    })

    /** Brings the subscription to what its listeners want, one command after the other. */
    const serve = Effect.fnUntraced(function* (channel: Channel) {
      let wait = FIRST_WAIT
      while (true) {
        if (channel.listeners.size === 0) {
          if (channel.isSubscribed) {
            channel.isSubscribed = false
            yield* Effect.ignore(command((_) => _.unsubscribe(channel.name)))
            continue
          }
          channels.delete(channel.name)
          return
        }
        const isBehind = !channel.isSubscribed
        if (isBehind) for (const listener of channel.listeners) listener.isCurrent = false
        const step = Effect.zipRight(isBehind ? subscribe(channel) : Effect.void, tellAll(channel))
        const isDone = yield* Effect.match(Effect.tapError(step, warnIfForbidden), {
          onFailure: () => false,
          onSuccess: () => channel.isSubscribed
        })
        const pause = isDone ? Duration.toMillis(HEARTBEAT) : wait
        wait = isDone ? FIRST_WAIT : Math.min(2 * wait, LONGEST_WAIT)
        const isChanged = yield* Effect.raceFirst(
          Effect.as(Queue.take(channel.changed), true),
          Effect.as(unrefSleep(pause), false)
        )
        if (isDone && !isChanged) yield* Effect.ignore(subscribe(channel))
      }
    })

    const join = (name: string, listener: Listener): Effect.Effect<void> =>
      Effect.gen(function* () {
        const changed = yield* Queue.sliding<void>(1)
        const known = channels.get(name)
        const channel = known ?? { name, listeners: new Set(), changed, isSubscribed: false }
        channel.listeners.add(listener)
        Queue.unsafeOffer(channel.changed, undefined)
        if (known !== undefined) return
        channels.set(name, channel)
        fork(serve(channel))
      })

    const leave = (name: string, listener: Listener): Effect.Effect<void> =>
      Effect.suspend(() => {
        const channel = channels.get(name)
        channel?.listeners.delete(listener)
        if (channel !== undefined) Queue.unsafeOffer(channel.changed, undefined)
        return Queue.shutdown(listener.heard)
      })

    return {
      channelOf: (key) => `${client.options.keyPrefix ?? ""}${key}@${client.options.db ?? 0}`,
      listen: Effect.fnUntraced(function* (name, current) {
        const listener: Listener = { heard: yield* Queue.sliding<number>(16), current, isCurrent: false }
        yield* Effect.acquireRelease(join(name, listener), () => leave(name, listener))
        return Stream.fromQueue(listener.heard)
      })
    }
  })
