/** A Redis server of the tests' own, on a free port of the loopback, with its files in a folder that goes with it. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Array, Effect, Option, type Scope } from "effect"
import type { UnknownException } from "effect/Cause"
import { Redis } from "ioredis"
import { killWithParent } from "./killWithParent.js"
import { hasChannelRights, REDIS } from "./programs.js"
import { closedPort } from "./server.js"

export interface RedisServerService {
  readonly port: number
  readonly url: string
  /** A command of a user with all rights. */
  readonly call: (command: string, ...args: ReadonlyArray<string | number>) => Effect.Effect<unknown, UnknownException>
  /** `ACL SETUSER`, without the rules about channels where the server has none. */
  readonly setUser: (name: string, ...rules: ReadonlyArray<string>) => Effect.Effect<unknown, UnknownException>
  /** It dies at once; the connections break. */
  readonly kill: Effect.Effect<void>
  /** It begins again after `kill`, on the same port: empty, or as it was at the last `SAVE`. */
  readonly restart: Effect.Effect<void>
  /** It answers nothing, and does what it was told meanwhile when it is thawed. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
}

/** None if it does not start, for instance because another program has taken the port. */
const start = (
  port: number,
  folder: string,
  settings: ReadonlyArray<string>
): Effect.Effect<Option.Option<ChildProcess>> =>
  Effect.async((resume) => {
    const always = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
    const child = spawn(REDIS, [...always, ...settings], { stdio: ["ignore", "pipe", "inherit"] })
    killWithParent(child)
    child.once("exit", () => resume(Effect.succeedNone))
    createInterface(child.stdout).on("line", (line) => {
      if (line.includes("Ready to accept connections")) resume(Effect.asSome(Effect.succeed(child)))
    })
  })

const dead = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

/** With further settings, as on the command line of `redis-server`. */
export const redisServer = (
  ...settings: ReadonlyArray<string>
): Effect.Effect<RedisServerService, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = mkdtempSync(join(tmpdir(), "nomba-auth-redis-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true, force: true })))
    const [first, port] = yield* Effect.flatMap(closedPort, (port) =>
      Effect.map(start(port, folder, settings), (child) => [child, port] as const)
    ).pipe(Effect.repeat({ until: ([child]) => Option.isSome(child), times: 5 }))
    let child = Option.getOrThrow(first)
    yield* Effect.addFinalizer(() => dead(child))
    const admin = yield* Effect.acquireRelease(
      Effect.sync(() => new Redis(port, "127.0.0.1", { lazyConnect: true }).on("error", () => {})),
      (client) => Effect.sync(() => client.disconnect())
    )
    const call: RedisServerService["call"] = (command, ...args) => Effect.tryPromise(() => admin.call(command, ...args))
    return {
      port,
      url: `redis://127.0.0.1:${port}`,
      call,
      setUser: (name, ...rules) =>
        call("ACL", "SETUSER", name, ...rules.filter((_) => hasChannelRights || !/^(resetchannels|&.*)$/.test(_))),
      kill: Effect.suspend(() => dead(child)),
      restart: Effect.gen(function* () {
        const next = yield* Effect.repeat(start(port, folder, settings), { until: Option.isSome, times: 20 })
        child = Option.getOrThrow(next)
      }),
      freeze: Effect.sync(() => void child.kill("SIGSTOP")),
      thaw: Effect.sync(() => void child.kill("SIGCONT"))
    }
  })

/** A cluster of one node that has all slots. */
export const redisCluster: Effect.Effect<RedisServerService, UnknownException, Scope.Scope> = Effect.tap(
  redisServer("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"),
  (redis) =>
    Effect.zipRight(
      redis.call("CLUSTER", "ADDSLOTS", ...Array.range(0, 16383)),
      Effect.repeat(redis.call("CLUSTER", "INFO"), { until: (_) => String(_).includes("cluster_state:ok") })
    )
)
