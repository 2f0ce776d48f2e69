/**
 * Time in a process that may stall and whose clock may be set: sleeps and time-outs that survive a stall and do not keep a
 * finished process alive, and elapsed time.
 *
 * When a process stalls (SIGSTOP, a VM freeze, a long pause of the garbage collector), its timers fall due before its
 * sockets are read, so an answer that has arrived would count as late. Time passes here in steps: a stall costs one step,
 * however long it lasts, and the sockets are read once before a time-out fires. Clocks other than the system's (`TestClock`)
 * cannot stall and sleep as they always do.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import * as Option from "effect/Option"
import { Unavailable } from "../schemas/AuthError.js"

/** A renewal, with its waits and retries, ends within this time. */
export const RENEWAL_LIMIT: Duration.Duration = Duration.seconds(30)

/** What must be left beside the request's time-out when a token request begins. */
export const HEADROOM: Duration.Duration = Duration.seconds(2)

/** Whether a token request may begin after the wait: its time-out and the headroom must fit before the deadline. */
export const hasTime = (deadline: number, now: number, wait: Duration.Duration, needed: Duration.Duration): boolean =>
  now + Duration.toMillis(Duration.sum(Duration.sum(wait, needed), HEADROOM)) <= deadline

/** Limit of one read of the token store, and of one attempt to save a session. */
export const STORE_LIMIT: Duration.Duration = Duration.seconds(5)

/** The clock of a program that provides none. */
export const systemClock: Clock.Clock = Context.get(DefaultServices.liveServices, Clock.Clock)

const STEPS = 10
/** A timer that is this many milliseconds late tells that the process was stalled. */
export const STALLED_FOR = 300
/** Platforms let a longer timer fire at once. */
const MAX_TIMER = 2 ** 31 - 1

let stalls = 0

/** Counts the stalls that a sleeping fiber has noticed in this process. Compare two readings. */
export const stallCount = (): number => stalls

/** Lets the event loop read its sockets once. Platforms without `setImmediate` do so before their next timer. */
const pollSockets: Effect.Effect<void> = Effect.async((resume) => {
  const go = (): void => resume(Effect.void)
  if (typeof setImmediate === "function") setImmediate(go)
  else setTimeout(go, 0)
})

const oneStep = (duration: Duration.Duration): Effect.Effect<void> =>
  Effect.suspend(() => {
    const due = systemClock.unsafeCurrentTimeMillis() + Duration.toMillis(duration)
    return Effect.map(systemClock.sleep(duration), () => {
      if (systemClock.unsafeCurrentTimeMillis() - due > STALLED_FOR) stalls += 1
    })
  })

const sleepInSteps = (duration: Duration.Duration): Effect.Effect<void> =>
  oneStep(Duration.unsafeDivide(duration, STEPS)).pipe(Effect.repeatN(STEPS - 1), Effect.zipRight(pollSockets))

const onSystemClock =
  (own: (duration: Duration.Duration) => Effect.Effect<void>) =>
  (duration: Duration.DurationInput): Effect.Effect<void> =>
    Effect.clockWith((clock) => {
      const decoded = Duration.decode(duration)
      return clock === systemClock ? own(decoded) : clock.sleep(decoded)
    })

/** Sleeps for a time in which the process runs, then lets it read its sockets once. */
export const stallTolerantSleep: (duration: Duration.DurationInput) => Effect.Effect<void> = onSystemClock(sleepInSteps)

/** Sleeps, and succeeds with how many milliseconds it overslept: many after a stall. */
export const measuredSleep = (duration: Duration.Duration): Effect.Effect<number> =>
  Effect.clockWith((clock) => {
    const due = clock.unsafeCurrentTimeMillis() + Duration.toMillis(duration)
    return Effect.map(clock.sleep(duration), () => {
      const late = Math.max(0, clock.unsafeCurrentTimeMillis() - due)
      if (late > STALLED_FOR && clock === systemClock) stalls += 1
      return late
    })
  })

