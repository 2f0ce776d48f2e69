/** A Nomba that answers a token request with the tokens that it granted before, as if they were new. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import type { Session } from "../../../src/schemas/Session.js"
import type { NombaAuthService } from "../../../src/services/NombaAuth.js"
import { simulated } from "../../support/time.js"
import { getText, makeCache, makeUpstream } from "../../support/upstream.js"

const repeating = (auth: NombaAuthService): NombaAuthService => {
  let granted: Session | undefined
  const once = <E>(request: Effect.Effect<Session, E>): Effect.Effect<Session, E> =>
    Effect.map(request, (session) => {
      granted ??= session
      return granted
    })
  return { ...auth, issue: once(auth.issue), refresh: (options) => once(auth.refresh(options)) }
}

/** Asks once a second, and answers with the seconds at which a renewal began and the last outcome. */
const outcomeAfter = (seconds: number) =>
  Effect.gen(function* () {
    const upstream = makeUpstream()
    const cache = yield* makeCache({ upstream: { auth: repeating(upstream.auth) } })
    yield* Effect.repeatN(Effect.zipRight(Effect.exit(getText(cache)), Effect.sleep("1 second")), seconds - 1)
    const outcome = yield* Effect.either(getText(cache))
    // A renewal sends a refresh, which is refused from the second on, and an issue.
    return { renewals: Array.from(new Set(upstream.calls.map((call) => call.at / 1_000))), outcome }
  })

describe("TokenCache.get with a Nomba that repeats its token", () => {
  it("backs off while the token is still valid", () =>
    simulated(
      Effect.gen(function* () {
        const { outcome, renewals } = yield* outcomeAfter(28 * 60)
        assert.strictEqual(Either.getOrNull(outcome), "access-1")
        assert.deepStrictEqual(renewals, [0, 1500, 1501, 1503, 1507, 1515, 1531, 1561, 1591, 1621, 1651])
      })
    ))

  it("backs off after the token has expired, and fails with RenewalIneffective", () =>
    simulated(
      Effect.gen(function* () {
        const { outcome, renewals } = yield* outcomeAfter(40 * 60)
        assert.strictEqual(
          outcome._tag === "Left" && "reason" in outcome.left && outcome.left.reason,
          "RenewalIneffective"
        )
        const afterExpiry = renewals.filter((at) => at >= 30 * 60)
        assert.isAtMost(afterExpiry.length, 22)
      })
    ))
})
