/** Where the file store is if `NOMBA_TOKEN_STORE` does not say. Plain Node.js: `token` asks before Effect is loaded. */
import { accessSync, constants, existsSync, mkdirSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { dirname, isAbsolute, join } from "node:path"

/** The default of `TokenStoreFile`, so that programs of the library and this one share a session. */
const byConvention = ({ LOCALAPPDATA, XDG_STATE_HOME }: NodeJS.ProcessEnv): string => {
  if (process.platform === "darwin") return join(homedir(), "Library", "Application Support", "nomba-auth")
  const [named, ...names] =
    process.platform === "win32" ? [LOCALAPPDATA, "AppData", "Local"] : [XDG_STATE_HOME, ".local", "state"]
  const state = named !== undefined && isAbsolute(named) ? named : join(homedir(), ...names)
  return join(state, "nomba-auth")
}

/** Not with `recursive`, which never returns for a folder in /proc (Node.js 20). */
const makeFolder = (folder: string): void => {
  if (existsSync(folder)) return
  if (dirname(folder) !== folder) makeFolder(dirname(folder))
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    // Another process was faster.
    if (!existsSync(folder)) throw error
  }
}

const isUsable = (folder: string): boolean => {
  try {
    makeFolder(folder)
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** The folder, and whether it is a makeshift one, because the user's own is missing or read-only, as in many containers. */
export const stateFolder = (
  environment: NodeJS.ProcessEnv = process.env
): { readonly path: string; readonly isTemporary: boolean } => {
  try {
    const path = byConvention(environment)
    if (isAbsolute(path) && isUsable(path)) return { path, isTemporary: false }
  } catch {
    // The system knows no home of this user.
  }
  return { path: join(tmpdir(), `nomba-auth-${process.getuid?.() ?? "user"}`), isTemporary: true }
}
