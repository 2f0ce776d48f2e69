/** Steady load over several lifetimes of a token, without faults. */
import { Clock, Effect } from "effect"
import { CALLS_PER_RENEWAL, renewalsWithin } from "../../support/bounds.js"
import { agree, failures, load, type Row, reports, scene } from "../Row.js"
import type { RealSetting } from "../realStage.js"

/** The time between two requests of a process, in milliseconds. */
const EVERY = 300

interface Kind {
  readonly name: string
  readonly short: boolean
  readonly processes: number
  readonly lifetime: number
  readonly lifetimes: number
  readonly latency?: number
  readonly offsets?: ReadonlyArray<number>
}

const steady = ({ latency = 0, lifetime, lifetimes, name, offsets = [0], processes, short }: Kind): Row => ({
  name,
  short,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage, { accessLifetime: lifetime, storeLatency: latency })
      const workers = yield* Effect.all(
        Array.from({ length: processes }, (_, index) => set.one({ clockOffset: offsets[index % offsets.length] ?? 0 })),
        { concurrency: 4 }
      )
      yield* agree(set, workers, "after the start")
      const before = yield* set.upstream.tokenCalls
      const begun = yield* Clock.currentTimeMillis
      yield* load(workers, EVERY)
      yield* Effect.sleep(lifetimes * lifetime)
      const traffic = yield* reports(workers)
      const renewals = (yield* set.upstream.tokenCalls) - before
      const most = CALLS_PER_RENEWAL * renewalsWithin((yield* Clock.currentTimeMillis) - begun, lifetime)
      yield* agree(set, workers, "in the end")

      const { failed, ok, streamed, unauthorized } = traffic
      set.costs(renewals, most)
      set.must(renewals >= lifetimes / 2, `only ${renewals} renewals in ${lifetimes} lifetimes`)
      set.must(unauthorized.length === 0, `${unauthorized.length} requests ended with a 401`)
      set.must(failures(failed) === "", failures(failed))
      set.must(set.upstream.repeated() === 0, `${set.upstream.repeated()} POSTs were processed twice`)
      const expired = set.upstream.expired()
      set.must(lifetime < 10_000 || expired === 0, `${expired} requests came with an expired token`)
      set.must(
        Object.keys(streamed).every((status) => status === "200" || status === "401"),
        `a request with a streamed body ended with another status: ${JSON.stringify(streamed)}`
      )
      const replayed = set.upstream.rejected() - (streamed[401] ?? 0)
      return yield* set.end(
        processes,
        `${renewals} renewals (at most ${most}), ${ok} requests answered, 0 failed, ${replayed} of them replayed, ${expired} arrived with a token that had just expired; streamed bodies: ${streamed[200] ?? 0} answered, ${streamed[401] ?? 0} rejected`
      )
    })
})

/** The same load without a shared store: each process issues for itself and ends the session of the others. */
export const privateCaches: Row<RealSetting> = {
  name: "for comparison: 8 processes with private caches under load for 10 lifetimes of 2 s",
  short: false,
  isComparison: true,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage, { accessLifetime: 2_000 })
      const workers = yield* Effect.all(
        Array.from({ length: 8 }, () => set.one({ redis: undefined })),
        { concurrency: 4 }
      )
      yield* load(workers, EVERY)
      yield* Effect.sleep("20 seconds")
      const { failed, ok, unauthorized } = yield* reports(workers)
      return yield* set.end(
        8,
        `${ok} requests answered, ${unauthorized.length} ended with a 401, others: ${failures(failed) || "none"}`
      )
    })
}

const MINUTES = 60_000

export const steadyLoads: ReadonlyArray<Row> = [
  steady({
    name: "4 processes under load past one renewal",
    short: false,
    processes: 4,
    lifetime: 15_000,
    lifetimes: 1.2
  }),
  steady({
    name: "8 processes under load for 3 lifetimes of 12 s",
    short: false,
    processes: 8,
    lifetime: 12_000,
    lifetimes: 3
  }),
  steady({
    name: "processes whose clocks are 10 minutes slow and fast, under load past one renewal",
    short: false,
    processes: 3,
    lifetime: 15_000,
    lifetimes: 1.2,
    offsets: [0, 10 * MINUTES, -10 * MINUTES]
  }),
  steady({
    name: "Redis 100 ms away, under load for 3 lifetimes of 6 s",
    short: false,
    processes: 4,
    lifetime: 6_000,
    lifetimes: 3,
    latency: 100
  })
]