/** Lets the process end although the timer is running. */
export const unref = <Timer>(timer: Timer): Timer => {
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function") {
    timer.unref()
  }
  return timer
}

/** Sleeps without keeping the process alive. */
export const unrefSleep: (duration: Duration.DurationInput) => Effect.Effect<void> = onSystemClock((duration) =>
  Effect.async((resume) => {
    const timer = unref(setTimeout(() => resume(Effect.void), Duration.toMillis(duration)))
    return Effect.sync(() => clearTimeout(timer))
  })
)

const stallTolerantClock: Clock.Clock = {
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: () => systemClock.unsafeCurrentTimeMillis(),
  unsafeCurrentTimeNanos: () => systemClock.unsafeCurrentTimeNanos(),
  currentTimeMillis: systemClock.currentTimeMillis,
  currentTimeNanos: systemClock.currentTimeNanos,
  sleep: sleepInSteps
}

/** `Effect.timeoutFail` that tolerates stalls. */
export const stallTolerantTimeout =
  <E1>(options: { readonly duration: Duration.DurationInput; readonly onTimeout: LazyArg<E1> }) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | E1, R> =>
    Effect.clockWith((clock) =>
      clock === systemClock
        ? effect.pipe(Effect.withClock(systemClock), Effect.timeoutFail(options), Effect.withClock(stallTolerantClock))
        : Effect.timeoutFail(effect, options)
    )

/**
 * Whichever ends first. Both can be interrupted, even in a finalizer: `Effect.raceFirst` would wait there for the loser.
 */
export const firstOf = <A, E, A1, E1>(
  one: Effect.Effect<A, E>,
  other: Effect.Effect<A1, E1>
): Effect.Effect<A | A1, E | E1> => Effect.raceFirst(Effect.interruptible(one), Effect.interruptible(other))

/**
 * Waits for a callback, at most this many milliseconds. On the system's clock it costs one timer and no fiber. A stalled
 * process may find the time over before the callback was called.
 */
export const waitAtMost = <A>(
  millis: number,
  register: (resume: (value: A) => void) => () => void
): Effect.Effect<Option.Option<A>> =>
  Effect.clockWith((clock) => {
    const isSystem = clock === systemClock
    const isTimed = isSystem && millis < MAX_TIMER
    const called = Effect.async<Option.Option<A>>((resume) => {
      let unregister = (): void => {}
      const giveUp = (): void => {
        unregister()
        resume(Effect.succeedNone)
      }
      const timer = isTimed ? setTimeout(giveUp, millis) : undefined
      const call = (value: A): void => {
        clearTimeout(timer)
        resume(Effect.succeedSome(value))
      }
      if (isSystem) {
        // The promise brings the call back to where this fiber runs: on Cloudflare Workers a fiber that another request's code
        // resumes would go on inside of that request, and may do no I/O there.
        void new Promise<A>((resolve) => {
          unregister = register(resolve)
        }).then(call)
      } else {
        unregister = register(call)
      }
      return Effect.sync(() => {
        clearTimeout(timer)
        unregister()
      })
    })
    return isTimed || millis === Number.POSITIVE_INFINITY
      ? Effect.interruptible(called)
      : firstOf(called, Effect.as(clock.sleep(Duration.millis(millis)), Option.none<A>()))
  })

/** The token store did not answer in time. */
export const storeTimedOut: Unavailable = new Unavailable({ operation: "store", reason: "Store", detail: "ETIMEDOUT" })

/** An interrupted caller goes on at once, also if the effect cannot be interrupted: it ends in the background. */
export const interruptInBackground: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  Effect.disconnect

/** Fails with a store time-out after this time, even if the effect cannot be interrupted. */
export const hardTimeout =
  (duration: Duration.Duration) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | Unavailable> =>
    interruptInBackground(effect).pipe(
      stallTolerantTimeout({
        duration,
        onTimeout: () => storeTimedOut
      })
    )

