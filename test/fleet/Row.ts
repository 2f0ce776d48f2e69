/** One row of the fault table: a situation, its checks, and what was counted. */
import { Duration, Effect, Option, Schedule, type Scope } from "effect"
import type { ProcessOptions, Report } from "./protocol.js"
import type { Setting, SettingOptions, Stage, Worker } from "./Stage.js"

export interface Row<S extends Setting = Setting> {
  readonly name: string
  /** Whether it is part of `npm test`. */
  readonly short: boolean
  /** Shows what happens without the library's protection: it has no checks. */
  readonly isComparison?: boolean
  readonly run: (stage: Stage<S>) => Effect.Effect<Outcome, Error, Scope.Scope>
}

export interface Outcome {
  readonly processes: number
  /** Issues and refreshes that reached Nomba. */
  readonly tokenCalls: number
  /** Those that the situation caused, and the most that are allowed. Undefined if the row does not limit them. */
  readonly cost: Cost | undefined
  /** Other counts and measurements, in words. */
  readonly figures: string
  /** The checks that failed. */
  readonly broken: ReadonlyArray<string>
}

export interface Cost {
  readonly calls: number
  readonly most: number
}

export type Scene<S extends Setting = Setting> = S & {
  readonly start: (
    count: number,
    options?: Partial<ProcessOptions>
  ) => Effect.Effect<ReadonlyArray<Worker>, Error, Scope.Scope>
  /** Records a failed check unless the condition holds. */
  readonly must: (condition: boolean, what: string) => void
  /** Records the token requests that the situation caused, and a failed check if there are more than allowed. */
  readonly costs: (calls: number, most: number) => void
  readonly end: (processes: number, figures: string) => Effect.Effect<Outcome>
}

/** Starts a Nomba and a store, and no process yet. */
export const scene = <S extends Setting>(
  stage: Stage<S>,
  options: SettingOptions = {}
): Effect.Effect<Scene<S>, Error, Scope.Scope> =>
  Effect.map(stage.build(options), (setting) => {
    const broken: Array<string> = []
    let cost: Cost | undefined
    return {
      ...setting,
      start: (count, options) =>
        Effect.all(
          Array.from({ length: count }, () => setting.one(options)),
          { concurrency: 4 }
        ),
      must: (condition, what) => {
        if (!condition) broken.push(what)
      },
      costs: (calls, most) => {
        cost = { calls, most }
        if (calls > most) broken.push(`${calls} token requests, at most ${most} were due`)
      },
      end: (processes, figures) =>
        Effect.map(setting.upstream.tokenCalls, (tokenCalls) => ({ processes, tokenCalls, cost, figures, broken }))
    }
  })

/**
 * All processes get a token, again until all of them have the live one. Once is enough unless tokens are short-lived or a
 * process has yet to hear of a newer session.
 */
export const agree = (
  { must, upstream }: Scene,
  workers: ReadonlyArray<Worker>,
  when: string
): Effect.Effect<void, Error> =>
  Effect.gen(function* () {
    const agreed = Effect.gen(function* () {
      const tokens = yield* Effect.all(
        workers.map((_) => Effect.option(_.get)),
        { concurrency: "unbounded" }
      )
      const live = yield* upstream.liveToken
      return tokens.every((token) => Option.isSome(token) && token.value === live)
    })
    must(yield* until(agreed), `${when}, not all processes have the live session`)
    must(
      workers.every((_) => _.isAlive()),
      `${when}, a process has ended`
    )
  })

export interface Traffic {
  readonly ok: number
  readonly unauthorized: ReadonlyArray<string>
  readonly failed: Readonly<Record<string, number>>
  readonly streamed: Readonly<Record<number, number>>
  readonly firstFailure: number
  readonly lastFailure: number
}

export const sum = (reports: ReadonlyArray<Report>): Traffic => {
  const failed: Record<string, number> = {}
  const streamed: Record<number, number> = {}
  for (const report of reports) {
    for (const [tag, count] of Object.entries(report.failed)) failed[tag] = (failed[tag] ?? 0) + count
    if (report.streamed !== undefined) streamed[report.streamed] = (streamed[report.streamed] ?? 0) + 1
  }
  return {
    ok: reports.reduce((total, { ok }) => total + ok, 0),
    unauthorized: reports.flatMap(({ unauthorized }) => unauthorized),
    failed,
    streamed,
    firstFailure: Math.min(...reports.map((_) => _.firstFailure ?? Number.POSITIVE_INFINITY)),
    lastFailure: Math.max(...reports.map((_) => _.lastFailure ?? Number.NEGATIVE_INFINITY))
  }
}

export const load = (workers: ReadonlyArray<Worker>, every: number): Effect.Effect<unknown, Error> =>
  Effect.all(
    workers.map((_) => _.load(every)),
    { concurrency: "unbounded" }
  )

export const reports = (workers: ReadonlyArray<Worker>): Effect.Effect<Traffic, Error> =>
  Effect.map(
    Effect.all(
      workers.map((_) => _.report),
      { concurrency: "unbounded" }
    ),
    sum
  )

/** The failures by tag, in words; empty if there are none. */
export const failures = (failed: Readonly<Record<string, number>>): string =>
  Object.entries(failed)
    .map(([tag, count]) => `${count} × ${tag}`)
    .join(", ")

/** Polls until the condition holds; answers whether it did in time. */
export const until = <E>(
  condition: Effect.Effect<boolean, E>,
  within: Duration.DurationInput = "40 seconds"
): Effect.Effect<boolean, E> =>
  Effect.repeat(condition, { until: (holds) => holds, schedule: Schedule.spaced("50 millis") }).pipe(
    Effect.timeoutTo({ duration: within, onSuccess: () => true, onTimeout: () => false })
  )

export const seconds = (duration: Duration.DurationInput): string => `${Duration.toSeconds(duration).toFixed(1)} s`
