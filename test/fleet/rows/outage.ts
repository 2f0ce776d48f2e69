/** Redis is down for longer than the lifetime of a token. */
import { Clock, Effect } from "effect"
import { CALLS_PER_RENEWAL, renewalsWithin } from "../../support/bounds.js"
import { agree, failures, load, type Row, reports, scene, until } from "../Row.js"
import type { Store } from "../Stage.js"

interface Kind {
  readonly name: string
  readonly short: boolean
  readonly lifetime: number
  readonly lasts: number
  readonly begin: keyof Store
  readonly end: keyof Store
}

const outage = ({ begin, end, lasts, lifetime, name, short }: Kind): Row => ({
  name,
  short,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage, { accessLifetime: lifetime })
      const { costs, must, upstream } = set
      const workers = yield* set.start(4)
      yield* load(workers, 100)
      // No renewal may be under way when it begins.
      const isQuiet = until(
        Effect.gen(function* () {
          const age = (yield* Clock.currentTimeMillis) - (yield* upstream.issuedAt)
          return age > lifetime / 10 && age < lifetime / 4
        })
      )
      must(yield* isQuiet, "there was no moment without a renewal")
      const before = yield* upstream.tokenCalls
      const answeredBefore = upstream.answered()
      const lastIssue = yield* upstream.issuedAt
      yield* set.store[begin]
      yield* Effect.sleep(lasts)
      const during = (yield* upstream.tokenCalls) - before
      const answered = upstream.answered() - answeredBefore
      const ended = yield* Clock.currentTimeMillis
      yield* set.store[end]
      yield* agree(set, workers, "afterwards")
      const recovered = (yield* Clock.currentTimeMillis) - ended
      const after = (yield* upstream.tokenCalls) - before - during
      const { failed, firstFailure, ok, unauthorized } = yield* reports(workers)

      const { Unavailable = 0, ...others } = failed
      // Counted from the sending of the request: a slow response costs a token some of its time.
      const naturalEnd = lastIssue + lifetime * 0.9
      must(during === 0, `${during} token requests while Redis was down`)
      must(
        firstFailure >= naturalEnd - 1_000,
        `a request failed ${naturalEnd - firstFailure} ms before the token expired`
      )
      must(failures(others) === "", `other failures: ${failures(others)}`)
      must(unauthorized.length === 0, `${unauthorized.length} requests ended with a 401`)
      must(answered > 0, "no request was answered while Redis was down and the token valid")
      must(upstream.repeated() === 0, `${upstream.repeated()} POSTs were processed twice`)
      costs(after, CALLS_PER_RENEWAL * renewalsWithin(recovered, lifetime))
      return yield* set.end(
        4,
        `${ok} requests answered; ${Unavailable} failed as Unavailable, the first ${(Math.max(0, firstFailure - lastIssue) / 1000).toFixed(1)} s after the token of ${lifetime / 1000} s was issued; ${during} token requests meanwhile; all had one session ${(recovered / 1000).toFixed(1)} s after Redis was back`
      )
    })
})

const outages: ReadonlyArray<Kind> = [
  {
    name: "Redis is killed, and restarts empty after 14 s",
    short: false,
    lifetime: 12_000,
    lasts: 14_000,
    begin: "kill",
    end: "restart"
  },
  {
    name: "Redis is frozen for 20 s",
    short: false,
    lifetime: 12_000,
    lasts: 20_000,
    begin: "freeze",
    end: "thaw"
  },
  {
    name: "Redis is out of memory for 14 s",
    short: false,
    lifetime: 12_000,
    lasts: 14_000,
    begin: "fill",
    end: "makeRoom"
  }
]

export const outageRows: ReadonlyArray<Row> = outages.map(outage)
