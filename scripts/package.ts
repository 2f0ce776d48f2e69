/**
 * Packs the package, installs it into an empty folder as a user would, type-checks every TypeScript block of the pages there,
 * and runs the built package and the commands of the pages.
 */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { at, type Block, blocks as blocksOfPages, root } from "../test/support/pages.js"
import { modes, subpaths, writeProgram } from "./consumers/types.js"
import { runCommands } from "./pages.js"

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

/** The examples of the doc comments that a user can read, by the file in which the check writes them. */
const commented = (): ReadonlyArray<readonly [string, string]> =>
  readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.startsWith("cli/"))
    .flatMap((name) =>
      [...readFileSync(join(root, "src", name), "utf8").matchAll(/^ +\* ```ts\n(.*?)^ +\* ```$/gms)].map(
        ([, code = ""], index) => [join("src", `${name}-${index + 1}.ts`), code.replace(/^ +\* ?/gm, "")] as const
      )
    )

const step = async (name: string, work: () => unknown): Promise<void> => {
  await work()
  console.log(`ok  ${name}`)
}

const onPages = blocksOfPages()

const fileOf = ({ file, line, page }: Block): string => join("pages", page, file ?? `line-${line}.mts`)

try {
  const bin = join(root, "node_modules", ".bin")
  await step("publint finds nothing", () => run(join(bin, "publint"), ["--strict"], root))
  const [{ filename, files, size }] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], root))
  const tarball = join(folder, filename)
  await step("types resolve for ESM users", () => run(join(bin, "attw"), [tarball, "--profile", "esm-only"], root))
  await step(
    `the tarball holds the build and its sources (${files.length} files, ${Math.round(size / 1024)} kB)`,
    () => {
      const stray = files.filter(
        ({ path }: { path: string }) => !/^(dist|src|docs)\/|^[^/]+\.(md|json)$|^LICENSE$/.test(path)
      )
      if (stray.length > 0) throw new Error(`not meant to be published: ${JSON.stringify(stray)}`)
    }
  )

  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }))
  const versions = ["effect", "@effect/platform"].map((name) => `${name}@${own.devDependencies[name]}`)
  await step("it installs into an empty folder with effect and @effect/platform alone", () => {
    run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", tarball, ...versions], folder)
  })
  await step("its bin needs nothing else", () => {
    const said = run("npx", ["--no-install", "nomba-auth", "--version"], folder).trim()
    if (said !== own.version) throw new Error(`nomba-auth --version says ${said}`)
    run("npx", ["--no-install", "nomba-auth", "sandbox", "--help"], folder)
  })
  await step("importing it needs nothing else", () => {
    run(
      "node",
      ["-e", 'import("nomba-auth").then((_) => { if (typeof _.Nomba.layerConfig !== "function") process.exit(1) })'],
      folder
    )
  })
  await step("require() of each subpath works", () => {
    for (const path of subpaths) {
      const asks = `if (Object.keys(require("${path}")).length === 0) process.exit(1)`
      run("node", ["--no-warnings", "-e", asks], folder)
    }
  })

  await step("its types need no optional peer", () => {
    writeProgram(folder, modes["Bundler without them"])
    run(join(bin, "tsc"), ["-p", folder], root)
  })
  cpSync(join(root, "scripts/optionalPeers.mjs"), join(folder, "optionalPeers.mjs"))
  await step("without an optional peer it says what to install, and with it works", () => {
    const lines = run("node", ["optionalPeers.mjs", "missing"], folder).trim().split("\n")
    if (lines.length !== 2) throw new Error(`expected two lines of npm install, not ${lines}`)
    for (const line of lines)
      run("npm", [...line.split(" ").slice(1), "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    run("node", ["optionalPeers.mjs", "installed"], folder)
  })

  const sandboxPeers = [
    "@effect/platform-node",
    "@effect/cluster",
    "@effect/rpc",
    "@effect/sql",
    "typescript",
    "tsx",
    "@effect/vitest",
    "vitest",
    "@types/node"
  ]
  await step("its sandbox installs with the peers it names", () => {
    const more = sandboxPeers.map((name) => `${name}@${own.devDependencies[name]}`)
    run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...more], folder)
  })
  const examples = [
    ...onPages.filter(({ language }) => language === "ts").map((block) => [fileOf(block), block.code] as const),
    ...commented()
  ]
  await step(`the ${examples.length} TypeScript examples of the pages and doc comments compile against it`, () => {
    for (const [file, code] of examples) {
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      writeFileSync(join(folder, file), code)
    }
    cpSync(join(root, "test/docs/frameworks/index.d.ts"), join(folder, "frameworks.d.ts"))
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: "ES2022",
      module: "NodeNext",
      moduleDetection: "force",
      lib: ["ES2023", "DOM", "DOM.Iterable"],
      types: ["node"],
      skipLibCheck: true
    }
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts", "pages", "src"] }))
    run(join(folder, "node_modules", ".bin", "tsc"), [], folder)
  })
  const commands = onPages.filter(({ isServer, language, notRun }) => language === "sh" && (isServer || !notRun))
  await step(`the ${commands.length} blocks of commands run in the order of their page`, () =>
    runCommands(onPages, { folder, tarball })
  )
  for (const block of onPages.filter(({ notRun }) => notRun !== undefined)) {
    console.log(`--  ${at(block)} is not run: ${block.notRun}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
