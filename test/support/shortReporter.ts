import type { TestModule } from "vitest/node"
import { DefaultReporter } from "vitest/reporters"

/** Prints the files with a failed or skipped test, and the summary. */
export class ShortReporter extends DefaultReporter {
  protected override printTestModule(module: TestModule): void {
    const tests = [...module.children.allTests()]
    if (module.state() === "failed" || tests.some((test) => test.result().state === "skipped")) {
      super.printTestModule(module)
    }
  }
}
