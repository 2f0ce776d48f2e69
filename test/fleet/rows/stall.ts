/** The whole process is paused during its renewal, for longer than the time-outs of the renewal. */
import { Duration, Effect, Fiber } from "effect"
import { CALLS_PER_RENEWAL } from "../../support/bounds.js"
import { agree, type Row, scene, until } from "../Row.js"
import type { RealSetting, RealStage, StoreKind } from "../realStage.js"

interface Stall {
  readonly store: StoreKind
  /** In milliseconds. */
  readonly lasts: number
  readonly requestTimeout: number
  readonly short?: boolean
}

/** Calls that begin as soon as the process runs again. */
const CALLS = 5

const duringRenewal = (stage: RealStage, { lasts, requestTimeout, store }: Stall, request: "issue" | "refresh") =>
  Effect.gen(function* () {
    const set = yield* scene(stage)
    const { must, upstream } = set
    const worker = yield* set.one({ requestTimeout, ...set.use(store) })
    if (request === "refresh") yield* agree(set, [worker], "before")
    const before = yield* upstream.tokenCalls
    yield* upstream.delayNext(request, requestTimeout / 4)
    const waiter = yield* Effect.fork(Effect.either(request === "issue" ? worker.get : worker.outlive))
    must(yield* until(Effect.map(upstream.tokenCalls, (count) => count > before)), "no token request was sent")
    // Well before the answer: a stall that may have come before the request was sent is another case.
    yield* Effect.sleep("100 millis")
    yield* worker.stop
    yield* Effect.sleep(lasts)
    const answered = yield* upstream.liveToken
    yield* worker.continue
    const calls = yield* Effect.all(
      Array.from({ length: CALLS }, () => Effect.merge(worker.call)),
      { concurrency: "unbounded" }
    )
    must(
      calls.every((status) => status === "200"),
      `calls after the pause ended with ${calls.join(", ")}`
    )
    const waited = yield* Fiber.join(waiter)
    must(waited._tag === "Right", `the caller that had waited failed with ${waited._tag === "Left" ? waited.left : ""}`)
    const token = yield* Effect.merge(worker.get)
    must(token === answered, "the answer that had arrived was not kept")
    const requests = (yield* upstream.tokenCalls) - before
    must(requests <= CALLS_PER_RENEWAL, `${requests} token requests, at most ${CALLS_PER_RENEWAL} was due`)
    const { broken } = yield* set.end(1, "")
    return { requests, broken: broken.map((_) => `${request}: ${_}`) }
  }).pipe(Effect.scoped)

const stalled = (stall: Stall): Row<RealSetting> => ({
  name: `a process is paused for ${stall.lasts / 1000} s during its token request (${stall.store})`,
  short: stall.short ?? false,
  run: (stage) =>
    Effect.gen(function* () {
      const results = yield* Effect.all(
        [duringRenewal(stage, stall, "issue"), duringRenewal(stage, stall, "refresh")],
        { concurrency: "unbounded" }
      )
      const requests = results.reduce((total, _) => total + _.requests, 0)
      return {
        processes: 1,
        tokenCalls: requests,
        cost: { calls: requests, most: 2 * CALLS_PER_RENEWAL },
        figures: `an issue and a refresh; time-out of a token request ${Duration.toSeconds(stall.requestTimeout)} s; after the pause all calls succeeded with the answer that had arrived`,
        broken: results.flatMap(({ broken }) => broken)
      }
    })
})

const stores: ReadonlyArray<StoreKind> = ["memory", "file", "Redis"]

export const stalls: ReadonlyArray<Row<RealSetting>> = [
  ...stores.map((store) => stalled({ store, lasts: 6_000, requestTimeout: 3_000, short: store === "Redis" })),
  ...stores.map((store) => stalled({ store, lasts: 35_000, requestTimeout: 5_000 }))
]
