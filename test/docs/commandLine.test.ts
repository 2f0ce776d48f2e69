import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { assert, describe, it } from "vitest"
import { table } from "../../src/cli/ExitCode.js"
import { useCli } from "../support/cli.js"
import { pages } from "../support/pages.js"

const page = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8")

const { bin, newPath, run, user } = useCli()

interface Step {
  readonly command: string
  readonly output: string
}

/** The commands of a page and what they print, in their order. */
const stepsOf = (page: string): ReadonlyArray<Step> =>
  Array.from(page.matchAll(/```console\n([\s\S]*?)```/g)).flatMap(([, block = ""]) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const [command = "", ...lines] = text.split("\n")
        return { command, output: lines.join("\n") }
      })
  )

/** Tokens, places and times differ from run to run. */
const comparable = (output: string): string =>
  output
    .trim()
    .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, "JWT")
    .replaceAll(/(?:\d+ min )?\d+ s\b/g, "DURATION")
    .replaceAll(/127\.0\.0\.1:\d+/g, "HOST")
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?/g, "DATE")
    .replaceAll(/"(expires_in|age)":\d+/g, '"$1":N')

const hasCurl = spawnSync("curl", ["--version"]).status === 0
const isSkipped = !hasCurl && process.env["CI"] !== "true"
if (isSkipped) process.stderr.write("skipped: curl is missing for the examples of docs/command-line.md\n")

describe.skipIf(isSkipped)("the console examples", () => {
  it.each(pages().filter((name) => stepsOf(page(name)).length > 0))("of %s print what they show", async (name) => {
    const { sandbox, variables } = await user()
    const path = newPath()
    const home = newPath()
    mkdirSync(path)
    mkdirSync(home)
    symlinkSync(join(bin(), "nomba-auth.js"), join(path, "nomba-auth"))
    const { XDG_STATE_HOME: _, ...others } = variables
    const env = { ...others, HOME: home, PATH: `${path}:${process.env["PATH"]}` }
    const steps = stepsOf(page(name))
    for (const { command, output } of steps) {
      const child = spawn("sh", ["-c", `{ ${command}\n} 2>&1`], { env, stdio: ["ignore", "pipe", "inherit"] })
      const [printed] = await Promise.all([text(child.stdout), once(child, "close")])
      assert.strictEqual(comparable(printed.replaceAll(home, "/home/ada")), comparable(output), command)
    }
    await sandbox.close()
  })
})

describe("docs/command-line.md", () => {
  const manual = page("docs/command-line.md")

  it("lists every command of the help", async () => {
    const { output } = await run({}, ["--help"])
    const [, commands = ""] = /^Commands:\n((?: {2}.*\n)+)/m.exec(output) ?? []
    const names = Array.from(commands.matchAll(/^ {2}(\S+)/gm), ([, name]) => name)
    assert.isAbove(names.length, 10)
    const rows = Array.from(manual.matchAll(/^\| \[`([\w-]+)`\]/gm), ([, name]) => name)
    assert.sameMembers(rows, names)
  })

  it("has the exit codes of the help", () => {
    const [, written = ""] = /<!-- exit-codes -->\n([\s\S]*?)<!-- \/exit-codes -->/.exec(manual) ?? []
    const rows = table.map(([code, meaning]) => `| ${code} | ${meaning} |`)
    assert.strictEqual(written.trim(), ["| code | means |", "|---|---|", ...rows].join("\n"))
  })
})
