/** The process that holds the right to renew dies, or stands still until it has lost it. */
import { Effect, Fiber } from "effect"
import { CALLS_PER_LOST_HOLDER, CALLS_PER_RENEWAL } from "../../support/bounds.js"
import type { Worker } from "../Fleet.js"
import type { Point } from "../protocol.js"
import { agree, type Row, type Scene, scene, seconds, until } from "../Row.js"

type Moment = Point | "during the token call"
type Call = "issue" | "refresh"

const moments: ReadonlyArray<Moment> = [
  "before the token call",
  "during the token call",
  "after the answer",
  "before the write"
]
const calls: ReadonlyArray<Call> = ["issue", "refresh"]

/** So that the lease of a holder that is gone runs out soon. */
const requestTimeout = 2_000

interface Cast {
  readonly stage: Scene
  readonly holder: Worker
  readonly others: ReadonlyArray<Worker>
  readonly begin: (worker: Worker) => Effect.Effect<unknown, Error>
  /** Issues and refreshes since it began. */
  readonly tokenCalls: Effect.Effect<number>
}

/** The holder is where it was told to stop. */
const prepare = (file: string, moment: Moment, call: Call) =>
  Effect.gen(function* () {
    const stage = yield* scene(file)
    const { sandbox } = stage.upstream
    const others = yield* stage.start(2, { requestTimeout })
    if (call === "refresh") yield* agree(stage, others, "before")
    const before = yield* stage.upstream.tokenCalls
    const tokenCalls = Effect.map(stage.upstream.tokenCalls, (_) => _ - before)
    const holder = yield* stage.one({
      requestTimeout,
      waitAt: moment === "during the token call" ? undefined : moment
    })
    const begin = (worker: Worker) => (call === "issue" ? worker.get : worker.renew)
    if (moment === "during the token call") yield* Effect.orDie(sandbox.fault(call, { latency: "1500 millis" }))
    const renewal = yield* Effect.fork(Effect.exit(begin(holder)))
    if (moment === "during the token call") yield* until(Effect.map(tokenCalls, (count) => count > 0))
    else yield* holder.arrived
    const cast: Cast = { stage, holder, others, begin, tokenCalls }
    return { ...cast, renewal }
  })

const killed = (moment: Moment, call: Call): Row => ({
  name: `the holder of the right is killed ${moment} (${call})`,
  short: call === "issue",
  run: (file) =>
    Effect.gen(function* () {
      const { begin, holder, others, stage, tokenCalls } = yield* prepare(file, moment, call)
      yield* holder.kill
      const [took] = yield* Effect.timed(Effect.all(others.map(begin), { concurrency: "unbounded" }))
      yield* agree(stage, others, "afterwards")
      const sent = yield* tokenCalls
      const most = moment === "before the token call" ? CALLS_PER_RENEWAL : CALLS_PER_LOST_HOLDER
      stage.must(sent <= most, `${sent} token calls, at most ${most} were due`)
      return yield* stage.end(
        3,
        `${sent} token calls for this renewal (at most ${most}); the others had their token after ${seconds(took)}`
      )
    })
})

/**
 * How many token calls a holder costs that stands still. With the last look behind it, it ends the others' session; of
 * two sessions from one second nobody knows which is alive, and the next request finds out.
 */
const mostCalls: Readonly<Record<Moment, number>> = {
  "before the token call": CALLS_PER_RENEWAL,
  "during the token call": CALLS_PER_LOST_HOLDER,
  "after the last look": 2 * CALLS_PER_LOST_HOLDER,
  "after the answer": CALLS_PER_LOST_HOLDER,
  "before the write": CALLS_PER_LOST_HOLDER
}

const stopped = (moment: Moment, call: Call): Row => ({
  name: `the holder of the right stands still ${moment} until it has lost it, and goes on (${call})`,
  short: call === "refresh" && moment === "before the token call",
  run: (file) =>
    Effect.gen(function* () {
      const { begin, holder, others, renewal, stage, tokenCalls } = yield* prepare(file, moment, call)
      if (moment !== "after the last look") yield* holder.stop
      yield* Effect.all(others.map(begin), { concurrency: "unbounded" })
      yield* agree(stage, others, "while the holder stands still")
      const alive = yield* stage.upstream.live
      yield* holder.continue
      if (moment !== "during the token call" && moment !== "after the last look") yield* holder.goOn
      yield* Fiber.join(renewal)
      const isAlive = (yield* stage.upstream.live) === alive
      stage.must(isAlive || moment === "after the last look", "it ended the session that the others had made meanwhile")
      const statuses = yield* Effect.all([holder, ...others].map((_) => _.call))
      stage.must(
        statuses.every((_) => _ === "200"),
        `requests afterwards ended with ${statuses.join(", ")}`
      )
      yield* agree(stage, [holder, ...others], "in the end")
      const sent = yield* tokenCalls
      stage.must(sent <= mostCalls[moment], `${sent} token calls, at most ${mostCalls[moment]} were due`)
      const end = isAlive ? "the others' session lives on" : "the others' session was ended"
      return yield* stage.end(3, `${sent} token calls for this renewal (at most ${mostCalls[moment]}); ${end}`)
    })
})

export const holders: ReadonlyArray<Row> = calls.flatMap((call) => [
  ...moments.map((moment) => killed(moment, call)),
  ...moments.map((moment) => stopped(moment, call)),
  stopped("after the last look", call)
])
