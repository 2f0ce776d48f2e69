/**
 * `npm run consumers`: installs the packed package beside compilers, bundlers and test runners, and uses it with each of them
 * as their users would. Names run some: `npm run consumers -- webpack jest`.
 */
import { execFileSync } from "node:child_process"
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { chromium } from "playwright-core"
import { root } from "../../test/support/pages.js"
import { findBrowser, NO_BROWSER } from "../../test/support/programs.js"
import { unpackInto } from "../packed.js"
import { modes, writeProgram } from "./types.js"

const folder = mkdtempSync(join(tmpdir(), "nomba-auth-consumers-"))
/** Nothing is installed here or above. */
const elsewhere = mkdtempSync(join(tmpdir(), "nomba-auth-bundles-"))

const run = (command: string, args: ReadonlyArray<string>, cwd = folder, env = {}): string =>
  execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 300_000
  })

const install = (): void => {
  for (const name of ["package.json", "package-lock.json", ".npmrc"]) {
    copyFileSync(join(import.meta.dirname, name), join(folder, name))
  }
  cpSync(join(import.meta.dirname, "app"), folder, { recursive: true })
  copyFileSync(join(root, "scripts/smoke.mjs"), join(folder, "smoke.mjs"))
  run("npm", ["ci"])
  unpackInto(folder)
}

/** Runs it against a sandbox, with its settings. */
const runInSandbox = (file: string): void => {
  const sandbox = [join(folder, "node_modules/nomba-auth/dist/bin/nomba-auth.js"), "sandbox", "--port", "0", "--quiet"]
  run("node", [...sandbox, "--", "node", file], elsewhere)
}

/** Shows a page with the script, and returns its title when the script has set it. */
const titleInBrowser = async (script: string): Promise<string> => {
  const executablePath = findBrowser()
  if (executablePath === undefined) throw new Error(NO_BROWSER)
  const page = `<!doctype html><title></title><script type="module">${script.replaceAll("</script", "<\\/script")}</script>`
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end(page))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const browser = await chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 })
  try {
    const tab = await browser.newPage()
    const failure = new Promise<never>((_, reject) => tab.once("pageerror", reject))
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    await Promise.race([tab.waitForFunction("document.title !== ''"), failure])
    return await tab.title()
  } finally {
    await browser.close()
    server.close()
  }
}

/**
 * Runs a program that bundles, in the folder, because the bundlers are installed there. Returns the folder of the bundle, in
 * which nothing is installed.
 */
const bundle = (name: string, program: (outdir: string) => string): string => {
  const outdir = join(elsewhere, name)
  writeFileSync(join(folder, "bundle.mjs"), program(JSON.stringify(outdir)))
  run("node", ["bundle.mjs"])
  return outdir
}

/** ioredis is CommonJS, and calls `require` for Node's own modules. */
const banner = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);'

/** Each writes `server.mjs`, and more files beside it if it splits the program. */
const serverBundlers: Readonly<Record<string, (outdir: string) => string>> = {
  esbuild: (outdir) => `
    import { build } from "esbuild"
    await build({
      entryPoints: ["server.js"], outfile: ${outdir} + "/server.mjs", bundle: true, platform: "node", format: "esm",
      target: "node20", banner: { js: ${JSON.stringify(banner)} }
    })`,
  "esbuild with splitting": (outdir) => `
    import { build } from "esbuild"
    await build({
      entryPoints: ["server.js"], outdir: ${outdir}, outExtension: { ".js": ".mjs" }, bundle: true, splitting: true,
      platform: "node", format: "esm", target: "node20", banner: { js: ${JSON.stringify(banner)} }
    })`,
  rollup: (outdir) => `
    import commonjs from "@rollup/plugin-commonjs"
    import json from "@rollup/plugin-json"
    import resolve from "@rollup/plugin-node-resolve"
    import { rollup } from "rollup"
    const bundle = await rollup({
      input: "server.js",
      plugins: [resolve({ preferBuiltins: true, exportConditions: ["node"] }), commonjs(), json()],
      onwarn: () => {}
    })
    await bundle.write({ dir: ${outdir}, format: "es", entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" })`,
  vite: (outdir) => `
    import { build } from "vite"
    await build({
      logLevel: "error", configFile: false, ssr: { noExternal: true },
      build: {
        ssr: "server.js", outDir: ${outdir}, target: "node20",
        rollupOptions: { output: { entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" } }
      }
    })`,
  webpack: (outdir) => `
    import webpack from "webpack"
    const stats = await new Promise((resolve, reject) =>
      webpack({
        mode: "production", target: "node20", entry: { server: "./server.js" }, experiments: { outputModule: true },
        output: { path: ${outdir}, filename: "[name].mjs", module: true, chunkFormat: "module" }
      }, (error, stats) => error ? reject(error) : resolve(stats)))
    if (stats.hasErrors()) throw new Error(stats.toString())`
}

