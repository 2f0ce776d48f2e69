import { readdirSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"
import { ShortReporter } from "./test/support/shortReporter.js"

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

/**
 * Real processes, a Redis, a browser, compilers, and models that take long. The paths begin with these. Within the other
 * files `test/support/quick.ts` leaves something out.
 */
const slow = [
  "test/browser",
  "test/cli",
  "test/contracts/TokenStoreFile",
  "test/docs",
  "test/fleet",
  "test/layers/answers",
  "test/layers/TokenCacheRef/keepAlive",
  "test/layers/TokenStoreFile/crash",
  "test/layers/TokenStoreFile/processes",
  "test/layers/TokenStoreRedis",
  "test/leaks/NombaAuthHttp",
  "test/leaks/TokenStoreRedis",
  "test/model",
  "test/node",
  "test/promise/stores",
  "test/promise/workers",
  "test/sandbox/generatedClient",
  "test/sandbox/lifecycle",
  "test/scripts",
  "test/support/killWithParent",
  "test/types/missingLayer"
].map((path) => `${path}{/**/,}*.test.ts`)

/** `npm test` runs some tests of these files, or runs them fewer times. */
const partly = readdirSync(fileURLToPath(new URL("./test", import.meta.url)), { recursive: true, encoding: "utf8" })
  .map((name) => join("test", name))
  .filter((path) => path.endsWith(".test.ts") && readFileSync(path, "utf8").includes("support/quick.js"))

/** `npm test` is `--mode quick`, and `--mode slow` is what that leaves out; without a mode all tests run. */
export default defineConfig(({ mode }) => {
  const isQuick = mode === "quick"
  // More than there are processors: many files wait for a timer or a disk, and of the slow ones for a Redis or a browser.
  const workers = availableParallelism() + (isQuick ? 1 : 2)
  return {
    resolve: {
      alias: [
        { find: /^nomba-auth$/, replacement: source("index.ts") },
        { find: /^nomba-auth\/(.+)$/, replacement: `${source("")}$1/index.ts` }
      ]
    },
    test: {
      include: mode === "slow" ? [...slow, ...partly] : ["test/**/*.test.ts", "examples/*/*.test.ts"],
      exclude: isQuick ? [...configDefaults.exclude, ...slow] : configDefaults.exclude,
      sequence: { concurrent: true },
      // Most of the quick tests wait for a timer, a disk or a socket.
      maxConcurrency: isQuick ? 10 : 5,
      testTimeout: 60_000,
      hookTimeout: 60_000,
      isolate: false,
      globalSetup: isQuick
        ? "test/support/reportNotRun.ts"
        : ["test/support/reportMissing.ts", "test/support/cliFolder.ts"],
      env: { TESTS: isQuick ? "quick" : "all" },
      reporters: isQuick ? [new ShortReporter()] : ["default"],
      silent: isQuick && "passed-only",
      setupFiles: ["test/support/equality.ts", "test/support/isolateIt.ts", "test/support/turnBeforeTest.ts"],
      maxWorkers: workers,
      minWorkers: workers,
      // Fibers are many and short-lived: with room for them the collector takes a sixth less of the processor.
      poolOptions: { forks: { execArgv: ["--max-semi-space-size=64"] } },
      coverage: {
        provider: "v8",
        include: ["src/**"],
        exclude: ["src/sandbox/page/assets/**"],
        reporter: ["text-summary", "json-summary"],
        reportsDirectory: "coverage"
      }
    }
  }
})
