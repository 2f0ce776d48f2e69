/** How results are gathered and shown. */
import { FetchHttpClient } from "@effect/platform"
import { Effect, Fiber, TestClock, TestContext } from "effect"
import { assert, describe, it } from "vitest"
import packageJson from "../../../package.json" with { type: "json" }
import { type Check, nodeVersion, OLDEST_NODE, runAll } from "../../../src/cli/doctor/checks.js"
import { ok, problem, type Result, skipped, warning } from "../../../src/cli/doctor/Finding.js"
import { exitCodeOf, lines, report } from "../../../src/cli/doctor.js"

const results: ReadonlyArray<Result> = [
  { check: "one", ...ok("fine") },
  { check: "two", ...skipped("see one") },
  { check: "three", ...warning("odd", "look") },
  { check: "four", ...problem(5, "down\nand out", "start it") },
  { check: "five", ...problem(3, "refused", "correct it") }
]

describe("the report", () => {
  it("has a line for each result, and under it what to change", () => {
    assert.deepStrictEqual(
      results.map((result) => lines(result, false)),
      [
        "ok       one           fine",
        "skipped  two           see one",
        "warning  three         odd\n                       -> look",
        "problem  four          down and out\n                       -> start it",
        "problem  five          refused\n                       -> correct it"
      ]
    )
  })

  it("colours the level, and nothing else", () => {
    const [shown = ""] = results.slice(4).map((result) => lines(result, true))
    assert.strictEqual(shown, "\u001b[31mproblem  \u001b[0mfive          refused\n                       -> correct it")
  })

  it("ends with the exit code of the first problem", () => {
    assert.strictEqual(exitCodeOf(results), 5)
    assert.strictEqual(exitCodeOf(results.slice(0, 3)), 0)
  })

  it("is one line of JSON", () => {
    assert.deepStrictEqual(JSON.parse(report(results.slice(2, 4))), {
      ok: false,
      exitCode: 5,
      checks: [
        { check: "three", level: "warning", says: "odd", change: "look" },
        { check: "four", level: "problem", says: "down and out", change: "start it" }
      ]
    })
    assert.notInclude(report(results), "\n")
  })
})

describe("the checks", () => {
  const check = (name: string, run: Check["run"]): Check => ({ name, run })
  const run = (...checks: ReadonlyArray<Check>) =>
    Effect.provide(
      runAll(checks, () => Effect.void),
      FetchHttpClient.layer
    )

  it("are made in their order, each with what those before it found", async () => {
    const found = await Effect.runPromise(
      run(
        check("first", () => Effect.succeed({ finding: ok("done"), known: { cutBy: "first" } })),
        check("second", ({ cutBy }) => Effect.succeed({ finding: skipped(`see ${cutBy}`) }))
      )
    )
    assert.deepStrictEqual(found, [
      { check: "first", level: "ok", says: "done" },
      { check: "second", level: "skipped", says: "see first" }
    ])
  })

  it("go on after a defect, which is not shown", async () => {
    const found = await Effect.runPromise(
      run(
        check("broken", () => Effect.dieMessage("sesame")),
        check("next", () => Effect.succeed({ finding: ok("done") }))
      )
    )
    assert.strictEqual(exitCodeOf(found), 1)
    assert.deepStrictEqual(found[1], { check: "next", level: "ok", says: "done" })
    assert.notInclude(JSON.stringify(found), "sesame")
  })

  it("end although one of them hangs and cannot be interrupted", async () => {
    const found = await Effect.runPromise(
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(run(check("stuck", () => Effect.uninterruptible(Effect.never))))
        yield* TestClock.adjust("90 seconds")
        return yield* Fiber.join(fiber)
      }).pipe(Effect.provide(TestContext.TestContext))
    )
    assert.deepStrictEqual(
      found.map(({ level, says }) => [level, says]),
      [["problem", "no result within 90 s"]]
    )
  })
})

describe("Node", () => {
  it.each([
    ["18.20.0", "problem"],
    ["20.18.9", "problem"],
    ["20.19.0", "ok"],
    ["22.0.0", "ok"],
    ["24.5.0", "ok"]
  ])("%s: %s", (version, level) => {
    assert.strictEqual(nodeVersion(version).level, level)
  })

  it("has the limit of the package", () => {
    assert.strictEqual(packageJson.engines.node, `>=${OLDEST_NODE}`)
  })
})
