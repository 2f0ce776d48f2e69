/** Real processes over a real Redis server, and the sandbox on a socket. */
import { Effect, type Scope } from "effect"
import { proxyTo } from "../support/proxy.js"
import { type RedisServerService, redisServer } from "../support/redis.js"
import { startWorker } from "./Fleet.js"
import type { WorkerOptions } from "./protocol.js"
import type { Setting, Stage, Worker } from "./Stage.js"
import { makeUpstream } from "./Upstream.js"

export interface RealSetting extends Setting {
  readonly redis: RedisServerService
  readonly one: (options?: Partial<WorkerOptions>) => Effect.Effect<Worker, Error, Scope.Scope>
}

export type RealStage = Stage<RealSetting>

/** `file` is the program of one process. */
export const realStage = (file: string): RealStage => ({
  build: ({ accessLifetime = 600_000, storeLatency = 0 }) =>
    Effect.gen(function* () {
      const upstream = yield* makeUpstream(accessLifetime)
      const redis = yield* redisServer("--maxmemory-policy", "noeviction")
      const wire = yield* proxyTo(redis.port)
      yield* wire.slow(storeLatency)
      const port = storeLatency === 0 ? redis.port : wire.port
      return {
        upstream,
        redis,
        store: {
          kill: redis.kill,
          restart: redis.restart,
          freeze: redis.freeze,
          thaw: redis.thaw,
          fill: redis.call("CONFIG", "SET", "maxmemory", "1"),
          makeRoom: redis.call("CONFIG", "SET", "maxmemory", "0")
        },
        one: (options) => startWorker(file, { baseUrl: upstream.url, redis: port, ...options })
      }
    })
})
