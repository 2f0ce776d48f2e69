import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "vitest"
import { root } from "../support/pages.js"

const read = (file: string) => JSON.parse(readFileSync(join(root, file), "utf8"))

it("the README names the licence and the lowest versions that the package states and that are tried", () => {
  const { engines, license, peerDependencies, type } = read("package.json")
  const compilers = Object.keys(read("scripts/consumers/package.json").dependencies)
    .flatMap((name) => /^typescript-(.+)$/.exec(name)?.[1] ?? [])
    .sort((one, other) => Number(one) - Number(other))
  assert.strictEqual(type, "module")
  const facts = [
    license,
    `Node.js ${engines.node.replace(">=", "")} or later`,
    `Effect ${peerDependencies.effect.replace(/^\^(\d+\.\d+)\..*/, "$1")} or later`,
    `TypeScript ${compilers[0]} or later`,
    "ES modules, which `require()` loads too"
  ]
  assert.include(readFileSync(join(root, "README.md"), "utf8"), `\n${facts.join(" · ")}\n`)
})
