/** Tests that need a Redis server. */
import { assert, describe } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll } from "vitest"
import { hasRedis, NO_REDIS } from "./programs.js"
import { type RedisServerService, redisServer } from "./redis.js"
import { skipWithout } from "./skipWithout.js"

/**
 * Tests that share a Redis server, and take their time from it: they are live. Where the program is missing they are
 * skipped; on CI they fail.
 */
export const describeRedis = (name: string, register: (server: Effect.Effect<RedisServerService>) => void): void =>
  hasRedis ? withServer(name, register) : skipWithout(NO_REDIS, name)

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
