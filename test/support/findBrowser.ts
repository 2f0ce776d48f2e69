import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"

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