/** Each writes `browser.js`. */
const browserBundlers: Readonly<Record<string, (outdir: string) => string>> = {
  esbuild: (outdir) => `
    import { build } from "esbuild"
    await build({ entryPoints: ["browser.js"], outdir: ${outdir}, bundle: true, minify: true, format: "esm", target: "es2022" })`,
  vite: (outdir) => `
    import { build } from "vite"
    await build({
      logLevel: "error", configFile: false,
      build: {
        outDir: ${outdir}, target: "es2022",
        rollupOptions: { input: "browser.js", output: { entryFileNames: "[name].js", codeSplitting: false } }
      }
    })`
}

/** As `docs/runtimes.md` says. */
const jest = {
  "as ES modules": { config: { transform: {} }, env: { NODE_OPTIONS: "--experimental-vm-modules --no-warnings" } },
  "as CommonJS": {
    config: {
      transform: { "\\.js$": ["babel-jest", { presets: [["@babel/preset-env", { targets: { node: "current" } }]] }] },
      transformIgnorePatterns: ["/node_modules/(?!(nomba-auth|effect|@effect)/)"]
    },
    env: {}
  }
}

const cases: ReadonlyArray<readonly [name: string, work: () => unknown]> = [
  ...["5.7", "5.8", "5.9", "6.0", "7.0"].flatMap((version) =>
    Object.entries(modes).map(
      ([mode, options]) =>
        [
          `TypeScript ${version}: ${mode}`,
          () => {
            // That Node's require() loads ES modules, TypeScript knows from 5.8.
            writeProgram(folder, options, options.module === "NodeNext" && version !== "5.7")
            run("node", [`node_modules/typescript-${version}/bin/tsc`])
          }
        ] as const
    )
  ),
  ...Object.entries(serverBundlers).map(
    ([name, program]) =>
      [`${name}: a server`, () => runInSandbox(join(bundle(`${name}-server`, program), "server.mjs"))] as const
  ),
  ...Object.entries(browserBundlers).map(
    ([name, program]) =>
      [
        `${name}: a browser`,
        async () => {
          const title = await titleInBrowser(
            readFileSync(join(bundle(`${name}-browser`, program), "browser.js"), "utf8")
          )
          if (title !== "<redacted> Expired") throw new Error(`the page says ${title}`)
        }
      ] as const
  ),
  ...Object.entries(jest).map(
    ([mode, { config, env }]) =>
      [
        `jest: ${mode}`,
        () => run("node", ["node_modules/jest/bin/jest.js", "--config", JSON.stringify(config)], folder, env)
      ] as const
  )
]

try {
  install()
  const names = process.argv.slice(2)
  for (const [name, work] of cases.filter(([name]) => names.length === 0 || names.some((_) => name.includes(_)))) {
    const start = performance.now()
    try {
      await work()
      console.log(`ok  ${name} (${((performance.now() - start) / 1_000).toFixed(1)} s)`)
    } catch (error) {
      const { message, stderr, stdout } = error as { message: string; stdout?: string; stderr?: string }
      console.log(`FAILED  ${name}\n${stdout ?? ""}${stderr ?? message}`)
      process.exitCode = 1
    }
  }
} finally {
  for (const path of [folder, elsewhere]) rmSync(path, { recursive: true, force: true })
}
