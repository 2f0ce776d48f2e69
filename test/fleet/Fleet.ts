/** Starts the real processes of a fleet. */
import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Deferred, Effect, type Scope } from "effect"
import { build } from "esbuild"
import { killWithParent } from "../support/killWithParent.js"
import {
  type Answer,
  type Command,
  type Event,
  type Report,
  type Result,
  type Try,
  usualOptions,
  type WorkerOptions
} from "./protocol.js"
import type { Worker } from "./Stage.js"

export interface RealWorker extends Worker {
  /** Gets a token, and answers how that went and how long it took. */
  readonly tryGet: Effect.Effect<Try, Error>
  /** The token in memory; empty if there is none. Never renews and never reads the store. */
  readonly peek: Effect.Effect<string, Error>
  /** Closes the client layer and builds it again at once, over the same store layer. */
  readonly rebuild: Effect.Effect<void, Error>
  /** The warnings and errors that it has logged. */
  readonly logged: Effect.Effect<ReadonlyArray<string>, Error>
}

/** Bundles the worker into one file, so that 32 of them start within seconds. */
export const bundle: Effect.Effect<string, never, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "nomba-auth-fleet-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const outfile = join(folder, "worker.mjs")
  yield* Effect.promise(() =>
    build({
      entryPoints: [fileURLToPath(new URL("./worker.ts", import.meta.url))],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      logLevel: "error",
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' }
    })
  )
  return outfile
})

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

export const startWorker = (
  file: string,
  options: Pick<WorkerOptions, "baseUrl" | "redis"> & Partial<WorkerOptions>
): Effect.Effect<RealWorker, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ready = yield* Deferred.make<void>()
    const arrived = yield* Deferred.make<void>()
    const answers = new Map<number, (answer: Effect.Effect<Result, Error>) => void>()
    const all: WorkerOptions = { directory: undefined, keys: undefined, ...usualOptions, ...options }
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = fork(file, [JSON.stringify(all)], {
          execArgv: [],
          env: { ...process.env, NODE_EXTRA_CA_CERTS: "" },
          stdio: ["ignore", "inherit", "inherit", "ipc"]
        })
        killWithParent(child)
        return child
      }),
      (child) =>
        Effect.async<void>((resume) => {
          if (ended(child)) return resume(Effect.void)
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGKILL")
        })
    )
    child.on("message", (message: Answer | Event) => {
      if ("event" in message) return Deferred.unsafeDone(message.event === "ready" ? ready : arrived, Effect.void)
      answers.get(message.id)?.("ok" in message ? Effect.succeed(message.ok) : Effect.fail(new Error(message.failed)))
      answers.delete(message.id)
    })
    child.once("exit", () => {
      for (const answer of answers.values()) answer(Effect.fail(new Error("the process has ended")))
    })

    let last = 0
    const tell = (command: Command): Effect.Effect<Result, Error> =>
      Effect.async((resume) => {
        if (ended(child)) return resume(Effect.fail(new Error("the process has ended")))
        last += 1
        answers.set(last, resume)
        child.send({ id: last, ...command })
      })
    const signal = (name: NodeJS.Signals) => Effect.sync(() => void child.kill(name))

    yield* Deferred.await(ready)
    return {
      get: Effect.map(tell({ do: "get" }), String),
      renew: Effect.map(tell({ do: "renew" }), String),
      outlive: Effect.map(tell({ do: "outlive" }), String),
      call: Effect.map(tell({ do: "call" }), String),
      tryGet: Effect.map(tell({ do: "try" }), (result) => result as Try),
      peek: Effect.map(tell({ do: "peek" }), String),
      rebuild: Effect.asVoid(tell({ do: "rebuild" })),
      logged: Effect.map(tell({ do: "logged" }), (lines) => lines as ReadonlyArray<string>),
      logout: Effect.asVoid(tell({ do: "logout" })),
      load: (every) => Effect.asVoid(tell({ do: "load", every })),
      report: Effect.map(tell({ do: "report" }), (report) => report as Report),
      arrived: Deferred.await(arrived),
      goOn: Effect.orDie(Effect.asVoid(tell({ do: "go on" }))),
      kill: signal("SIGKILL"),
      stop: signal("SIGSTOP"),
      continue: signal("SIGCONT"),
      isAlive: () => !ended(child)
    }
  })
