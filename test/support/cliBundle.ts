/** The built command line. One worker of a run builds it, and the others wait for it. */
import { existsSync, mkdirSync, renameSync, rmdirSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { inject } from "vitest"
import { bundle } from "../../scripts/bundle.js"

const take = (lock: string): boolean => {
  try {
    mkdirSync(lock)
    return true
  } catch {
    return false
  }
}

/** The folder of the bundle. */
export const cliBundle = async (): Promise<string> => {
  const folder = inject("cliFolder")
  const bin = join(folder, "bin")
  const lock = join(folder, "lock")
  while (!existsSync(bin)) {
    if (!take(lock)) {
      await sleep(20)
      continue
    }
    try {
      const draft = join(folder, "draft")
      await bundle(draft)
      renameSync(draft, bin)
    } finally {
      rmdirSync(lock)
    }
  }
  return bin
}
