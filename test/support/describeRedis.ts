/** Tests that need a Redis server. */
import { assert, describe, it, layer, type Vitest } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { hasRedis, PROGRAM, type RedisServerService, redisServer } from "./redis.js"

type Tests = Vitest.MethodsNonLive<never, true>

/** Tests that share a Redis server. Where the program is missing, they say so and are skipped; on CI they fail. */
export const describeRedis = (
  name: string,
  register: (it: Tests, server: Effect.Effect<RedisServerService>) => void
): void => (hasRedis ? withServer : withoutServer)(name, register)

const withServer: typeof describeRedis = (name, register) => {
  let running: RedisServerService | undefined
  const started = Effect.map(redisServer(), (server) => {
    running = server
  })
  const server = Effect.sync(() => running ?? assert.fail("the Redis server is not running"))
  layer(Layer.scopedDiscard(started), { excludeTestServices: true, timeout: "30 seconds" })(name, (it) =>
    register(it, server)
  )
}

const withoutServer: typeof describeRedis = (name) =>
  describe(name, () => {
    const missing = `needs the program ${PROGRAM}, which is not installed`
    if (process.env["CI"] === "true") it(missing, () => assert.fail(missing))
    else it.skip(missing)
  })
