/** Runs `nomba-auth doctor`: its checks in this process, or the built command as a child process. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { ConfigProvider, Effect, Logger, Option } from "effect"
import { type SandboxHandle, type StartOptions, startSandbox } from "nomba-auth/sandbox"
import { afterAll, assert, beforeAll } from "vitest"
import { examine as examineHere, exitCodeOf, report } from "../../../src/cli/doctor.js"
import { cliBundle } from "../../support/cliBundle.js"

export interface Line {
  readonly check: string
  readonly level: "ok" | "skipped" | "warning" | "problem"
  readonly says: string
  readonly change?: string
}

export type Variables = Readonly<Record<string, string>>

export interface Given {
  /** Runs it as this user. */
  readonly uid?: number
  readonly input?: string
}

/** Of the sandbox's default client. */
export const clientSecret = "qckdiIIlPkLtDNom9YyQKocd/zlFIL9A2ogzm0i912M="

/** What no run may print: the client secret, a password that tests use, the beginning of an access token. */
const secrets = [clientSecret, "sesame", "eyJ"]

const holdsNoSecret = (printed: string): void => {
  for (const secret of secrets) assert.notInclude(printed, secret)
}

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** Call it once in a file. */
export const setUp = () => {
  let folder = ""
  let folders = 0
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "nomba-auth-doctor-"))
    // Another user of this machine runs it too.
    chmodSync(folder, 0o755)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** A path that nothing is at. */
  const newPath = (): string => join(folder, `path-${++folders}`)

  /** The command as a child process. */
  const run = async (
    variables: Variables,
    args: ReadonlyArray<string> = [],
    { input = "", uid }: Given = {}
  ): Promise<Ended> => {
    const child = spawn(process.execPath, [join(await cliBundle(), "nomba-auth.js"), "doctor", ...args], {
      cwd: folder,
      env: { PATH: process.env["PATH"], HOME: join(folder, "home"), TMPDIR: folder, ...variables },
      ...(uid === undefined ? {} : { uid, gid: uid })
    })
    child.stdin.end(input)
    const ended = once(child, "exit")
    const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), ended])
    holdsNoSecret(output)
    holdsNoSecret(errors)
    return { code: code as number | null, output, errors }
  }

  const reportOf = ({ code, errors, output }: Ended) => {
    const report: { ok: boolean; exitCode: number; checks: ReadonlyArray<Line> } = JSON.parse(output)
    assert.deepStrictEqual({ ok: report.ok, exitCode: report.exitCode }, { ok: code === 0, exitCode: code })
    const line = (name: string): Line => report.checks.find(({ check }) => check === name) ?? assert.fail(output)
    const wrong = report.checks.filter(({ level }) => level === "problem").map(({ check }) => check)
    return { code, errors, line, wrong, output }
  }

  /** The report of the command as a child process, by the names of its checks. */
  const examineProcess = async (variables: Variables, args: ReadonlyArray<string> = [], given?: Given) =>
    reportOf(await run(variables, [...args, "--json"], given))

  /** The report of the checks, made in this process. It needs a token store of its own. */
  const examine = async (variables: Variables, args: ReadonlyArray<string> = []) => {
    assert.property(variables, "NOMBA_TOKEN_STORE")
    const valueOf = (flag: string) =>
      Option.fromNullable(args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined)
    const given = {
      login: args.includes("--login"),
      clientSecret: Option.none(),
      clientSecretFile: valueOf("--client-secret-file"),
      subject: valueOf("--subject")
    }
    const results = await examineHere(given, variables, () => Effect.void).pipe(
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))),
      Effect.provide(Logger.remove(Logger.defaultLogger)),
      Effect.runPromise
    )
    const output = report(results)
    holdsNoSecret(output)
    return reportOf({ code: exitCodeOf(results), output, errors: "" })
  }

  /** Settings that are right for a server, with a store of their own. */
  const settingsFor = (url: string): Variables => ({
    NOMBA_BASE_URL: url,
    NOMBA_CLIENT_ID: "5e2c7ab5-dc95-431e-97bd-85319087245a",
    NOMBA_CLIENT_SECRET: clientSecret,
    NOMBA_ACCOUNT_ID: "aef105ad-f352-47a9-9531-d65072584430",
    NOMBA_TOKEN_STORE: `file:${newPath()}`
  })

  /** A sandbox, and settings that are right for it. */
  const withSandbox = async (
    use: (sandbox: SandboxHandle, settings: Variables) => Promise<void>,
    options: StartOptions = {}
  ): Promise<void> => {
    await using sandbox = await startSandbox(options)
    await use(sandbox, settingsFor(sandbox.url))
  }

  return { run, examine, examineProcess, newPath, settingsFor, withSandbox, folder: () => folder }
}

/** What a line of the report says, exactly or by a pattern. */
export const isLine = (line: Line, level: Line["level"], says: string | RegExp, change?: string | RegExp): void => {
  const shown = JSON.stringify(line)
  assert.strictEqual(line.level, level, shown)
  if (typeof says === "string") assert.strictEqual(line.says, says)
  else assert.match(line.says, says)
  if (typeof change === "string") assert.strictEqual(line.change, change)
  else if (change !== undefined) assert.match(line.change ?? "", change)
}
