/**
 * `npm run recipes`: puts the built package beside the frameworks in `examples/recipes`, as an installation would,
 * type-checks the recipes there and runs each. Arguments go to vitest: `npm run recipes -- express`.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const recipes = join(root, "examples/recipes")

const changed = (path: string): number => (existsSync(path) ? statSync(path).mtimeMs : 0)

const newest = (folder: string): number =>
  Math.max(...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => changed(join(folder, name))))

const run = (command: string, args: ReadonlyArray<string>, cwd: string): void => {
  const { status } = spawnSync(command, args, { cwd, stdio: "inherit" })
  if (status !== 0) process.exit(status ?? 1)
}

const lock = readFileSync(join(recipes, "package-lock.json"), "utf8")
const installed = join(recipes, "node_modules/.installed")
if (!existsSync(installed) || readFileSync(installed, "utf8") !== lock) {
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], recipes)
  writeFileSync(installed, lock)
}

if (changed(join(root, "dist/bin/nomba-auth.js")) < newest(join(root, "src"))) run("npm", ["run", "build"], root)

const folder = mkdtempSync(join(tmpdir(), "nomba-auth-recipes-"))
try {
  const packed = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"]
  })
  const [{ filename }] = JSON.parse(packed)
  const target = join(recipes, "node_modules/nomba-auth")
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target)
  run("tar", ["-xzf", join(folder, filename), "--strip-components=1", "-C", target], recipes)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

const bin = join(root, "node_modules/.bin")
run(join(bin, "tsc"), ["-p", recipes], root)
run(join(bin, "vitest"), ["run", "--config", join(recipes, "vitest.config.ts"), ...process.argv.slice(2)], root)
