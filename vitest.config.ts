import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

/** Real processes, a Redis, a browser, compilers, and models that take long. The paths begin with these. */
const slow = [
  "test/browser",
  "test/cli",
  "test/docs",
  "test/fleet",
  "test/layers/answers",
  "test/layers/TokenStoreFile/crash",
  "test/layers/TokenStoreFile/processes",
  "test/layers/TokenStoreRedis",
  "test/leaks/NombaAuthHttp",
  "test/model",
  "test/node",
  "test/promise/stores",
  "test/promise/workers",
  "test/sandbox/life",
  "test/scripts",
  "test/types/missingLayer"
].map((path) => `${path}{/**,*}`)

const all = ["test/**/*.test.ts", "examples/*/*.test.ts"]

/** `npm test` is `--mode quick`, `--mode slow` is the rest, and without a mode all tests run. */
export default defineConfig(({ mode }) => ({
  resolve: {
    alias: [
      { find: /^nomba-auth$/, replacement: source("index.ts") },
      { find: /^nomba-auth\/(.+)$/, replacement: `${source("")}$1/index.ts` }
    ]
  },
  test: {
    include: mode === "slow" ? slow.map((path) => `${path}.test.ts`) : all,
    exclude: mode === "quick" ? [...configDefaults.exclude, ...slow] : configDefaults.exclude,
    sequence: { concurrent: true },
    testTimeout: 60_000,
    isolate: false,
    globalSetup: mode === "quick" ? "test/support/sayWhatIsLeft.ts" : "test/support/sayWhatIsMissing.ts",
    setupFiles: ["test/support/equality.ts", "test/support/isolateIt.ts"],
    // Two more than there are processors: many files wait for a disk, a Redis or a browser.
    maxWorkers: availableParallelism() + 2,
    minWorkers: availableParallelism() + 2,
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
}))
