/** Test time. */
import { Cause, type Duration, Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { makeSimulation } from "./simulator.js"

/** Runs a program while the given time passes, and waits for it. */
export const during =
  (duration: Duration.DurationInput) =>
  <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(program)
      yield* TestClock.adjust(duration)
      return yield* Fiber.join(fiber)
    })

/** Runs a program in a scope of its own, and lets the given time pass while that closes. */
export const closingDuring =
  (duration: Duration.DurationInput) =>
  <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const exit = yield* Effect.exit(Scope.extend(program, scope))
      yield* Scope.close(scope, exit).pipe(Effect.uninterruptible, during(duration))
      return yield* exit
    })

/** Lets everything run that needs no time. */
export const settle: Effect.Effect<void> = TestClock.adjust(0)

/** How a fiber has ended, if it has. */
export const ended = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Effect.Effect<Exit.Exit<A, E> | undefined> =>
  Effect.map(Fiber.poll(fiber), (exit) => (exit._tag === "Some" ? exit.value : undefined))

/** Runs many copies of a program at once. */
export const together = <A, E, R>(copies: number, program: Effect.Effect<A, E, R>): Effect.Effect<Array<A>, E, R> =>
  Effect.all(
    Array.from({ length: copies }, () => program),
    { concurrency: "unbounded" }
  )

/** Runs a program in simulated time, where each sleep of its own lets as much time pass. Throws what it fails with. */
export const simulated = <A, E>(program: Effect.Effect<A, E, Scope.Scope>): A => {
  const exit = makeSimulation().run(Effect.scoped(program))
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}
