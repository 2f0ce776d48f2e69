import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/** The recipes, with the package as a user installs it: `npm run recipes` in the repository's root. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 120_000,
    isolate: false,
    maxConcurrency: 3,
    maxWorkers: 2,
    minWorkers: 1
  }
})
