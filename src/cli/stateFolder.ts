/** Where the file store is if `NOMBA_TOKEN_STORE` does not say. Plain Node.js: `token` asks before Effect is loaded. */
import { accessSync, constants, mkdirSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { isAbsolute, join } from "node:path"

/** The default of `TokenStoreFile`, so that programs of the library and this one share a session. */
const byConvention = (): string => {
  const { LOCALAPPDATA, XDG_STATE_HOME } = process.env
  if (process.platform === "darwin") return join(homedir(), "Library", "Application Support", "nomba-auth")
  const [named, ...names] =
    process.platform === "win32" ? [LOCALAPPDATA, "AppData", "Local"] : [XDG_STATE_HOME, ".local", "state"]
  const state = named !== undefined && isAbsolute(named) ? named : join(homedir(), ...names)
  return join(state, "nomba-auth")
}

const isUsable = (folder: string): boolean => {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** The folder, and whether it is a makeshift one, because the user's own is missing or read-only, as in many containers. */
export const stateFolder = (): { readonly path: string; readonly isTemporary: boolean } => {
  try {
    const path = byConvention()
    if (isAbsolute(path) && isUsable(path)) return { path, isTemporary: false }
  } catch {
    // The system knows no home of this user.
  }
  return { path: join(tmpdir(), `nomba-auth-${process.getuid?.() ?? "user"}`), isTemporary: true }
}
