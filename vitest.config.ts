import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^nomba-auth$/, replacement: source("index.ts") },
      { find: /^nomba-auth\/(.+)$/, replacement: `${source("")}$1/index.ts` }
    ]
  },
  test: {
    include: ["test/**/*.test.ts", "examples/*/*.test.ts"],
    sequence: { concurrent: true },
    testTimeout: 60_000,
    isolate: false,
    globalSetup: "test/support/sayWhatIsMissing.ts",
    setupFiles: ["test/support/equality.ts", "test/support/ownIt.ts"],
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
})
