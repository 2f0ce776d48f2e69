/** One process logs out while another renews: then all processes share one new session. */
import { Effect, Fiber } from "effect"
import { CALLS_PER_COLD_START, CALLS_PER_RENEWAL } from "../../support/bounds.js"
import { agree, type Row, scene } from "../Row.js"

const requestTimeout = 2_000

/** The renewal, and the session that is started after the logout. */
const MOST = CALLS_PER_RENEWAL + CALLS_PER_COLD_START

const waitsForRenewal: Row = {
  name: "a logout while another process renews",
  short: false,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage)
      const [other, leaver] = yield* Effect.all([set.one(), set.one()])
      yield* agree(set, [other, leaver], "before")
      const before = yield* set.upstream.tokenCalls
      const renewing = yield* set.one({ waitAt: "after the response" })
      const renewal = yield* Effect.fork(Effect.exit(renewing.renew))
      yield* renewing.arrived
      const logout = yield* Effect.fork(leaver.logout)
      yield* renewing.goOn
      yield* Fiber.join(logout)
      yield* Fiber.join(renewal)
      const { revoked } = yield* set.upstream.counts
      set.must(revoked === 1, `${revoked} sessions were revoked instead of 1`)
      yield* agree(set, [other, leaver, renewing], "in the end")
      set.costs((yield* set.upstream.tokenCalls) - before, MOST)
      return yield* set.end(3, "the session of the renewal was revoked; then all processes had one new session")
    })
}

const overtakesRenewal: Row = {
  name: "a logout while another process, paused before its commit, has lost its lease",
  short: false,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage)
      const leaver = yield* set.one({ requestTimeout })
      yield* agree(set, [leaver], "before")
      const before = yield* set.upstream.tokenCalls
      const renewing = yield* set.one({ requestTimeout, waitAt: "before the commit" })
      const renewal = yield* Effect.fork(Effect.exit(renewing.renew))
      yield* renewing.arrived
      yield* renewing.stop
      yield* Effect.exit(leaver.logout)
      yield* renewing.continue
      yield* renewing.goOn
      yield* Fiber.join(renewal)
      yield* agree(set, [leaver, renewing], "in the end")
      set.costs((yield* set.upstream.tokenCalls) - before, MOST)
      return yield* set.end(2, "both had one session")
    })
}

export const logouts: ReadonlyArray<Row> = [waitsForRenewal, overtakesRenewal]
