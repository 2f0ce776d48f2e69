/** One line a step, for people: coloured on a terminal, plain in a pipe. */
import { Cause, Effect, Exit, Option } from "effect"

/** What a step found, with its figures, and whether that is what was promised. */
export interface Finding {
  readonly holds: boolean
  readonly says: string
}

export interface Step<R = never> {
  /** What is promised, for someone who has never heard of Effect. */
  readonly promise: string
  readonly run: Effect.Effect<Finding, unknown, R>
}

const colour = process.stdout.isTTY && process.env["NO_COLOR"] === undefined
const paint = (code: number) => (text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
const green = paint(32)
const red = paint(31)
const bold = paint(1)
const dim = paint(2)

export const print = (line = ""): Effect.Effect<void> =>
  Effect.sync(() => {
    process.stdout.write(`${line}\n`)
  })

export const title = (text: string): Effect.Effect<void> => print(bold(text))
export const note = (text: string): Effect.Effect<void> => print(dim(text))

const message = (cause: Cause.Cause<unknown>): string =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => Cause.pretty(cause),
    onSome: (error) => (error instanceof Error ? error.message : String(error))
  })

/**
 * Runs the steps in turn, each at most 30 s, and answers whether every one held. Steps that rest on one that failed wait.
 * Where people are to look on, each promise is told before it is tried, and there is time around it.
 */
export const steps = <R>(
  all: ReadonlyArray<Step<R>>,
  { slowly = false, stopAtFailure = false }: { readonly slowly?: boolean; readonly stopAtFailure?: boolean } = {}
): Effect.Effect<boolean, never, R> =>
  Effect.gen(function* () {
    let held = 0
    for (const { promise, run } of all) {
      if (slowly) yield* Effect.zipRight(note(`… ${promise}`), Effect.sleep("2 seconds"))
      const exit = yield* Effect.exit(Effect.timeout(run, "30 seconds"))
      const finding = Exit.isSuccess(exit) ? exit.value : { holds: false, says: message(exit.cause) }
      if (finding.holds) held += 1
      yield* print(`${finding.holds ? green("✓") : red("✗")} ${promise}`)
      yield* note(`    ${finding.says}`)
      if (!finding.holds && stopAtFailure) break
      if (slowly) yield* Effect.sleep("5 seconds")
    }
    yield* print()
    yield* print(
      held === all.length ? green(`All ${held} promises held.`) : red(`${held} of ${all.length} promises held.`)
    )
    return held === all.length
  })

/** The effect's result and how many milliseconds it took. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<readonly [A, number], E, R> =>
  Effect.suspend(() => {
    const start = performance.now()
    return Effect.map(effect, (value) => [value, performance.now() - start] as const)
  })

export const ms = (millis: number): string => `${millis < 10 ? millis.toFixed(1) : Math.round(millis)} ms`
export const count = (n: number, thing: string): string => `${n.toLocaleString("en")} ${thing}${n === 1 ? "" : "s"}`
