/** Starts a recipe as a user would, in a process of its own. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:net"
import { fileURLToPath } from "node:url"
import type { SandboxHandle } from "nomba-auth/sandbox"
import { killWithParent } from "../../../test/support/killWithParent.js"

export const folder = fileURLToPath(new URL("..", import.meta.url))

/** Node.js runs TypeScript with tsx. */
export const tsx = (file: string): ReadonlyArray<string> => [process.execPath, "--import", "tsx", file]

export const bin = (name: string): string => `${folder}node_modules/.bin/${name}`

/** What a program needs to reach the sandbox. */
export const credentialsOf = (sandbox: SandboxHandle, clientId?: string): Record<string, string> => {
  const { accountId, clientSecret, ...client } = sandbox.credentials(clientId)
  return {
    NOMBA_BASE_URL: sandbox.url,
    NOMBA_CLIENT_ID: client.clientId,
    NOMBA_CLIENT_SECRET: clientSecret,
    ...(accountId === undefined ? {} : { NOMBA_ACCOUNT_ID: accountId })
  }
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Program extends AsyncDisposable {
  readonly child: ChildProcess
  /** What it has printed so far, errors too. */
  readonly output: () => string
  /** Waits until it has printed this. Rejects with all it printed if it ends before. */
  readonly printed: (text: string | RegExp) => Promise<void>
  readonly ended: Promise<Ended>
}

export interface Start {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly ipc?: boolean
}

export const start = ([file = "", ...args]: ReadonlyArray<string>, { cwd = folder, env = {}, ipc }: Start): Program => {
  const options: SpawnOptions = {
    cwd,
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      NO_COLOR: "1",
      ...env
    } as unknown as NodeJS.ProcessEnv,
    // A group of its own, because some commands start processes that outlive them.
    detached: true,
    stdio: ["ignore", "pipe", "pipe", ...(ipc === true ? (["ipc"] as const) : [])]
  }
  const child: ChildProcess = spawn(file, args, options)
  killWithParent(child)
  let output = ""
  const waiting = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text
      for (const look of waiting) look()
    })
  }
  const ended = (once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>).then(([code, signal]) => ({
    code,
    signal
  }))
  return {
    child,
    ended,
    output: () => output,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (typeof text === "string" ? output.includes(text) : text.test(output)) resolve()
        }
        waiting.add(look)
        look()
        void ended.then(({ code, signal }) => reject(new Error(`it ended with ${code ?? signal}:\n${output}`)))
      }),
    [Symbol.asyncDispose]: async () => {
      killGroup(child)
      await ended
    }
  }
}

const killGroup = ({ pid }: ChildProcess): void => {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL")
  } catch {
    // All of the group have ended.
  }
}

/** A program that runs to its end. */
export const run = async (command: ReadonlyArray<string>, options: Start): Promise<Ended & { output: string }> => {
  const program = start(command, options)
  const ended = await program.ended
  return { ...ended, output: program.output() }
}

/**
 * A port that is free. It is below those that the system gives to connections, so that no connection takes it before the
 * program listens.
 */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const server = createServer()
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, () => resolve(true))
    })
    if (!isFree) continue
    server.close()
    await once(server, "close")
    return port
  }
}
