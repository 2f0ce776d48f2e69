/** Real processes over a real Redis server or a directory of files, and the sandbox on a socket. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { proxyTo } from "../support/proxy.js"
import { type RedisServerService, redisServer } from "../support/redis.js"
import { type RealWorker, startWorker } from "./Fleet.js"
import type { WorkerOptions } from "./protocol.js"
import type { Setting, Stage } from "./Stage.js"
import { makeUpstream, type RealUpstream } from "./Upstream.js"

export type StoreKind = "memory" | "file" | "Redis"

export interface RealSetting extends Setting {
  readonly redis: RedisServerService
  readonly upstream: RealUpstream
  readonly one: (options?: Partial<WorkerOptions>) => Effect.Effect<RealWorker, Error, Scope.Scope>
  /** What makes a process use this kind of store. */
  readonly use: (store: StoreKind) => Pick<WorkerOptions, "redis" | "directory">
}

export type RealStage = Stage<RealSetting>

const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const directory = mkdtempSync(join(tmpdir(), "nomba-auth-files-"))
    chmodSync(directory, 0o700)
    return directory
  }),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

/** `file` is the program of one process. */
export const realStage = (file: string): RealStage => ({
  build: ({ accessLifetime = 600_000, storeLatency = 0 }) =>
    Effect.gen(function* () {
      const upstream = yield* makeUpstream(accessLifetime)
      const redis = yield* redisServer("--maxmemory-policy", "noeviction")
      const wire = yield* proxyTo(redis.port)
      yield* wire.slow(storeLatency)
      const port = storeLatency === 0 ? redis.port : wire.port
      const directory = yield* temporaryDirectory
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
        use: (store) => ({
          redis: store === "Redis" ? port : undefined,
          directory: store === "file" ? directory : undefined
        }),
        one: (options) => startWorker(file, { baseUrl: upstream.url, redis: port, ...options })
      }
    })
})
