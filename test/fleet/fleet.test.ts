/** The quick rows of the fault table, with real processes, a real Redis server and a Nomba that keeps one session. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { hasRedis, NO_REDIS } from "../support/programs.js"
import { skipWithout } from "../support/skipWithout.js"
import { bundle } from "./Fleet.js"
import { realStage } from "./realStage.js"
import { rows } from "./rows/index.js"

const NAME = "a fleet of real processes keeps one session"

const runQuickRows = (): void => {
  const scope = Effect.runSync(Scope.make())
  let file = ""
  beforeAll(async () => {
    file = await Effect.runPromise(Scope.extend(bundle, scope))
  }, 30_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  for (const { name, run, short } of rows) {
    if (!short) continue
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const { broken } = yield* run(realStage(file))
        assert.deepStrictEqual(broken, [])
      })
    )
  }
}

if (hasRedis) describe.sequential(NAME, runQuickRows)
else skipWithout(NO_REDIS, NAME)
