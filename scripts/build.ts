/** Builds the package into `dist`: modules and types, the files of the sandbox's page, and the bundled bin. */
import { execFileSync } from "node:child_process"
import { cpSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { bundle } from "./bundle.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const assets = "sandbox/page/assets"

rmSync(join(root, "dist"), { recursive: true, force: true })
execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", join(root, "tsconfig.build.json")], { stdio: "inherit" })
cpSync(join(root, "src", assets), join(root, "dist", assets), { recursive: true })
await bundle(join(root, "dist/bin"))
