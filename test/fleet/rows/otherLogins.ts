/**
 * Another program logs in with the same credentials, which ends the fleet's session, a second after all processes have been
 * answered again.
 */
import { Duration, Effect } from "effect"
import { CALLS_PER_OTHER_LOGIN, CALLS_PER_RENEWAL } from "../../support/bounds.js"
import { agree, failures, load, type Row, reports, scene, seconds, until } from "../Row.js"

const times = (otherLogins: number): Row => ({
  name: `another program logs in with the same credentials ${otherLogins} times`,
  short: false,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage)
      const { costs, must, upstream } = set
      const workers = yield* set.start(4)
      yield* agree(set, workers, "after the start")
      const { issued: before } = yield* upstream.counts
      const callsBefore = yield* upstream.tokenCalls
      yield* load(workers, 200)
      const recovered = until(Effect.map(upstream.liveToken, (live) => upstream.areAnsweredWith(live, workers.length)))
      const recoveries: Array<Duration.Duration> = []
      for (let done = 0; done < otherLogins; done++) {
        yield* upstream.loginElsewhere
        const [took] = yield* Effect.timed(recovered)
        recoveries.push(took)
        // The requests that the last login overtook are replayed before the next one.
        yield* Effect.sleep("1 second")
      }
      const { failed, ok, streamed, unauthorized } = yield* reports(workers)
      const { issued, refused } = yield* upstream.counts
      yield* agree(set, workers, "in the end")

      const longest = recoveries.reduce((a, b) => Duration.max(a, b), Duration.zero)
      const waits = unauthorized.filter((id) => new Set(upstream.attempts(id)).size < 2).length
      const between = unauthorized.length - waits
      must(
        issued - before <= otherLogins + 1,
        `${issued - before} sessions were issued after ${otherLogins} logins of the other program`
      )
      const calls = (yield* upstream.tokenCalls) - callsBefore
      const mostCalls = CALLS_PER_OTHER_LOGIN * otherLogins + CALLS_PER_RENEWAL
      costs(calls, mostCalls)
      // A token that only another login ended is no fault. A 401 without a second token would be one.
      must(waits === 0, `${waits} requests ended with a 401 and were not replayed with another token`)
      // From the eleventh early rejection on, each renewal begins 3 to 9 s after the rejection that causes it.
      const { SessionContested: heldBack = 0, ...others } = failed
      must(failures(others) === "", failures(others))
      must(upstream.repeated() === 0, `${upstream.repeated()} POSTs were processed twice`)
      return yield* set.end(
        4,
        `${issued - before} sessions issued after ${otherLogins} logins of the other program, ${refused} refreshes rejected; ${ok} requests answered, ${between} overtaken by another login between renewal and replay, ${heldBack} held back as SessionContested; all were answered again after ${seconds(longest)} at most; streamed bodies: ${streamed[200] ?? 0} answered, ${streamed[401] ?? 0} rejected`
      )
    })
})

export const otherLogins: ReadonlyArray<Row> = [times(20)]
