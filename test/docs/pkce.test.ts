import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { startSandbox } from "nomba-auth/sandbox"
import { assert, it } from "vitest"

const root = new URL("../../", import.meta.url)
const program = new URL("examples/login/main.ts", root)

it("docs/pkce.md shows the program to try it with", () => {
  const page = readFileSync(new URL("docs/pkce.md", root), "utf8")
  assert.include(page, `\`\`\`ts\n${readFileSync(program, "utf8")}\`\`\`\n`)
})

/** What a person does in a browser: reads the form and approves. */
const approve = async (url: string): Promise<string> => {
  const form = await (await fetch(url)).text()
  const [, ticket = ""] = /name="ticket" value="([^"]+)"/.exec(form) ?? []
  const answer = await fetch(url.replace(/\?.*/, ""), {
    method: "POST",
    body: new URLSearchParams({ ticket, decision: "approve" }),
    redirect: "manual"
  })
  return (await fetch(answer.headers.get("location") ?? "")).text()
}

it("the program logs a person in at the sandbox and uses the session", async () => {
  const sandbox = await startSandbox()
  const child = spawn(process.execPath, ["--import", "tsx", fileURLToPath(program)], {
    cwd: fileURLToPath(root),
    env: { ...process.env, NOMBA_BASE_URL: sandbox.url, NOMBA_CLIENT_ID: sandbox.credentials().clientId }
  })
  try {
    const errors = text(child.stderr)
    const ended = once(child, "exit")
    const lines: Array<string> = []
    const output = createInterface(child.stdout).on("line", (line) => lines.push(line))
    await Promise.race([once(output, "line"), ended])
    const url = lines[0]?.replace("Log in at ", "") ?? assert.fail(await errors)
    assert.include(await approve(url), "close this window")
    assert.deepStrictEqual(await ended, [0, null], await errors)
    assert.match(lines.join("\n"), /amount/)
    assert.strictEqual((await sandbox.counts()).issued, 1)
  } finally {
    child.kill("SIGKILL")
    await sandbox.close()
  }
})