/** A moment that can be compared with the clocks as they are read, without arithmetic. */
export interface Mark {
  readonly at: number
  wall: number
  nanos: bigint
  anchor: number
}

/**
 * Elapsed time that a clock which is set back cannot stretch: the larger of wall-clock and monotonic time. The wall clock
 * counts while a machine sleeps, the monotonic clock when the time is set.
 */
export interface Timeline {
  /** Milliseconds, as the wall clock read when the timeline began. It never goes back. */
  readonly now: () => number
  readonly mark: (at: number) => Mark
  /** Whether it goes by the system's clock, so that timers fire when it says. */
  readonly isSystem: boolean
  /** `now() < mark.at`, for the hot path. */
  readonly isBefore: (mark: Mark) => boolean
}

/** Both clocks are slewed and rounded; a larger difference means that one of them was set, or that the machine slept. */
const CLOCK_SET = 1_000

const makeTimeline = (clock: Clock.Clock): Timeline => {
  let wall = clock.unsafeCurrentTimeMillis()
  let nanos = clock.unsafeCurrentTimeNanos()
  let at = wall
  let anchor = 0
  let latest = at
  let latestNanos = nanos

  const now = (): number => {
    const currentWall = clock.unsafeCurrentTimeMillis()
    const currentNanos = clock.unsafeCurrentTimeNanos()
    const byWall = currentWall - wall
    // What `isBefore` has read counts too, in case both clocks have been set back since.
    const byNanos = Math.floor(Number((currentNanos < latestNanos ? latestNanos : currentNanos) - nanos) / 1e6)
    latest = Math.max(latest, at + Math.max(byWall, byNanos))
    if (currentNanos < latestNanos || Math.abs(byWall - byNanos) > CLOCK_SET) {
      wall = currentWall
      nanos = currentNanos
      at = latest
      anchor += 1
    }
    latestNanos = currentNanos
    return latest
  }

  const place = (mark: Mark): void => {
    mark.wall = wall + (mark.at - at)
    mark.nanos = nanos + BigInt(Math.ceil((mark.at - at) * 1e6))
    mark.anchor = anchor
  }

  return {
    now,
    isSystem: clock === systemClock,
    mark: (moment) => {
      const mark: Mark = { at: moment, wall: 0, nanos: 0n, anchor }
      place(mark)
      return mark
    },
    isBefore: (mark) => {
      const currentNanos = clock.unsafeCurrentTimeNanos()
      if (mark.anchor === anchor && currentNanos >= latestNanos) {
        latestNanos = currentNanos
        return currentNanos < mark.nanos && clock.unsafeCurrentTimeMillis() < mark.wall
      }
      const isBefore = now() < mark.at
      place(mark)
      return isBefore
    }
  }
}

const timelines = new WeakMap<Clock.Clock, Timeline>()

/** One timeline per clock, because everything that is counted with a clock has to agree. */
export const timelineOf = (clock: Clock.Clock): Timeline => {
  const existing = timelines.get(clock)
  if (existing !== undefined) return existing
  const timeline = makeTimeline(clock)
  timelines.set(clock, timeline)
  return timeline
}

/**
 * The milliseconds since now, by the larger of wall-clock and monotonic time: a clock that is set back stops nothing, and
 * a machine that slept counts.
 */
export const stopwatch: Effect.Effect<() => number> = Effect.map(Effect.clock, (clock) => {
  const millis = clock.unsafeCurrentTimeMillis()
  const nanos = clock.unsafeCurrentTimeNanos()
  return () =>
    Math.max(clock.unsafeCurrentTimeMillis() - millis, Number(clock.unsafeCurrentTimeNanos() - nanos) / 1_000_000)
})

export const countDown = (duration: Duration.Duration): Effect.Effect<() => Duration.Duration> =>
  Effect.map(stopwatch, (elapsed) => () => Duration.subtract(duration, Math.max(0, elapsed())))
