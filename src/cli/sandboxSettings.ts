/** The settings that a program needs to use a sandbox: as variables of its environment, for a shell and as a dotenv file. */
import { randomUUID } from "node:crypto"
import { lstat, readFile, rename, rm, writeFile } from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { defaultClient, type ServerOptions } from "../sandbox/config/Options.js"
import { SandboxError } from "../sandbox/config/SandboxError.js"

export type Settings = Readonly<Record<string, string>>

/** What says where Nomba is and who asks. A program must not get one of these from elsewhere beside the sandbox's. */
const NAMES = [
  "NOMBA_BASE_URL",
  "NOMBA_CLIENT_ID",
  "NOMBA_CLIENT_SECRET",
  "NOMBA_ACCOUNT_ID",
  "NOMBA_ENVIRONMENT",
  "NOMBA_PRIVATE_KEY",
  "NOMBA_ACCESS_TOKEN",
  "NOMBA_PROXY_URL",
  "NOMBA_PROXY_KEY"
]

/** The settings of the first client with a secret, otherwise of the first client. */
export const settingsOf = (url: string, { clients }: ServerOptions): Settings => {
  const known = clients ?? [defaultClient]
  const client = known.find(({ clientSecret }) => clientSecret !== undefined) ?? known[0]
  return {
    NOMBA_BASE_URL: url,
    ...(client === undefined ? {} : { NOMBA_CLIENT_ID: client.clientId }),
    ...(client?.clientSecret === undefined ? {} : { NOMBA_CLIENT_SECRET: Redacted.value(client.clientSecret) }),
    ...(client?.accountId === undefined ? {} : { NOMBA_ACCOUNT_ID: client.accountId })
  }
}

/** An environment with these settings and no others for Nomba. */
export const environmentWith = (settings: Settings, environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(environment).filter(([name]) => !NAMES.includes(name))),
  ...settings
})

/** In single quotes, in which a shell expands nothing. */
const shellQuoted = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`

/** Gives a shell these settings and no others for Nomba. */
export const exportLines = (settings: Settings): string =>
  [
    `unset ${NAMES.filter((name) => settings[name] === undefined).join(" ")}`,
    ...Object.entries(settings).map(([name, value]) => `export ${name}=${shellQuoted(value)}`)
  ].join("\n")

/**
 * As a dotenv reader and a shell both read it back. Dotenv files have no escapes that all readers know, so not every value
 * can be written.
 */
const dotenvQuoted = (value: string): string | undefined => {
  if (/[^\P{Cc}]/u.test(value)) return undefined
  if (!value.includes("'")) return `'${value}'`
  return /["$`\\!]/.test(value) ? undefined : `"${value}"`
}

const MARK = "# Written by nomba-auth sandbox"

const invalid = (issue: string): SandboxError => new SandboxError({ reason: "Options", issues: [issue] })

const contentOf = (settings: Settings): Effect.Effect<string, SandboxError> =>
  Effect.map(
    Effect.forEach(Object.entries(settings), ([name, value]) => {
      const quoted = dotenvQuoted(value)
      return quoted === undefined
        ? invalid(`${name}: has characters that a dotenv file cannot hold; use -- COMMAND instead of --write-env`)
        : Effect.succeed(`${name}=${quoted}`)
    }),
    (lines) => `${[MARK, ...lines].join("\n")}\n`
  )

/** Why a path must not be written to, if it must not. */
const obstacle = async (path: string): Promise<string | undefined> => {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })
  if (found === undefined) return undefined
  if (!found.isFile()) return "is not a plain file"
  if (process.getuid !== undefined && found.uid !== process.getuid()) return "belongs to another user"
  if (found.size === 0) return undefined
  return (await readFile(path, "utf8")).startsWith(MARK) ? undefined : "exists and was not written by nomba-auth"
}

/** Renames a new file over the old one: no other program has it open, and no link is followed. */
const replaceFile = async (path: string, content: string): Promise<void> => {
  const fresh = `${path}.${randomUUID()}`
  try {
    await writeFile(fresh, content, { flag: "wx", mode: 0o600 })
    await rename(fresh, path)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
}

/** Writes a dotenv file that only its user can read. Overwrites only an empty file, or one that it wrote itself. */
export const writeDotenv = (path: string, settings: Settings): Effect.Effect<void, SandboxError> =>
  Effect.gen(function* () {
    const content = yield* contentOf(settings)
    const attempt = <A>(act: () => Promise<A>): Effect.Effect<A, SandboxError> =>
      Effect.tryPromise({
        try: act,
        catch: (error) => invalid(`${path}: cannot be written (${(error as NodeJS.ErrnoException).code ?? "unknown"})`)
      })
    const problem = yield* attempt(() => obstacle(path))
    if (problem !== undefined) return yield* invalid(`${path}: ${problem}; choose another file for --write-env`)
    yield* attempt(() => replaceFile(path, content))
  })
