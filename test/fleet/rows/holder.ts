/** The process that holds the right to renew dies, or stands still until it has lost it. */
import { Effect, Fiber } from "effect"
import { CALLS_PER_LATE_HOLDER, CALLS_PER_LOST_HOLDER, CALLS_PER_RENEWAL } from "../../support/bounds.js"
import type { Point } from "../protocol.js"
import { agree, type Row, scene, seconds, until } from "../Row.js"
import type { Stage, Worker } from "../Stage.js"

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

/** The holder is where it was told to stop. */
const prepare = (stage: Stage, moment: Moment, call: Call) =>
  Effect.gen(function* () {
    const set = yield* scene(stage)
    const others = yield* set.start(2, { requestTimeout })
    if (call === "refresh") yield* agree(set, others, "before")
    const before = yield* set.upstream.tokenCalls
    /** Issues and refreshes since it began. */
    const tokenCalls = Effect.map(set.upstream.tokenCalls, (_) => _ - before)
    const holder = yield* set.one({
      requestTimeout,
      waitAt: moment === "during the token call" ? undefined : moment
    })
    const begin = (worker: Worker) => (call === "issue" ? worker.get : worker.outlive)
    if (moment === "during the token call") yield* set.upstream.delayNext(call, 1_500)
    const renewal = yield* Effect.fork(Effect.exit(begin(holder)))
    if (moment === "during the token call") yield* until(Effect.map(tokenCalls, (count) => count > 0))
    else yield* holder.arrived
    return { begin, holder, others, renewal, set, tokenCalls }
  })

const killed = (moment: Moment, call: Call): Row => ({
  name: `the holder of the right is killed ${moment} (${call})`,
  short: call === "issue",
  run: (stage) =>
    Effect.gen(function* () {
      const { begin, holder, others, set, tokenCalls } = yield* prepare(stage, moment, call)
      yield* holder.kill
      const [took] = yield* Effect.timed(Effect.all(others.map(begin), { concurrency: "unbounded" }))
      yield* agree(set, others, "afterwards")
      const sent = yield* tokenCalls
      const most = moment === "before the token call" ? CALLS_PER_RENEWAL : CALLS_PER_LOST_HOLDER
      set.costs(sent, most)
      return yield* set.end(
        3,
        `${sent} token calls for this renewal (at most ${most}); the others had their token after ${seconds(took)}`
      )
    })
})

/** How many token calls a holder costs that stands still. */
const mostCalls: Readonly<Record<Moment, number>> = {
  "before the token call": CALLS_PER_RENEWAL,
  "during the token call": CALLS_PER_LOST_HOLDER,
  "after the last look": CALLS_PER_LATE_HOLDER,
  "after the answer": CALLS_PER_LOST_HOLDER,
  "before the write": CALLS_PER_LOST_HOLDER
}

const stopped = (moment: Moment, call: Call): Row => ({
  name: `the holder of the right stands still ${moment} until it has lost it, and goes on (${call})`,
  short: call === "refresh" && moment === "before the token call",
  run: (stage) =>
    Effect.gen(function* () {
      const { begin, holder, others, renewal, set, tokenCalls } = yield* prepare(stage, moment, call)
      if (moment !== "after the last look") yield* holder.stop
      yield* Effect.all(others.map(begin), { concurrency: "unbounded" })
      yield* agree(set, others, "while the holder stands still")
      const alive = yield* set.upstream.live
      const meanwhile = yield* tokenCalls
      yield* holder.continue
      if (moment !== "during the token call" && moment !== "after the last look") yield* holder.goOn
      yield* Fiber.join(renewal)
      const isLate = (yield* tokenCalls) > meanwhile
      const isAlive = (yield* set.upstream.live) === alive
      set.must(isAlive || moment === "after the last look", "it ended the session that the others had made meanwhile")
      const statuses = yield* Effect.all([holder, ...others].map((_) => _.call))
      set.must(
        statuses.every((_) => _ === "200"),
        `requests afterwards ended with ${statuses.join(", ")}`
      )
      yield* agree(set, [holder, ...others], "in the end")
      const sent = yield* tokenCalls
      set.costs(sent, mostCalls[moment])
      const end = isAlive ? "the others' session lives on" : "the others' session was ended"
      const late =
        moment !== "after the last look" ? "" : isLate ? "its request was sent late; " : "its request was given up; "
      return yield* set.end(3, `${sent} token calls for this renewal (at most ${mostCalls[moment]}); ${late}${end}`)
    })
})

export const holders: ReadonlyArray<Row> = calls.flatMap((call) => [
  ...moments.map((moment) => killed(moment, call)),
  ...moments.map((moment) => stopped(moment, call)),
  stopped("after the last look", call)
])
