/** The built command line as a child process. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { type SandboxHandle, type StartOptions, startSandbox } from "nomba-auth/sandbox"
import { afterAll, assert, beforeAll } from "vitest"
import { cliBundle } from "./cliBundle.js"

export type Variables = Readonly<Record<string, string>>

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
  readonly errors: string
}

export interface Stdio {
  readonly input?: string
  /** Another bundle than the whole one. */
  readonly bin?: string
}

/** Of the sandbox's default client. */
export const clientSecret = "qckdiIIlPkLtDNom9YyQKocd/zlFIL9A2ogzm0i912M="

const running = new Set<ChildProcess>()

/** Call it once in a file. */
export const useCli = () => {
  let bin = ""
  let folder = ""
  let paths = 0
  const sandboxes: Array<SandboxHandle> = []
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "nomba-auth-cli-"))
    bin = await cliBundle()
  })
  afterAll(async () => {
    for (const child of running) child.kill("SIGKILL")
    await Promise.all(sandboxes.map((sandbox) => sandbox.close()))
    rmSync(folder, { recursive: true, force: true })
  })

  /** A path that nothing is at. */
  const newPath = (): string => join(folder, `path-${++paths}`)

  const start = (variables: Variables, args: ReadonlyArray<string>, { bin: from = bin }: Stdio = {}) => {
    const child = spawn(process.execPath, [join(from, "nomba-auth.js"), ...args], { cwd: folder, env: variables })
    running.add(child)
    child.stdin.on("error", () => {})
    const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>
    const ended = Promise.all([closed, text(child.stdout), text(child.stderr)]).then(
      ([[code, signal], output, errors]): Ended => {
        running.delete(child)
        return { code, signal, output, errors }
      }
    )
    return { child, ended }
  }

  /** Runs it to its end, with these variables and no others. */
  const run = (variables: Variables, args: ReadonlyArray<string>, stdio: Stdio = {}): Promise<Ended> => {
    const { child, ended } = start(variables, args, stdio)
    child.stdin.end(stdio.input ?? "")
    return ended
  }

  /** A sandbox, and the variables of a user who has not called it yet. */
  const user = async (options: StartOptions = {}) => {
    const sandbox = await startSandbox(options)
    sandboxes.push(sandbox)
    const state = newPath()
    mkdirSync(state)
    const { accountId = "", clientId } = sandbox.credentials()
    const variables = {
      HOME: state,
      XDG_STATE_HOME: state,
      NOMBA_BASE_URL: sandbox.url,
      NOMBA_CLIENT_ID: clientId,
      NOMBA_CLIENT_SECRET: clientSecret,
      NOMBA_ACCOUNT_ID: accountId
    }
    return { sandbox, variables, store: join(state, "nomba-auth") }
  }

  return { bin: () => bin, folder: () => folder, newPath, run, start, user }
}

/** Without these variables. */
export const without = (variables: Variables, ...names: ReadonlyArray<string>): Variables =>
  Object.fromEntries(Object.entries(variables).filter(([name]) => !names.includes(name)))

/** It must have succeeded and said nothing to a person. */
export const resultOf = ({ code, errors, output }: Ended): string => {
  assert.deepStrictEqual({ code, errors }, { code: 0, errors: "" })
  return output
}

/** It must have failed with this exit code and without a result; what it said. */
export const problemOf = ({ code, errors, output }: Ended, expected: number): string => {
  assert.deepStrictEqual({ code, output }, { code: expected, output: "" }, errors)
  return errors
}
