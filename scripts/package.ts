/**
 * Packs the package, installs it into an empty folder as a user would, type-checks every TypeScript block of the README
 * and the docs there, and runs the built package.
 */
import { execFileSync } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const folder = mkdtempSync(join(tmpdir(), "nomba-auth-"))

const run = (command: string, args: ReadonlyArray<string>, cwd: string): string => {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
  } catch (error) {
    const { stderr, stdout } = error as { stdout?: string; stderr?: string }
    console.error(`${command} ${args.join(" ")}\n${stdout ?? ""}${stderr ?? ""}`)
    process.exit(1)
  }
}

/** The examples of the public doc comments. */
const commented = (): ReadonlyArray<{ document: string; code: string; index: number }> =>
  readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) =>
      [...readFileSync(join(root, "src", name), "utf8").matchAll(/^ +\* ```ts\n(.*?)^ +\* ```$/gms)].map(
        ([, code], index) => ({
          document: join("src", name),
          code: (code ?? "").replace(/^ +\* ?/gm, ""),
          index
        })
      )
    )

const step = (name: string, work: () => void): void => {
  work()
  console.log(`ok  ${name}`)
}

const documents = (): ReadonlyArray<string> => [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name))
]

const files = readdirSync(join(root, "examples/testing")).map((name) =>
  readFileSync(join(root, "examples/testing", name), "utf8")
)

/** The examples of a page; those that are files of their own are compiled and run by the tests. */
const examples = (document: string): ReadonlyArray<string> =>
  [...readFileSync(join(root, document), "utf8").matchAll(/```ts\n(.*?)```/gs)]
    .map(([, code]) => code ?? "")
    .filter((code) => !files.includes(code))

try {
  const bin = join(root, "node_modules", ".bin")
  step("publint finds nothing", () => run(join(bin, "publint"), ["--strict"], root))
  const [{ filename, files, size }] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], root))
  const tarball = join(folder, filename)
  step("types resolve for ESM users", () => run(join(bin, "attw"), [tarball, "--profile", "esm-only"], root))
  step(`the tarball holds the build and its sources (${files.length} files, ${Math.round(size / 1024)} kB)`, () => {
    const stray = files.filter(
      ({ path }: { path: string }) => !/^(dist|src|docs)\/|^[^/]+\.(md|json)$|^LICENSE$/.test(path)
    )
    if (stray.length > 0) throw new Error(`not meant to be published: ${JSON.stringify(stray)}`)
  })

  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }))
  const versions = ["effect", "@effect/platform"].map((name) => `${name}@${own.devDependencies[name]}`)
  step("it installs into an empty folder with effect and @effect/platform alone", () => {
    run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", tarball, ...versions], folder)
  })
  step("its bin needs nothing else", () => {
    const said = run("npx", ["--no-install", "nomba-auth", "--version"], folder).trim()
    if (said !== own.version) throw new Error(`nomba-auth --version says ${said}`)
    run("npx", ["--no-install", "nomba-auth", "sandbox", "--help"], folder)
  })
  step("importing it needs nothing else", () => {
    run(
      "node",
      ["-e", 'import("nomba-auth").then((_) => { if (typeof _.Nomba.layerConfig !== "function") process.exit(1) })'],
      folder
    )
  })
  step("require() of it works", () => {
    run(
      "node",
      ["--no-warnings", "-e", 'if (typeof require("nomba-auth").Nomba.layer !== "function") process.exit(1)'],
      folder
    )
    run(
      "node",
      ["--no-warnings", "-e", 'if (typeof require("nomba-auth/promise").createNomba !== "function") process.exit(1)'],
      folder
    )
  })

  step("its Redis store needs ioredis beside, and nothing else", () => {
    const ioredis = `ioredis@${own.devDependencies.ioredis}`
    run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ioredis], folder)
    const asks = 'import("nomba-auth/redis").then((_) => { if (!_.TokenStoreRedis.layerConfig) process.exit(1) })'
    run("node", ["-e", asks], folder)
  })

  const sandboxPeers = [
    "@effect/platform-node",
    "@effect/cluster",
    "@effect/rpc",
    "@effect/sql",
    "typescript",
    "@effect/vitest",
    "vitest",
    "@types/node"
  ]
  step("its sandbox installs with the peers it names", () => {
    const more = sandboxPeers.map((name) => `${name}@${own.devDependencies[name]}`)
    run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...more], folder)
  })
  const blocks = [
    ...documents().flatMap((document) => examples(document).map((code, index) => ({ document, code, index }))),
    ...commented()
  ]
  step(`the ${blocks.length} TypeScript examples of the documents and doc comments compile against it`, () => {
    for (const { code, document, index } of blocks) {
      writeFileSync(join(folder, `${document.replace(/\W+/g, "-")}-${index + 1}.ts`), code)
    }
    cpSync(join(root, "test/docs/frameworks/index.d.ts"), join(folder, "frameworks.d.ts"))
    const compilerOptions = {
      strict: true,
      experimentalDecorators: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: "ES2022",
      module: "NodeNext",
      moduleDetection: "force",
      lib: ["ES2023", "DOM", "DOM.Iterable"],
      types: ["node"],
      skipLibCheck: true
    }
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }))
    run(join(folder, "node_modules", ".bin", "tsc"), [], folder)
  })
} finally {
  rmSync(folder, { recursive: true, force: true })
}
