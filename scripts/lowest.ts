/**
 * `npm run lowest`: compiles the client and runs its tests on the lowest versions of the peers, in a folder of its own.
 */
import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

/** The lowest pair that the peer ranges allow, and what belongs to it. */
const lowest = {
  effect: "3.20.0",
  "@effect/platform": "0.95.0",
  "@effect/platform-node": "0.105.0",
  "@effect/vitest": "0.27.0"
}

/** Those of the client: no sandbox, no Redis, no browser, no package of the command line. */
const tests = [
  "test/layers/NombaAuthHttp",
  "test/layers/NombaClientHttp",
  "test/layers/auth",
  "test/layers/http",
  "test/layers/TokenCacheRef",
  "test/layers/refreshNotProcessed",
  "test/layers/PkceCallback",
  "test/schemas"
]
const needMore = ["NombaAuthHttpSandbox", "NombaApi", "publicLogin", "keepAlive"]

const devDependencies = ["vitest", "typescript", "@types/node", "ioredis", "yaml"] as const

const folder = mkdtempSync(join(tmpdir(), "nomba-auth-lowest-"))

const run = (command: string, ...args: ReadonlyArray<string>): void => {
  execFileSync(command, args, { cwd: folder, stdio: ["ignore", "inherit", "inherit"] })
}

/** The declarations as users get them: made with the newest versions, read with the lowest. */
const declarations = (): void => {
  execFileSync(
    "npx",
    [
      "tsc",
      "-p",
      "tsconfig.build.json",
      "--emitDeclarationOnly",
      "--declarationMap",
      "false",
      "--outDir",
      join(folder, "types")
    ],
    { cwd: root, stdio: ["ignore", "inherit", "inherit"] }
  )
  const compilerOptions = {
    target: "ES2022",
    module: "NodeNext",
    lib: ["ES2023", "DOM", "DOM.Iterable"],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true
  }
  writeFileSync(
    join(folder, "tsconfig.types.json"),
    JSON.stringify({
      compilerOptions,
      files: [
        "",
        "file/",
        "node/",
        "promise/",
        "promise/file/",
        "promise/redis/",
        "redis/",
        "sandbox/",
        "testing/"
      ].map((subpath) => `types/${subpath}index.d.ts`)
    })
  )
  run("npx", "tsc", "-p", "tsconfig.types.json")
}

try {
  for (const name of ["src", "test", "vitest.config.ts", "tsconfig.json"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true })
  }
  const pinned = Object.fromEntries(devDependencies.map((name) => [name, own.devDependencies[name]]))
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "lowest", private: true, type: "module", devDependencies: { ...pinned, ...lowest } })
  )
  run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error")
  declarations()
  // The global `fetch` of a program that has loaded undici sends through undici's newest version, which accepts less.
  process.env["NODE_OPTIONS"] = "--require undici"
  run("npx", "vitest", "run", ...tests, ...needMore.map((name) => `--exclude=**/${name}*`))
  console.log(`ok  the client on effect ${lowest.effect} and @effect/platform ${lowest["@effect/platform"]}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
