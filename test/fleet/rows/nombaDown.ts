/** Nomba refuses or ignores token requests: the fleet fails like one process, and recovers like one. */
import { Clock, Effect } from "effect"
import { CALLS_PER_COLD_START } from "../../support/bounds.js"
import type { Try } from "../protocol.js"
import { agree, failures, type Outcome, type Row, scene, seconds, until } from "../Row.js"
import type { RealSetting, RealStage, StoreKind } from "../realStage.js"
import type { TokenFailure } from "../Upstream.js"

interface Failing {
  readonly name: string
  readonly failure: TokenFailure
  /** What callers fail with. */
  readonly reason: string
  /** Whether Nomba stated the failure, so that the processes share it. */
  readonly isShared: boolean
  readonly short?: boolean
}

/** A renewal ends within this time, and leaves its waiters some time to learn of it. */
const LIMIT = 30_000
const LATER_THAN_ALONE = 2_000

interface Measured {
  readonly outcome: Outcome
  readonly requests: number
  /** The slowest failure, in milliseconds. */
  readonly slowest: number
  readonly recovery: number
}

const slowestOf = (tries: ReadonlyArray<Try>): number => Math.max(...tries.map(({ took }) => took))

const countFailures = (tries: ReadonlyArray<Try>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { failure = "a token" } of tries) counts[failure] = (counts[failure] ?? 0) + 1
  return counts
}

/** All processes ask at once without a token, fail, and ask again until they have one. */
const measure = (stage: RealStage, store: StoreKind, processes: number, { failure, reason }: Failing) =>
  Effect.gen(function* () {
    const set = yield* scene(stage)
    const { upstream } = set
    const workers = yield* Effect.all(
      Array.from({ length: processes }, () => set.one(set.use(store))),
      { concurrency: 4 }
    )
    yield* upstream.failTokenRequests(failure)
    const tries = yield* Effect.all(
      workers.map((_) => _.tryGet),
      { concurrency: "unbounded" }
    )
    const requests = yield* upstream.tokenCalls
    const { [reason]: expected = 0, ...others } = countFailures(tries)
    set.must(expected === processes, `of ${processes} processes, ${failures(others)} instead of ${reason}`)
    set.must(slowestOf(tries) <= LIMIT, `the slowest process failed after ${slowestOf(tries)} ms`)

    yield* upstream.failTokenRequests()
    const recovering = yield* Clock.currentTimeMillis
    yield* agree(set, workers, "after Nomba recovered")
    const recovery = (yield* Clock.currentTimeMillis) - recovering
    const after = (yield* upstream.tokenCalls) - requests
    set.must(
      after <= CALLS_PER_COLD_START,
      `${after} token requests after Nomba recovered, at most ${CALLS_PER_COLD_START} was due`
    )
    const outcome = yield* set.end(processes, "")
    return { outcome, requests, slowest: slowestOf(tries), recovery } satisfies Measured
  }).pipe(Effect.scoped)

const failing =
  (store: StoreKind) =>
  (kind: Failing): Row<RealSetting> => ({
    name: `${kind.name}, and no process has a token (${store})`,
    short: kind.short === true && store === "Redis",
    run: (stage) =>
      Effect.gen(function* () {
        const alone = yield* measure(stage, store, 1, kind)
        const fleet = yield* measure(stage, store, 8, kind)
        // A time-out is a matter of one host: the next process in line tries for itself as long as it has time.
        const most = alone.requests + (kind.isShared ? 0 : 1)
        const latest = kind.isShared ? alone.slowest + LATER_THAN_ALONE : LIMIT
        const broken = [...alone.outcome.broken, ...fleet.outcome.broken]
        if (fleet.requests > most) broken.push(`${fleet.requests} token requests, at most ${most} were due`)
        if (fleet.slowest > latest) {
          broken.push(`the slowest process failed after ${fleet.slowest} ms, at most ${latest} ms were due`)
        }
        return {
          processes: 8,
          tokenCalls: fleet.outcome.tokenCalls,
          cost: { calls: fleet.requests, most },
          figures: `all failed with ${kind.reason}, the slowest after ${seconds(fleet.slowest)} (one process alone: ${seconds(alone.slowest)}, ${alone.requests} token requests); one token request for all ${seconds(fleet.recovery)} after Nomba recovered`,
          broken
        }
      })
  })

const kinds: ReadonlyArray<Failing> = [
  {
    name: "Nomba answers 503",
    failure: { status: 503 },
    reason: "Unavailable/ServerError",
    isShared: true,
    short: true
  },
  {
    name: "Nomba answers 429 without Retry-After",
    failure: { status: 429 },
    reason: "Unavailable/RateLimited",
    isShared: true
  },
  {
    name: "Nomba answers 429 with Retry-After: 3",
    failure: { status: 429, retryAfter: 3 },
    reason: "Unavailable/RateLimited",
    isShared: true
  },
  {
    name: "Nomba answers 429 with Retry-After: 25",
    failure: { status: 429, retryAfter: 25 },
    reason: "Unavailable/RateLimited",
    isShared: true
  },
  { name: "Nomba never answers", failure: "silent", reason: "Unavailable/Timeout", isShared: false }
]

/** A process that starts shortly before the stored token expires. */
const startsLate = (stage: RealStage, store: StoreKind, failure: TokenFailure) =>
  Effect.gen(function* () {
    const lifetime = 60_000
    const set = yield* scene(stage, { accessLifetime: lifetime })
    const { upstream } = set
    const first = yield* set.one(set.use(store))
    yield* agree(set, [first], "before")
    yield* upstream.failTokenRequests(failure)
    // The last fifth of the lifetime, in which a process renews ahead of expiry.
    const isDue = Effect.gen(function* () {
      return (yield* Clock.currentTimeMillis) - (yield* upstream.issuedAt) > lifetime * 0.82
    })
    set.must(yield* until(isDue, "60 seconds"), "the stored token did not grow old")
    const second = yield* set.one(set.use(store))
    const { failure: failed, message, took, token } = yield* second.tryGet
    set.must(failed === undefined, `the new process failed with ${failed}: ${message}`)
    set.must(token === undefined || token === (yield* upstream.liveToken), "the new process served another token")
    const status = yield* Effect.merge(second.call)
    set.must(status === "200", `its request ended with ${status}`)
    const { broken } = yield* set.end(2, "")
    return { took, broken: broken.map((_) => `${store}, ${JSON.stringify(failure)}: ${_}`) }
  }).pipe(Effect.scoped)

const startsWhileDown: Row<RealSetting> = {
  name: "a process starts shortly before the stored token expires, and Nomba answers 503 or 429 (Redis and file)",
  short: false,
  run: (stage) =>
    Effect.gen(function* () {
      const cases = (["Redis", "file"] as const).flatMap((store) =>
        [503, 429].map((status) => startsLate(stage, store, { status }))
      )
      const results = yield* Effect.all(cases, { concurrency: "unbounded" })
      return {
        processes: 2,
        tokenCalls: 0,
        cost: undefined,
        figures: `the new process served the stored token in all 4 cases, after ${seconds(Math.max(...results.map(({ took }) => took)))} at most`,
        broken: results.flatMap(({ broken }) => broken)
      }
    })
}

export const nombaDown: ReadonlyArray<Row<RealSetting>> = [
  ...kinds.flatMap((kind) => [failing("Redis")(kind), failing("file")(kind)]),
  startsWhileDown
]
