/**
 * `npm run recipes`: puts the built package beside the frameworks in `examples/recipes`, as an installation would,
 * type-checks the recipes there and runs each. Arguments go to vitest: `npm run recipes -- express`.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../test/support/pages.js"
import { unpackInto } from "./packed.js"

const recipes = join(root, "examples/recipes")

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

unpackInto(recipes)

const bin = join(root, "node_modules/.bin")
run(join(bin, "tsc"), ["-p", recipes], root)
run(join(bin, "vitest"), ["run", "--config", join(recipes, "vitest.config.ts"), ...process.argv.slice(2)], root)
