/** Tests that need a Redis server. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { hasRedis, PROGRAM, type RedisServerService, redisServer } from "./redis.js"

/**
 * Tests that share a Redis server, and take their time from it: they are live. Where the program is missing, they say so and
 * are skipped; on CI they fail.
 */
export const describeRedis = (name: string, register: (server: Effect.Effect<RedisServerService>) => void): void =>
  (hasRedis ? withServer : withoutServer)(name, register)

const STARTS_WITHIN = 30_000

const withServer: typeof describeRedis = (name, register) =>
  describe(name, () => {
    const scope = Effect.runSync(Scope.make())
    let running: RedisServerService | undefined
    beforeAll(async () => {
      running = await Effect.runPromise(Scope.extend(redisServer(), scope))
    }, STARTS_WITHIN)
    afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)), STARTS_WITHIN)
    register(Effect.sync(() => running ?? assert.fail("the Redis server is not running")))
  })

const withoutServer: typeof describeRedis = (name) =>
  describe(name, () => {
    const missing = `needs the program ${PROGRAM}, which is not installed`
    if (process.env["CI"] === "true") it(missing, () => assert.fail(missing))
    else it.skip(missing)
  })
