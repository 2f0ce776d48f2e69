/**
 * Runs the commands of the pages: each page in a folder of its own, its blocks in their order, as its reader would, with the
 * settings of a sandbox.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { text } from "node:stream/consumers"
import { startSandbox } from "../src/sandbox/index.js"
import { at, type Block } from "../test/support/pages.js"

interface Installed {
  /** Has the package and its peers in `node_modules`. */
  readonly folder: string
  readonly tarball: string
}

type Variables = Readonly<Record<string, string | undefined>>

/** A page that installs the package begins in an empty folder beside the tarball. */
const folderOf = (page: string, isInstalling: boolean, { folder, tarball }: Installed): string => {
  if (!isInstalling) {
    const inside = join(folder, "commands", page)
    mkdirSync(inside, { recursive: true })
    return inside
  }
  const empty = mkdtempSync(join(tmpdir(), "nomba-auth-page-"))
  copyFileSync(tarball, join(empty, basename(tarball)))
  return empty
}

const FIVE_MINUTES = 300_000

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

/** Ends a command and what it started. */
const killGroup = ({ pid }: ChildProcess): void => {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL")
  } catch {
    // It has ended.
  }
}

const runShell = async (block: Block, cwd: string, env: Variables): Promise<string> => {
  const child = spawn("bash", ["-euo", "pipefail", "-c", block.code], {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"]
  })
  // The whole group: a process that the command left in the background keeps its output open.
  const limit = setTimeout(() => killGroup(child), FIVE_MINUTES)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")])
  clearTimeout(limit)
  // A stream that curl was told to leave.
  const isCut = code === 28 && block.code.includes("--max-time")
  if (code !== 0 && !isCut) throw new Error(`${at(block)} ended with ${code}:\n${block.code}\n${stdout}${stderr}`)
  return stdout
}

const startInBackground = (block: Block, cwd: string, env: Variables): ChildProcess =>
  spawn("bash", ["-euo", "pipefail", "-c", block.code], { cwd, env, detached: true, stdio: "ignore" })

/** Starts a sandbox on a free port, and waits for its ready line. */
const startServer = async (block: Block, cwd: string, env: Variables) => {
  const child = spawn("bash", ["-c", `exec ${block.code.trim()} --port 0`], {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "ignore"]
  })
  const lines = createInterface(child.stdout)
  const [line] = await Promise.race([
    once(lines, "line"),
    once(child, "exit").then(() => Promise.reject(new Error(`${at(block)} ended`)))
  ])
  return { child, url: String(JSON.parse(line).url) }
}

/** The lines must be printed in this order; `…` stands for any text, alone on a line for any lines. */
const checkOutput = (block: Block, printed: string): void => {
  const plain = (output: string) => output.replace(/[ \t]+$/gm, "").trim()
  const pattern = plain(block.code)
    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replace(/^…\n/gm, "(?:[^]*\\n)?")
    .replaceAll("…", "[^]*?")
  if (!new RegExp(`^${pattern}$`).test(plain(printed))) {
    throw new Error(`${at(block)} does not show what is printed:\n${printed}`)
  }
}

const runPage = async (page: string, blocks: ReadonlyArray<Block>, installed: Installed): Promise<void> => {
  const isInstalling = blocks.some(({ code, notRun }) => notRun === undefined && code.includes("npm install ./"))
  const cwd = folderOf(page, isInstalling, installed)
  const servers: Array<ChildProcess> = []
  await using sandbox = await startSandbox()
  const { accountId, clientId, clientSecret } = sandbox.credentials()
  let env: Variables = {
    ...process.env,
    SANDBOX: sandbox.url,
    // Where the pages' own servers listen, instead of at 3000.
    PORT: String(await freePort()),
    NOMBA_BASE_URL: sandbox.url,
    NOMBA_CLIENT_ID: clientId,
    NOMBA_CLIENT_SECRET: clientSecret,
    NOMBA_ACCOUNT_ID: accountId,
    PATH: `${join(cwd, "node_modules/.bin")}:${join(installed.folder, "node_modules/.bin")}:${process.env["PATH"]}`,
    XDG_STATE_HOME: join(cwd, ".state"),
    NO_COLOR: "1",
    npm_config_audit: "false",
    npm_config_fund: "false",
    npm_config_prefer_offline: "true",
    npm_config_update_notifier: "false",
    // A variable of the npm that runs this script, which would send npx to another folder.
    npm_config_local_prefix: undefined
  }
  let printed = ""
  try {
    for (const page of blocks) {
      const block = { ...page, code: page.code.replaceAll("localhost:3000", `localhost:${env["PORT"]}`) }
      if (block.file !== undefined) {
        mkdirSync(dirname(join(cwd, block.file)), { recursive: true })
        writeFileSync(join(cwd, block.file), block.code)
      } else if (block.isServer) {
        const { child, url } = await startServer(block, cwd, env)
        servers.push(child)
        env = { ...env, SANDBOX: url, NOMBA_BASE_URL: url }
      } else if (block.isBackground) {
        servers.push(startInBackground(block, cwd, env))
      } else if (block.isOutput) {
        checkOutput(block, printed)
      } else if (block.language === "sh" && block.notRun === undefined) {
        printed = await runShell(block, cwd, env)
      }
    }
  } finally {
    for (const server of servers) killGroup(server)
    if (isInstalling) rmSync(cwd, { recursive: true, force: true })
  }
}

export const runCommands = async (blocks: ReadonlyArray<Block>, installed: Installed): Promise<void> => {
  for (const page of new Set(blocks.map(({ page }) => page))) {
    const ofPage = blocks.filter((block) => block.page === page)
    const hasCommands = ofPage.some(({ isServer, language, notRun }) => language === "sh" && (isServer || !notRun))
    if (hasCommands) await runPage(page, ofPage, installed)
  }
}
