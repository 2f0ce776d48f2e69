import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { runCommands } from "../../scripts/pages.js"
import { blocksOf } from "../support/pages.js"

const block = (language: string, code: string, mark = ""): string => `${mark}\`\`\`${language}\n${code}\n\`\`\`\n\n`

/** Whether the commands of a page run, and what is wrong otherwise. */
const run = async (...blocks: ReadonlyArray<string>): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "nomba-auth-commands-"))
  try {
    await runCommands(blocksOf("page.md", blocks.join("")), { folder, tarball: "" })
    return "ok"
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe("runCommands", () => {
  it("runs the commands in their order, in one folder, with the files that the page lets its reader save", async () => {
    const file = block("text", "hello", "<!-- file: a.txt -->\n")
    const said = await run(
      file,
      block("sh", "cp a.txt b.txt"),
      block("sh", 'cat b.txt; test -n "$NOMBA_BASE_URL"; echo took 12 ms'),
      block("text", "hello\ntook … ms", "<!-- prints -->\n")
    )
    assert.strictEqual(said, "ok")
  })

  it("takes an ellipsis on a line of its own for any lines, or none", async () => {
    const shown = block("text", "…\nlast", "<!-- prints -->\n")
    assert.strictEqual(await run(block("sh", "echo first; echo second; echo last"), shown), "ok")
    assert.strictEqual(await run(block("sh", "echo last"), shown), "ok")
    assert.match(await run(block("sh", "echo first; echo almost last"), shown), /does not show/)
  })

  it("fails if a command does, or if it prints something else", async () => {
    assert.match(await run(block("sh", "echo first\nfalse")), /page\.md:1 ended with 1/)
    assert.match(
      await run(block("sh", "echo hello"), block("text", "goodbye", "<!-- prints -->\n")),
      /does not show what is printed:\nhello/
    )
    assert.strictEqual(await run(block("sh", "false", "<!-- not run: it fails -->\n")), "ok")
  })
})
