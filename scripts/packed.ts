/** The package as its users get it, for scripts that use it. */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { root } from "../test/support/pages.js"

const changed = (path: string): number => (existsSync(path) ? statSync(path).mtimeMs : 0)

const newest = (folder: string): number =>
  Math.max(...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => changed(join(folder, name))))

/** Builds `dist` if a source is newer. */
export const ensureBuilt = (): void => {
  if (changed(join(root, "dist/bin/nomba-auth.js")) > newest(join(root, "src"))) return
  execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" })
}

/** Puts the package into `node_modules` of a folder, as an installation would, without its peers. */
export const unpackInto = (folder: string): void => {
  ensureBuilt()
  const target = join(folder, "node_modules/nomba-auth")
  const packed = mkdtempSync(join(tmpdir(), "nomba-auth-packed-"))
  try {
    const answer = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", packed], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"]
    })
    const [{ filename }] = JSON.parse(answer)
    rmSync(target, { recursive: true, force: true })
    mkdirSync(target)
    execFileSync("tar", ["-xzf", join(packed, filename), "--strip-components=1", "-C", target])
  } finally {
    rmSync(packed, { recursive: true, force: true })
  }
}
