/** The simulator against `TestClock`, on the same random programs; and its processes. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, FastCheck as fc, Option, Queue, TestClock, TestContext } from "effect"
import { makeSimulation } from "./simulator.js"

/** A program as data, so that it can be printed and run twice. */
type Program =
  | { readonly _tag: "Sleep"; readonly millis: number }
  | { readonly _tag: "Fail" }
  | { readonly _tag: "InOrder" | "AtOnce"; readonly all: ReadonlyArray<Program> }
  | { readonly _tag: "Race" | "RaceFirst" | "OrElse" | "Ensuring"; readonly one: Program; readonly other: Program }
  | { readonly _tag: "Join" | "Interrupt"; readonly forked: Program; readonly meanwhile: Program }
  | { readonly _tag: "Timeout" | "TimeoutDisconnected"; readonly millis: number; readonly program: Program }
  | { readonly _tag: "Uninterruptible"; readonly program: Program }

/**
 * Drawn evenly, so that hardly any two sums are equal: what ends in the same millisecond ends in an order that nobody
 * promises, and under each clock another one may win.
 */
const millis = fc.noBias(fc.integer({ min: 1, max: 10_000_000 }))

const { program: programs } = fc.letrec<{ program: Program }>((tie) => {
  const program = tie("program")
  const sleep = fc.record({ _tag: fc.constant("Sleep" as const), millis })
  return {
    program: fc.oneof(
      { depthSize: "small", maxDepth: 5, withCrossShrink: true },
      { weight: 3, arbitrary: sleep },
      { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Fail" as const) }) },
      {
        weight: 3,
        arbitrary: fc.record({
          _tag: fc.constantFrom("InOrder" as const, "AtOnce" as const),
          all: fc.array(program, { minLength: 1, maxLength: 4 })
        })
      },
      {
        weight: 3,
        arbitrary: fc.record({
          _tag: fc.constantFrom("Race" as const, "RaceFirst" as const, "OrElse" as const, "Ensuring" as const),
          one: program,
          other: program
        })
      },
      {
        weight: 3,
        arbitrary: fc.record({
          _tag: fc.constantFrom("Join" as const, "Interrupt" as const),
          forked: program,
          meanwhile: program
        })
      },
      {
        weight: 3,
        arbitrary: fc.record({
          _tag: fc.constantFrom("Timeout" as const, "TimeoutDisconnected" as const),
          millis,
          program
        })
      },
      { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Uninterruptible" as const), program }) }
    )
  }
})

interface Seen {
  readonly exit: string
  /** When each sleep ended, and how. */
  readonly ends: ReadonlyArray<string>
  readonly endedAt: number
}

const toEffect = (program: Program, ends: Array<string>): Effect.Effect<unknown, string> => {
  const run = (program: Program): Effect.Effect<unknown, string> => {
    switch (program._tag) {
      case "Sleep":
        return Effect.onExit(Effect.sleep(program.millis), (exit) =>
          Effect.map(Clock.currentTimeMillis, (now) => void ends.push(`${now} ${program.millis} ${exit._tag}`))
        )
      case "Fail":
        return Effect.fail("failed")
      case "InOrder":
        return Effect.forEach(program.all, run)
      case "AtOnce":
        return Effect.forEach(program.all, run, { concurrency: "unbounded" })
      case "Race":
        return Effect.race(run(program.one), run(program.other))
      case "RaceFirst":
        return Effect.raceFirst(run(program.one), run(program.other))
      case "OrElse":
        return Effect.orElse(run(program.one), () => run(program.other))
      case "Ensuring":
        return Effect.ensuring(run(program.one), Effect.ignore(run(program.other)))
      case "Join":
        return Effect.flatMap(Effect.fork(run(program.forked)), (fiber) =>
          Effect.zipRight(run(program.meanwhile), Fiber.join(fiber))
        )
      case "Interrupt":
        return Effect.flatMap(Effect.fork(run(program.forked)), (fiber) =>
          Effect.zipRight(run(program.meanwhile), Fiber.interrupt(fiber))
        )
      case "Timeout":
        return Effect.timeoutOption(run(program.program), program.millis)
      case "TimeoutDisconnected":
        return Effect.timeoutOption(Effect.disconnect(run(program.program)), program.millis)
      case "Uninterruptible":
        return Effect.uninterruptible(run(program.program))
    }
  }
  return run(program)
}

/** Longer than any program takes. */
const LONG = Duration.days(365)

/** Runs under either clock, from time 0 until nothing is left of it. */
const watch = (program: Program): { readonly effect: Effect.Effect<void>; readonly seen: () => Seen | undefined } => {
  const ends: Array<string> = []
  let outcome: Omit<Seen, "ends"> | undefined
  return {
    effect: Effect.flatMap(Effect.exit(toEffect(program, ends)), (exit) =>
      Effect.map(Clock.currentTimeMillis, (endedAt) => {
        outcome = { exit: Exit.isSuccess(exit) ? `succeeded` : `${exit.cause._tag}`, endedAt }
      })
    ),
    seen: () => outcome && { ...outcome, ends: ends.toSorted() }
  }
}

const underTestClock = (program: Program) =>
  Effect.gen(function* () {
    const { effect, seen } = watch(program)
    yield* Effect.forkDaemon(effect)
    yield* TestClock.adjust(LONG)
    return seen()
  }).pipe(Effect.provide(TestContext.TestContext))

const underSimulation = (program: Program): Seen | undefined => {
  const simulation = makeSimulation()
  const { effect, seen } = watch(program)
  simulation.fork(effect)
  simulation.pass(LONG)
  return seen()
}

describe("the simulator", () => {
  it.live(
    "ends each sleep, race, time-out and interruption of a program when TestClock does",
    () =>
      Effect.gen(function* () {
        const seed = Date.now() & 0x7fffffff
        const sample = fc.sample(programs, { numRuns: 120, seed })
        const expected = yield* Effect.forEach(sample, underTestClock, { concurrency: "unbounded" })
        sample.forEach((program, index) => {
          assert.isDefined(expected[index])
          assert.deepStrictEqual(
            underSimulation(program),
            expected[index],
            `seed ${seed}: ${JSON.stringify(program, undefined, 1)}`
          )
        })
      }),
    60_000
  )

  it("lets only as much time pass as programs sleep", () => {
    const simulation = makeSimulation(5)
    const exit = simulation.run(Effect.zipRight(Effect.sleep("2 hours"), Clock.currentTimeMillis))
    assert.deepStrictEqual(exit, Exit.succeed(5 + 7_200_000))
    assert.strictEqual(simulation.sleeping(), 0)
  })

  it("throws if a program waits for what cannot come", () => {
    assert.throws(() => makeSimulation().run(Effect.never), "cannot come")
  })
})

describe("a simulated process", () => {
  const ticking = () => {
    const simulation = makeSimulation()
    const process = simulation.process(() => 1_000)
    const ticks: Array<number> = []
    process.fork(
      Effect.forever(
        Effect.flatMap(Effect.delay(Clock.currentTimeMillis, 10), (now) => Effect.sync(() => ticks.push(now)))
      )
    )
    return { simulation, process, ticks }
  }

  it("uses its own clock", () => {
    const { simulation, ticks } = ticking()
    simulation.pass(25)
    assert.deepStrictEqual(ticks, [1_010, 1_020])
  })

  it("does nothing while it is stalled, and continues late", () => {
    const { process, simulation, ticks } = ticking()
    simulation.pass(15)
    process.stall()
    simulation.pass(100)
    assert.deepStrictEqual(ticks, [1_010])
    process.resume()
    simulation.pass(10)
    assert.deepStrictEqual(ticks, [1_010, 1_115, 1_125])
  })

  it("stalls at once, in the middle of its work", () => {
    const simulation = makeSimulation()
    const process = simulation.process()
    const done: Array<string> = []
    process.fork(Effect.sync(() => process.stall()))
    process.fork(Effect.sync(() => done.push("after it")))
    simulation.settle()
    assert.deepStrictEqual(done, [])
    process.resume()
    simulation.settle()
    assert.deepStrictEqual(done, ["after it"])
  })

  it("gets what arrived while it was stalled when it continues", () => {
    const simulation = makeSimulation()
    const process = simulation.process()
    const letters = Effect.runSync(Queue.unbounded<string>())
    const read: Array<string> = []
    process.fork(Effect.forever(Effect.map(Queue.take(letters), (letter) => read.push(letter))))
    process.stall()
    simulation.after(5, () => process.deliver(() => void Queue.unsafeOffer(letters, "late")))
    simulation.pass(10)
    assert.deepStrictEqual(read, [])
    process.resume()
    simulation.settle()
    assert.deepStrictEqual(read, ["late"])
  })

  it("runs nothing after it was killed, not even a finalizer", () => {
    const { process, simulation, ticks } = ticking()
    let isFinalized = false
    const fiber = process.fork(
      Effect.ensuring(
        Effect.never,
        Effect.sync(() => (isFinalized = true))
      )
    )
    simulation.pass(15)
    process.kill()
    simulation.fork(Fiber.interrupt(fiber))
    process.resume()
    simulation.pass(100)
    assert.deepStrictEqual([ticks, isFinalized, process.isAlive()], [[1_010], false, false])
    assert.isTrue(Option.isNone(Effect.runSync(Fiber.poll(fiber))))
  })
})
