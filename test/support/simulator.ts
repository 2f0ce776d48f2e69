/**
 * Simulated time for volume: a clock over a heap of sleeps and a scheduler that runs until nothing is left to run, both
 * synchronous. `TestClock` waits for real timers between its steps, which makes a week of a fleet take hours.
 *
 * Nothing under simulation may wait for a real promise or timer: it would never come.
 */
import {
  Clock,
  Duration,
  Effect,
  type Exit,
  type Fiber,
  FiberRef,
  GlobalValue,
  Logger,
  LogLevel,
  type Runtime,
  type Scheduler
} from "effect"

interface Sleeper {
  readonly at: number
  readonly order: number
  wake: (() => void) | undefined
}

const isBefore = (a: Sleeper, b: Sleeper): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** A binary heap, the soonest first. */
const makeHeap = () => {
  const heap: Array<Sleeper> = []
  const at = (index: number): Sleeper => heap[index] as Sleeper
  const swap = (i: number, j: number): void => {
    const held = at(i)
    heap[i] = at(j)
    heap[j] = held
  }
  return {
    peek: (): Sleeper | undefined => heap[0],
    push: (sleeper: Sleeper): void => {
      let index = heap.push(sleeper) - 1
      for (let parent = (index - 1) >> 1; index > 0 && isBefore(at(index), at(parent)); parent = (index - 1) >> 1) {
        swap(index, parent)
        index = parent
      }
    },
    pop: (): void => {
      const last = heap.pop()
      if (last === undefined || heap.length === 0) return
      heap[0] = last
      for (let index = 0; ; ) {
        const left = 2 * index + 1
        if (left >= heap.length) return
        const child = left + 1 < heap.length && isBefore(at(left + 1), at(left)) ? left + 1 : left
        if (!isBefore(at(child), at(index))) return
        swap(index, child)
        index = child
      }
    }
  }
}

/**
 * A process of its own: what runs in it stops while it is stalled (SIGSTOP) and goes on where it was, late, when it is
 * resumed; of what was killed (SIGKILL) nothing runs any more, not even a finalizer.
 */
