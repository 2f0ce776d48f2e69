/** The lease holder is killed, or paused until its lease has expired. */
import { Effect, Fiber } from "effect"
import { CALLS_PER_LATE_HOLDER, CALLS_PER_LOST_HOLDER, CALLS_PER_RENEWAL } from "../../support/bounds.js"
import type { Point } from "../protocol.js"
import { agree, type Row, scene, seconds, until } from "../Row.js"
import type { Stage, Worker } from "../Stage.js"

type Moment = Point | "during the token request"
type Call = "issue" | "refresh"

const moments: ReadonlyArray<Moment> = [
  "before the token request",
  "during the token request",
  "after the response",
  "before the commit"
]
const calls: ReadonlyArray<Call> = ["issue", "refresh"]

/** A short one, so that the lease of a lost holder expires soon. */
const requestTimeout = 2_000

/** The holder has reached the moment. */
const prepare = (stage: Stage, moment: Moment, call: Call) =>
  Effect.gen(function* () {
    const set = yield* scene(stage)
    const others = yield* set.start(2, { requestTimeout })
    if (call === "refresh") yield* agree(set, others, "before")
    const before = yield* set.upstream.tokenCalls
    /** Issues and refreshes since then. */
    const tokenCalls = Effect.map(set.upstream.tokenCalls, (_) => _ - before)
    const holder = yield* set.one({
      requestTimeout,
      waitAt: moment === "during the token request" ? undefined : moment
    })
    const begin = (worker: Worker) => (call === "issue" ? worker.get : worker.outlive)
    if (moment === "during the token request") yield* set.upstream.delayNext(call, 1_500)
    const renewal = yield* Effect.fork(Effect.exit(begin(holder)))
    if (moment === "during the token request") yield* until(Effect.map(tokenCalls, (count) => count > 0))
    else yield* holder.arrived
    return { begin, holder, others, renewal, set, tokenCalls }
  })

const killed = (moment: Moment, call: Call): Row => ({
  name: `lease holder killed ${moment} (${call})`,
  short: call === "issue" && moment === "during the token request",
  run: (stage) =>
    Effect.gen(function* () {
      const { begin, holder, others, set, tokenCalls } = yield* prepare(stage, moment, call)
      yield* holder.kill
      const [took] = yield* Effect.timed(Effect.all(others.map(begin), { concurrency: "unbounded" }))
      yield* agree(set, others, "afterwards")
      const sent = yield* tokenCalls
      const most = moment === "before the token request" ? CALLS_PER_RENEWAL : CALLS_PER_LOST_HOLDER
      set.costs(sent, most)
      return yield* set.end(3, `the other processes had a token after ${seconds(took)}`)
    })
})

/** The most token requests of a renewal whose holder is paused. */
const mostCalls: Readonly<Record<Moment, number>> = {
  "before the token request": CALLS_PER_RENEWAL,
  "during the token request": CALLS_PER_LOST_HOLDER,
  "after its final check": CALLS_PER_LATE_HOLDER,
  "after the response": CALLS_PER_LOST_HOLDER,
  "before the commit": CALLS_PER_LOST_HOLDER
}

const stopped = (moment: Moment, call: Call): Row => ({
  name: `lease holder paused ${moment}, resumes after its lease expired (${call})`,
  short: false,
  run: (stage) =>
    Effect.gen(function* () {
      const { begin, holder, others, renewal, set, tokenCalls } = yield* prepare(stage, moment, call)
      if (moment !== "after its final check") yield* holder.stop
      yield* Effect.all(others.map(begin), { concurrency: "unbounded" })
      yield* agree(set, others, "while the holder was paused")
      const liveToken = yield* set.upstream.liveToken
      const meanwhile = yield* tokenCalls
      yield* holder.continue
      if (moment !== "during the token request" && moment !== "after its final check") yield* holder.goOn
      yield* Fiber.join(renewal)
      const isLate = (yield* tokenCalls) > meanwhile
      const isStillValid = (yield* set.upstream.liveToken) === liveToken
      set.must(
        isStillValid || moment === "after its final check",
        "it ended the session that the other processes had started meanwhile"
      )
      const statuses = yield* Effect.all([holder, ...others].map((_) => _.call))
      set.must(
        statuses.every((_) => _ === "200"),
        `requests afterwards ended with ${statuses.join(", ")}`
      )
      yield* agree(set, [holder, ...others], "in the end")
      const sent = yield* tokenCalls
      set.costs(sent, mostCalls[moment])
      const end = isStillValid ? "the other processes' session stayed valid" : "the other processes' session was ended"
      const late =
        moment !== "after its final check" ? "" : isLate ? "its request went out late; " : "its request was not sent; "
      return yield* set.end(3, `${late}${end}`)
    })
})

export const holders: ReadonlyArray<Row> = calls.flatMap((call) => [
  ...moments.map((moment) => killed(moment, call)),
  ...moments.map((moment) => stopped(moment, call)),
  stopped("after its final check", call)
])
