/** A folder for the built command line, which `cliBundle` fills when the first file of a run needs it. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  interface ProvidedContext {
    readonly cliFolder: string
  }
}

export default (project: TestProject) => {
  const folder = mkdtempSync(join(tmpdir(), "nomba-auth-bin-"))
  // Some tests run the command line as another user of this machine.
  chmodSync(folder, 0o755)
  project.provide("cliFolder", folder)
  return () => rmSync(folder, { recursive: true, force: true })
}
