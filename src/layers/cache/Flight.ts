/**
 * One run of some work at a time, joined by all callers. A run that outlives its limit, because its timers or its sockets
 * are gone, is given up: the next caller starts another, and the old one learns that it is dead.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import { spanOf } from "../telemetry.js"
import { firstOf, stallTolerantSleep, unref, waitAtMost } from "../time.js"

export interface Run {
  /** Counts up with each run of a cache. */
  readonly generation: number
  /** The callers have given it up: it must send nothing more. */
  readonly isDead: () => boolean
  /** The span of the caller that started it. */
  readonly caller: Tracer.AnySpan | undefined
}

/** How work is forked: not from the caller, whose interruption, span and log level are its own. */
export type Fork = <A, E>(effect: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>

export interface Flight<E> {
  /** Starts a run unless one is in flight, and does not wait for it. */
  readonly start: Effect.Effect<void>
  /** Starts or joins a run and waits for it. Succeeds with whether this caller started it. */
  readonly run: Effect.Effect<boolean, E>
  /** `run` for a caller that has been waiting already: it fails with `onTimeout` at this time. */
  readonly runUntil: (until: number) => Effect.Effect<boolean, E>
  /** Waits until the run in flight has ended, whatever its outcome; starts none. */
  readonly join: Effect.Effect<void>
  /** Interrupts the run in flight and waits until it has ended. */
  readonly stop: Effect.Effect<void>
  /** Waits until the run in flight has ended, or can be given up. */
  readonly settled: Effect.Effect<void>
  /**
   * Calls back once when the run in flight has ended or was given up: for a caller without a fiber, which asks again then.
   * Returns the function that ends it, and undefined if there is no run. It needs the system's clock.
   */
  readonly listen: (resume: () => void) => (() => void) | undefined
}

export interface Options<E> {
  readonly fork: Fork
  readonly now: () => number
  /** A run ends by itself within this time. */
  readonly limit: Duration.Duration
  /** Whether a run that has lost its timers is given up early. It needs the system's clock. Default: `false`. */
  readonly hasHeartbeat?: boolean
  readonly work: (run: Run) => Effect.Effect<void, E>
  /** The outcome for callers if the run is interrupted. */
  readonly onInterrupt: Exit.Exit<void, E>
  /** The outcome for a caller that has waited for `limit`. */
  readonly onTimeout: Exit.Exit<void, E>
}

interface InFlight<E> {
  readonly startedAt: number
  readonly waiters: Set<(exit: Exit.Exit<void, E>) => void>
  exit: Exit.Exit<void, E> | undefined
  fiber: Fiber.RuntimeFiber<void, E> | undefined
  isGivenUp: boolean
  beatAt: number
  heartbeat: ReturnType<typeof setInterval> | undefined
}

/**
 * After a stall the answer may lie in the socket, and reading it takes a few turns of the event loop. It also lets a run
 * report its own time-out before a caller gives up.
 */
const GRACE: Duration.Duration = Duration.millis(500)

/** On Cloudflare Workers, a run ends without a word when the request that started it ends: its timers stop. */
const BEAT = 500
const SILENT_AFTER = 2_000
/** Longer than most stalls: a run that is only stalled must not be given up by a caller who does not wait for it. */
const LOST_AFTER = 60_000
const LOOK = 1_000
/** A waiter that is later than this was stalled, and so may the run have been. */
const LATE = 500
const LOOKS = 2

export const make = <E>({
  fork,
  hasHeartbeat = false,
  limit,
  now,
  onInterrupt,
  onTimeout,
  work
}: Options<E>): Flight<E> => {
  const limitMillis = Duration.toMillis(limit)
  let current: InFlight<E> | undefined
  let generation = 0

  const settle = (flight: InFlight<E>, exit: Exit.Exit<void, E>): void => {
    if (flight.exit !== undefined) return
    if (current === flight) current = undefined
    clearInterval(flight.heartbeat)
    flight.exit = exit
    for (const resume of flight.waiters) resume(exit)
    flight.waiters.clear()
  }

  const launch = (caller: Tracer.AnySpan | undefined): InFlight<E> => {
    generation += 1
    const own: InFlight<E> = {
      startedAt: now(),
      waiters: new Set(),
      exit: undefined,
      fiber: undefined,
      isGivenUp: false,
      beatAt: now(),
      heartbeat: undefined
    }
    if (hasHeartbeat) {
      own.heartbeat = unref(
        setInterval(() => {
          own.beatAt = now()
        }, BEAT)
      )
    }
    current = own
    own.fiber = fork(
      work({ generation, isDead: () => own.isGivenUp, caller }).pipe(
        Effect.onExit((exit) => Effect.sync(() => settle(own, Exit.isInterrupted(exit) ? onInterrupt : exit)))
      )
    )
    return own
  }

  const giveUp = (flight: InFlight<E>): void => {
    if (flight.exit !== undefined) return
    flight.isGivenUp = true
    settle(flight, onTimeout)
  }

  /** The outcome, or none if there is none after this time. A timer of its own, because ten thousand may wait. */
  const outcomeWithin = (flight: InFlight<E>, wait: number): Effect.Effect<Option.Option<Exit.Exit<void, E>>> =>
    waitAtMost(Math.max(0, wait), (resume) => {
      if (flight.exit !== undefined) {
        resume(flight.exit)
        return () => {}
      }
      flight.waiters.add(resume)
      return () => flight.waiters.delete(resume)
    })

  /** A function to call every `LOOK`: whether the run has lost its timers. */
  const watch = (flight: InFlight<E>): (() => boolean) => {
    let last = now()
    let looks = 0
    return () => {
      const at = now()
      const isOnTime = at - last < LOOK + LATE
      last = at
      const isSilent = at - flight.beatAt > SILENT_AFTER || at >= flight.startedAt + limitMillis
      looks = isOnTime && isSilent ? looks + 1 : 0
      return looks >= LOOKS
    }
  }

  const outcomeWhileBeating = (flight: InFlight<E>, until: number): Effect.Effect<Option.Option<Exit.Exit<void, E>>> =>
    Effect.gen(function* () {
      const isLost = watch(flight)
      for (;;) {
        const left = until - now()
        const outcome = yield* outcomeWithin(flight, Math.min(left, LOOK))
        if (Option.isSome(outcome) || left <= LOOK) return outcome
        if (isLost()) giveUp(flight)
      }
    })

  const outcomeInGrace = (flight: InFlight<E>): Effect.Effect<Option.Option<Exit.Exit<void, E>>> =>
    firstOf(
      outcomeWithin(flight, Number.POSITIVE_INFINITY),
      Effect.as(stallTolerantSleep(GRACE), Option.none<Exit.Exit<void, E>>())
    )

  const wait = (flight: InFlight<E>, until: number): Effect.Effect<void, E> =>
    Effect.gen(function* () {
      const dies = flight.startedAt + limitMillis
      const end = Math.min(dies, until)
      let outcome = yield* hasHeartbeat ? outcomeWhileBeating(flight, end) : outcomeWithin(flight, end - now())
      if (Option.isNone(outcome)) outcome = yield* outcomeInGrace(flight)
      if (Option.isSome(outcome)) return yield* outcome.value
      if (now() >= dies) giveUp(flight)
      return yield* onTimeout
    })

  const runUntil = (until: number): Effect.Effect<boolean, E> =>
    Effect.gen(function* () {
      const caller = yield* Effect.contextWith(spanOf)
      const joined = current
      if (joined === undefined) {
        yield* wait(launch(caller), until)
        return true
      }
      const exit = yield* Effect.exit(wait(joined, until))
      if (!(joined.isGivenUp && now() < until)) yield* exit
      return false
    })

  const ending = (how: (fiber: Fiber.RuntimeFiber<void, E>) => Effect.Effect<unknown>): Effect.Effect<void> =>
    Effect.suspend(() => {
      const flight = current
      if (flight?.fiber === undefined) return Effect.void
      const left = flight.startedAt + limitMillis + Duration.toMillis(GRACE) - now()
      return Effect.asVoid(firstOf(how(flight.fiber), stallTolerantSleep(Duration.millis(Math.max(0, left)))))
    })

  const isOverdue = (flight: InFlight<E>): boolean =>
    now() >= flight.startedAt + limitMillis + Duration.toMillis(GRACE) ||
    (hasHeartbeat && now() - flight.beatAt > LOST_AFTER)

  return {
    start: Effect.contextWith((context: Context.Context<never>) => {
      if (current !== undefined && isOverdue(current)) giveUp(current)
      if (current === undefined) launch(spanOf(context))
    }),
    run: Effect.suspend(() => runUntil(now() + limitMillis)),
    runUntil,
    join: Effect.suspend(() =>
      current === undefined ? Effect.void : Effect.asVoid(Effect.exit(wait(current, now() + limitMillis)))
    ),
    stop: ending((fiber) => Fiber.interrupt(fiber)),
    settled: ending((fiber) => Fiber.await(fiber)),
    listen: (resume) => {
      const flight = current
      if (flight === undefined || now() >= flight.startedAt + limitMillis) return undefined
      const isLost = watch(flight)
      const timer = setInterval(() => {
        if (isLost()) giveUp(flight)
      }, LOOK)
      const call = (): void => {
        clearInterval(timer)
        resume()
      }
      flight.waiters.add(call)
      return () => {
        clearInterval(timer)
        flight.waiters.delete(call)
      }
    }
  }
}