export interface Process {
  readonly fork: <A, E>(program: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>
  /** Something arrives from outside. */
  readonly deliver: (event: () => void) => void
  readonly stall: () => void
  readonly resume: () => void
  readonly kill: () => void
  readonly isAlive: () => boolean
}

export interface Simulation {
  /** The simulated time, in milliseconds. */
  readonly now: () => number
  /** A process whose clock differs from the simulation's by a number of milliseconds that may change. */
  readonly process: (offset?: () => number) => Process
  /** Does something outside every process when a time has passed. */
  readonly after: (millis: number, event: () => void) => void
  /** A clock that runs with this simulation and differs from it by a number of milliseconds that may change. */
  readonly clock: (offset?: () => number) => Clock.Clock
  /** Starts a program; it runs when the simulation does. */
  readonly fork: <A, E>(program: Effect.Effect<A, E>, clock?: Clock.Clock) => Fiber.RuntimeFiber<A, E>
  /** Runs whatever can run without time passing. */
  readonly settle: () => void
  /** Lets time pass, and runs what falls due. */
  readonly pass: (duration: Duration.DurationInput) => void
  /** Runs a program to its end, letting as much time pass as it needs. Throws when it waits for what cannot come. */
  readonly run: <A, E>(program: Effect.Effect<A, E>) => Exit.Exit<A, E>
  /** How many sleeps and events are pending. */
  readonly sleeping: () => number
}

/** Where effect keeps root fibers until they end. Those of a killed process never do. */
const { roots } = GlobalValue.globalValue(Symbol.for("effect/FiberScope/Global"), () => ({
  roots: new Set<Fiber.RuntimeFiber<unknown, unknown>>()
}))

const forget = (scheduler: Scheduler.Scheduler): void => {
  for (const fiber of roots) if (fiber.getFiberRef(FiberRef.currentScheduler) === scheduler) roots.delete(fiber)
}

/** `offset`: how far the clock of what runs outside every process is ahead of the simulation, in milliseconds. */
export const makeSimulation = (start = 0, offset?: () => number): Simulation => {
  let time = start
  let order = 0
  let pending = 0
  const sleepers = makeHeap()
  let ready: Array<() => void> = []

  const settle = (): void => {
    while (ready.length > 0) {
      const due = ready
      ready = []
      for (const run of due) run()
    }
  }

  /** Runs the fibers of one process, each in its turn. */
  const makeScheduler = () => {
    let state: "running" | "stalled" | "dead" = "running"
    let isReady = false
    let tasks: Array<Scheduler.Task> = []

    const run = (): void => {
      isReady = false
      const due = tasks
      tasks = []
      for (let next = 0; next < due.length; next++) {
        if (state !== "running") {
          tasks = state === "dead" ? [] : [...due.slice(next), ...tasks]
          return
        }
        due[next]?.()
      }
    }

    const wake = (): void => {
      if (isReady || state !== "running" || tasks.length === 0) return
      isReady = true
      ready.push(run)
    }

    const enqueue = (task: Scheduler.Task): void => {
      if (state === "dead") return
      tasks.push(task)
      wake()
    }

    const scheduler: Scheduler.Scheduler = {
      scheduleTask: enqueue,
      shouldYield: (fiber) => fiber.currentOpCount > 2048 && 0
    }

    const become = (next: typeof state): void => {
      if (state !== "dead") state = next
      if (state === "dead") tasks = []
      wake()
    }

    return { become, enqueue, scheduler, state: () => state }
  }

  const sleep = (duration: Duration.Duration): Effect.Effect<void> =>
    Effect.async((resume) => {
      const sleeper: Sleeper = {
        at: time + Math.max(0, Duration.toMillis(duration)),
        order: order++,
        wake: () => resume(Effect.void)
      }
      pending += 1
      sleepers.push(sleeper)
      return Effect.sync(() => {
        if (sleeper.wake !== undefined) pending -= 1
        sleeper.wake = undefined
      })
    })

  /** Wakes the soonest sleeper, if it is due by then. */
  const wakeNext = (until: number): boolean => {
    const next = sleepers.peek()
    if (next === undefined || next.at > until) return false
    sleepers.pop()
    if (next.wake !== undefined) {
      time = Math.max(time, next.at)
      pending -= 1
      const { wake } = next
      next.wake = undefined
      wake()
      settle()
    }
    return true
  }

  const clock: Simulation["clock"] = (offset = () => 0) => {
    const millis = () => time + offset()
    // Setting the time moves the wall clock and not the monotonic one.
    const nanos = () => BigInt(Math.round(time * 1e6))
    return {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: millis,
      unsafeCurrentTimeNanos: nanos,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanos: Effect.sync(nanos),
      sleep
    }
  }

  const run = <A, E>(
    program: Effect.Effect<A, E>,
    ticking: Clock.Clock,
    options: Runtime.RunForkOptions
  ): Fiber.RuntimeFiber<A, E> =>
    Effect.runFork(Logger.withMinimumLogLevel(Effect.withClock(program, ticking), LogLevel.None), options)

  const usual = clock(offset)
  const main = makeScheduler()
  const fork: Simulation["fork"] = (program, ticking = usual) => run(program, ticking, { scheduler: main.scheduler })

  const process: Simulation["process"] = (offset) => {
    const ticking = clock(offset)
    const { become, enqueue, scheduler, state } = makeScheduler()
    return {
      fork: (program) => run(program, ticking, { scheduler, immediate: false }),
      deliver: enqueue,
      stall: () => become("stalled"),
      resume: () => become("running"),
      kill: () => {
        become("dead")
        forget(scheduler)
      },
      isAlive: () => state() !== "dead"
    }
  }

  return {
    now: () => time,
    clock,
    process,
    fork,
    after: (millis, event) => {
      pending += 1
      sleepers.push({ at: time + Math.max(0, millis), order: order++, wake: event })
    },
    settle,
    sleeping: () => pending,
    pass: (duration) => {
      const until = time + Duration.toMillis(duration)
      settle()
      while (wakeNext(until)) {}
      time = until
    },
    run: <A, E>(program: Effect.Effect<A, E>): Exit.Exit<A, E> => {
      let exit: Exit.Exit<A, E> | undefined
      fork(program).addObserver((end) => {
        exit = end
      })
      settle()
      while (exit === undefined && wakeNext(Number.POSITIVE_INFINITY)) {}
      if (exit === undefined) throw new Error("the simulated program waits for something that cannot come")
      return exit
    }
  }
}
