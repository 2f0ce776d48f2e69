/** The programs of this machine that some tests start. */
import { spawnSync } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"

export const REDIS = "redis-server"

const { stdout: version } = spawnSync(REDIS, ["--version"], { encoding: "utf8" })
const [major = 0, minor = 0] = (/v=(\d+)\.(\d+)/.exec(version ?? "") ?? []).slice(1).map(Number)

export const hasRedis = major >= 6
export const NO_REDIS = `${REDIS}, version 6 or later, is not on the path`

/** Since Redis 6.2 a user has rights on channels too. */
export const hasChannelRights = major > 6 || minor >= 2

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** `CHROMIUM_PATH`, else the first of the usual names that is on the path. */
export const findBrowser = (): string | undefined => {
  const { CHROMIUM_PATH, PATH = "" } = process.env
  const usual = ["chromium", "chromium-browser", "google-chrome"]
  const candidates = usual.flatMap((name) => PATH.split(delimiter).map((folder) => join(folder, name)))
  return (CHROMIUM_PATH === undefined ? candidates : [CHROMIUM_PATH]).find(isExecutable)
}
export const NO_BROWSER = "no Chromium was found (CHROMIUM_PATH, or chromium on the path)"
