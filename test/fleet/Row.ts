/** One misfortune of a fleet, what must hold in it, and what was counted. */
import { Duration, Effect, Option, Schedule, type Scope } from "effect"
import type { RedisServerService } from "../support/redis.js"
import { redisServer } from "../support/redis.js"
import { startWorker, type Worker } from "./Fleet.js"
import type { Report, WorkerOptions } from "./protocol.js"
import { makeUpstream, type Upstream } from "./Upstream.js"

export interface Row {
  readonly name: string
  /** Whether it is quick enough for every run of the tests. */
  readonly short: boolean
  /** Whether nothing has to hold in it: it shows what the others are spared. */
  readonly isComparison?: boolean
  readonly run: (file: string) => Effect.Effect<Outcome, Error, Scope.Scope>
}

export interface Outcome {
  readonly processes: number
  /** Issues and refreshes that reached Nomba. */
  readonly tokenCalls: number
  /** What was counted or measured beside, in words. */
  readonly figures: string
  /** What must hold and did not. */
  readonly broken: ReadonlyArray<string>
}

export interface Scene {
  readonly upstream: Upstream
  readonly redis: RedisServerService
  readonly start: (
    count: number,
    options?: Partial<WorkerOptions>
  ) => Effect.Effect<ReadonlyArray<Worker>, Error, Scope.Scope>
  readonly one: (options?: Partial<WorkerOptions>) => Effect.Effect<Worker, Error, Scope.Scope>
  /** Notes what is broken unless the condition holds. */
  readonly must: (condition: boolean, what: string) => void
  readonly end: (processes: number, figures: string) => Effect.Effect<Outcome>
}

/** A Nomba, a Redis, and no process yet. */
export const scene = (
  file: string,
  { accessLifetime = 600_000 }: { readonly accessLifetime?: number } = {}
): Effect.Effect<Scene, Error, Scope.Scope> =>
  Effect.gen(function* () {
    const upstream = yield* makeUpstream(accessLifetime)
    const redis = yield* redisServer("--maxmemory-policy", "noeviction")
    const broken: Array<string> = []
    const one: Scene["one"] = (options) => startWorker(file, { baseUrl: upstream.url, redis: redis.port, ...options })
    return {
      upstream,
      redis,
      one,
      start: (count, options) =>
        Effect.all(
          Array.from({ length: count }, () => one(options)),
          { concurrency: 4 }
        ),
      must: (condition, what) => {
        if (!condition) broken.push(what)
      },
      end: (processes, figures) =>
        Effect.map(upstream.tokenCalls, (tokenCalls) => ({ processes, tokenCalls, figures, broken }))
    }
  })

/**
 * Everybody asks for a token until all of them have the one that is alive; once is enough unless tokens are short-lived
 * or somebody has yet to hear of a newer session.
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
      const live = yield* upstream.live
      return tokens.every((token) => Option.isSome(token) && token.value === live)
    })
    must(yield* until(agreed), `${when}, not everybody has the session that is alive`)
    must(
      workers.every((_) => _.isAlive()),
      `${when}, a process has died`
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

/** How often something failed that must not fail, by tag; empty when nothing did. */
export const failures = (failed: Readonly<Record<string, number>>): string =>
  Object.entries(failed)
    .map(([tag, count]) => `${count} × ${tag}`)
    .join(", ")

/** Looks again and again whether something holds; answers whether it did in time. */
export const until = <E>(
  condition: Effect.Effect<boolean, E>,
  within: Duration.DurationInput = "40 seconds"
): Effect.Effect<boolean, E> =>
  Effect.repeat(condition, { until: (holds) => holds, schedule: Schedule.spaced("50 millis") }).pipe(
    Effect.timeoutTo({ duration: within, onSuccess: () => true, onTimeout: () => false })
  )

export const seconds = (duration: Duration.Duration): string => `${Duration.toSeconds(duration).toFixed(1)} s`
