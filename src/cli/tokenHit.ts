/**
 * Prints the stored token if that is all there is to do, without Effect, which would take longer to load than the rest.
 *
 * It is sure or it leaves the call to `token.ts`: it reads the plain text of the file store, if one was written by this host
 * and every setting is simple and set, and knows no other case.
 */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { hostname } from "node:os"
import { isAbsolute, join } from "node:path"
import { stateFolder } from "./stateFolder.js"
import { type Format, formats, minTtlOf, print } from "./tokenText.js"

/** The hosts of `BaseUrl.ts`, which is not imported because it loads Effect. */
const hosts: Readonly<Record<string, string>> = {
  production: "https://api.nomba.com",
  sandbox: "https://sandbox.nomba.com"
}

/** A variable: undefined if it is not set, and an empty text if its value is not a plain one. */
const variable = (environment: NodeJS.ProcessEnv, name: string): string | undefined => {
  const value = environment[name]
  return value === undefined || /^[\x21-\x7e]+$/.test(value) ? value : ""
}

/** An origin, or an origin and a path, as `BaseUrl.ts` would leave it. */
const isPlain = ({ hash, href, origin, password, pathname, search, username }: URL, url: string): boolean =>
  url === origin ||
  (url === href && !pathname.endsWith("/") && [hash, password, search, username].every((_) => _ === ""))

const baseUrl = (environment: NodeJS.ProcessEnv): string | undefined => {
  const url = variable(environment, "NOMBA_BASE_URL")
  if (url === undefined) return hosts[variable(environment, "NOMBA_ENVIRONMENT") ?? "sandbox"]
  return URL.canParse(url) && isPlain(new URL(url), url) ? url : undefined
}

const storeFolder = (environment: NodeJS.ProcessEnv): string | undefined => {
  const named = variable(environment, "NOMBA_TOKEN_STORE")
  if (environment["NOMBA_TOKEN_STORE_KEYS"] !== undefined) return undefined
  if (named === undefined) {
    const { isTemporary, path } = stateFolder(environment)
    return isTemporary ? undefined : path
  }
  const path = named.startsWith("file:/") && !named.startsWith("file://") ? named.slice("file:".length) : ""
  return isAbsolute(path) ? path : undefined
}

/** As `StoreKey.make` makes it. */
const keyOf = (url: string, clientId: string): string =>
  [url, clientId, "client_credentials", ""].map((part) => encodeURIComponent(part)).join("|")

const isPrivate = (folder: string): boolean => {
  const { mode, uid } = statSync(folder)
  return process.getuid === undefined || (uid === process.getuid() && (mode & 0o077) === 0)
}

/** The text of the highest number, as `VersionedFile` names them. */
const newestText = (folder: string): string => {
  const numbers = readdirSync(folder).filter((name) => /^\d{10,15}\.json$/.test(name))
  const newest = numbers.reduce(
    (newest, name) => (Number.parseInt(name, 10) > Number.parseInt(newest, 10) ? name : newest),
    "0"
  )
  return readFileSync(join(folder, newest), "utf8")
}

const hit = (format: Format, environment: NodeJS.ProcessEnv): string | undefined => {
  const url = baseUrl(environment)
  const clientId = variable(environment, "NOMBA_CLIENT_ID")
  const secret = variable(environment, "NOMBA_CLIENT_SECRET") ?? variable(environment, "NOMBA_PRIVATE_KEY")
  if (!url || !clientId || !secret || /["\\]/.test(clientId)) return undefined
  const root = storeFolder(environment)
  if (root === undefined || !isPrivate(root)) return undefined
  const key = keyOf(url, clientId)
  const entry = JSON.parse(newestText(join(root, createHash("sha256").update(key).digest("hex"))))
  if (entry.format !== "nomba-auth/file/1" || entry.key !== key || entry.host !== hostname()) return undefined
  const { refreshInFlight, since, text, until } = entry.content
  const [, plain] = /^nomba-auth\/1 plain (\{.*\})$/s.exec(text) ?? []
  if (refreshInFlight !== undefined || plain === undefined) return undefined
  const { format: stored, session, tombstone } = JSON.parse(plain)
  if (stored !== 1 || tombstone !== false || !/^[\x21-\x7e]+$/.test(session.accessToken)) return undefined
  const now = Date.now()
  const remaining = until - now
  if (!(now >= since && remaining >= minTtlOf(session.lifetime))) return undefined
  return print(format, { accessToken: session.accessToken, remaining })
}

/** The token in the format that these arguments ask for; undefined leaves the call to `token.ts`. */
export const tokenHit = (
  args: ReadonlyArray<string>,
  environment: NodeJS.ProcessEnv = process.env
): string | undefined => {
  const [name, value, ...others] = args.length === 0 ? ["--format", "raw"] : args
  const format = formats.find((format) => format === value)
  if (name !== "--format" || format === undefined || others.length > 0) return undefined
  try {
    return hit(format, environment)
  } catch {
    // No store yet, or a text that only a later version knows.
    return undefined
  }
}
