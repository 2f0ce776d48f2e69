/** One process logs out while another renews. */
import { Effect, Fiber } from "effect"
import { agree, type Row, scene } from "../Row.js"

const requestTimeout = 2_000

const waitsForRenewal: Row = {
  name: "a logout while another process renews",
  short: true,
  run: (file) =>
    Effect.gen(function* () {
      const stage = yield* scene(file)
      const [other, leaver] = yield* Effect.all([stage.one(), stage.one()])
      yield* agree(stage, [other, leaver], "before")
      const renewing = yield* stage.one({ waitAt: "after the answer" })
      const renewal = yield* Effect.fork(Effect.exit(renewing.renew))
      yield* renewing.arrived
      const logout = yield* Effect.fork(leaver.logout)
      yield* renewing.goOn
      yield* Fiber.join(logout)
      yield* Fiber.join(renewal)
      const { revoked } = yield* stage.upstream.sandbox.counts
      stage.must(revoked === 1, `${revoked} sessions were revoked in place of 1`)
      yield* agree(stage, [other, leaver, renewing], "in the end")
      return yield* stage.end(3, "the session that the renewal brought was revoked; then all are on one new session")
    })
}

const overtakesRenewal: Row = {
  name: "a logout while another process, which has lost its right, holds a session that it could not write",
  short: false,
  run: (file) =>
    Effect.gen(function* () {
      const stage = yield* scene(file)
      const leaver = yield* stage.one({ requestTimeout })
      yield* agree(stage, [leaver], "before")
      const renewing = yield* stage.one({ requestTimeout, waitAt: "before the write" })
      const renewal = yield* Effect.fork(Effect.exit(renewing.renew))
      yield* renewing.arrived
      yield* renewing.stop
      yield* Effect.exit(leaver.logout)
      yield* renewing.continue
      yield* renewing.goOn
      yield* Fiber.join(renewal)
      yield* agree(stage, [leaver, renewing], "in the end")
      return yield* stage.end(2, "both are on one session")
    })
}

export const logouts: ReadonlyArray<Row> = [waitsForRenewal, overtakesRenewal]
