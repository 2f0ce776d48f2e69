/** What the warning about early rejections says. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, LogLevel } from "effect"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { simulated } from "../../support/time.js"
import { makeCache, makeUpstream } from "../../support/upstream.js"

const reject = (cache: TokenCacheService) => Effect.flatMap(cache.get, (token) => cache.invalidate(token))
const accept = (cache: TokenCacheService) => Effect.flatMap(cache.get, (token) => cache.confirm(token))

/** The warnings of a cache that this happens to, a second apart. */
const warningsAfter = (steps: ReadonlyArray<(cache: TokenCacheService) => Effect.Effect<unknown, unknown>>) =>
  Effect.gen(function* () {
    const warnings: Array<string> = []
    const cache = yield* makeCache({ upstream: makeUpstream() })
    yield* Effect.forEach(steps, (step) => Effect.zipRight(Effect.sleep("1 second"), step(cache))).pipe(
      Effect.provide(
        Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ message }) => void warnings.push(String(message)))
        )
      ),
      Logger.withMinimumLogLevel(LogLevel.Warning)
    )
    return warnings
  })

describe("the warning about tokens that are rejected early", () => {
  it("names another program if a renewed token was accepted, also if the latest one was not", () =>
    simulated(
      Effect.gen(function* () {
        const warnings = yield* warningsAfter([accept, reject, accept, reject, reject])
        assert.lengthOf(warnings, 1)
        assert.include(warnings[0], "Another program logs in")
      })
    ))

  it("names the account id if no renewed token was accepted", () =>
    simulated(
      Effect.gen(function* () {
        const warnings = yield* warningsAfter([accept, reject, reject, reject])
        assert.lengthOf(warnings, 1)
        assert.include(warnings[0], "account id")
      })
    ))
})
