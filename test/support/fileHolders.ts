/** Processes that share a session in files. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, type Scope } from "effect"
import { build } from "esbuild"

export type ToHolder =
  | { readonly do: "renew"; readonly newer?: number }
  | { readonly do: "go on"; readonly check: boolean }

export type FromHolder =
  | { readonly is: "ready"; readonly name: string }
  | { readonly is: "requesting"; readonly name: string }
  | { readonly is: "sent"; readonly name: string }
  | { readonly is: "failed"; readonly name: string; readonly message: string }
  | {
      readonly is: "renewed"
      readonly name: string
      readonly token: string
      readonly saved: boolean
      readonly version: number
    }

type MessageOf<Is extends FromHolder["is"]> = Extract<FromHolder, { readonly is: Is }>

export interface Holder {
  readonly name: string
  readonly send: (message: ToHolder) => Effect.Effect<void>
  readonly signal: (signal: "SIGKILL" | "SIGSTOP" | "SIGCONT") => Effect.Effect<void>
  /** The next message of this kind that was not returned before. */
  readonly next: <Is extends FromHolder["is"]>(is: Is) => Effect.Effect<MessageOf<Is>>
  /** All messages so far. */
  readonly told: ReadonlyArray<FromHolder>
}

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Bundles a fixture program, so that its processes start fast. */
export const bundle = (fixture: string, folder: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    const outfile = join(folder, `${fixture}.mjs`)
    await build({
      entryPoints: [join(root, "test/fixtures", `${fixture}.ts`)],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      alias: { "nomba-auth/file": join(root, "src/file/index.ts") },
      logLevel: "error"
    })
    return outfile
  })

const kill = (child: ChildProcess): Effect.Effect<void> =>
  Effect.promise(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, "exit")
    child.kill("SIGKILL")
    await exit
  })

/** Starts a holder; it is killed with the scope. */
export const startHolder = (
  program: string,
  directory: string,
  clientId: string,
  name: string
): Effect.Effect<Holder, never, Scope.Scope> =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => fork(program, [directory, clientId, name], { stdio: ["ignore", "inherit", "inherit", "ipc"] })),
      kill
    )
    const told: Array<FromHolder> = []
    const untaken: Array<FromHolder> = []
    const waiting = new Set<() => void>()
    child.on("message", (message: FromHolder) => {
      told.push(message)
      untaken.push(message)
      for (const look of waiting) look()
    })
    const holder: Holder = {
      name,
      told,
      send: (message) => Effect.sync(() => void child.send(message)),
      signal: (signal) => (signal === "SIGKILL" ? kill(child) : Effect.sync(() => void child.kill(signal))),
      next: <Is extends FromHolder["is"]>(is: Is) =>
        Effect.async<MessageOf<Is>>((resume) => {
          const look = () => {
            const index = untaken.findIndex((message) => message.is === is)
            if (index < 0) return
            waiting.delete(look)
            resume(Effect.succeed(untaken.splice(index, 1)[0] as MessageOf<Is>))
          }
          waiting.add(look)
          look()
          return Effect.sync(() => void waiting.delete(look))
        })
    }
    yield* holder.next("ready")
    return holder
  })
