import { execFile, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { promisify } from "node:util"
import { startSandbox } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import { ControlApi, prefix } from "../../src/sandbox/control/ControlApi.js"
import * as Served from "../../src/sandbox/Served.js"
import { descriptions } from "../../src/sandbox/Switches.js"

const path = new URL("../../docs/sandbox.md", import.meta.url)
const manual = readFileSync(path, "utf8")
const commands = Array.from(manual.matchAll(/```sh\n([\s\S]*?)```/g), ([, command = ""]) => command)

const hasCurl = spawnSync("curl", ["--version"]).status === 0
const isSkipped = !hasCurl && process.env["CI"] !== "true"
if (isSkipped) process.stderr.write("skipped: curl is missing for the examples of docs/sandbox.md\n")

const text = (millis: number): string => (millis === 0 ? "0" : `${millis / 60_000} minutes`)

const table = [
  "| switch | values | what |",
  "|---|---|---|",
  ...descriptions.map(({ description, name, standard, values }) => {
    const shown = values.length > 0 ? values.map((value) => `\`${value}\``).join(", ") : `\`${text(Number(standard))}\``
    return `| \`${name}\` | ${shown} | ${description} |`
  })
].join("\n")

describe("docs/sandbox.md", () => {
  it("describes every switch in the words of its schema", () => {
    const [, written] = /<!-- switches -->\n([\s\S]*?)<!-- \/switches -->/.exec(manual) ?? []
    assert.strictEqual(written?.trim(), table, `between the markers has to be\n${table}\n`)
  })

  it("has an example of every control endpoint", () => {
    for (const [path, methods] of Served.routes(ControlApi)) {
      for (const method of methods.keys()) {
        const given = commands.some(
          (command) =>
            new RegExp(`\\$SANDBOX${path}(?![\\w/.])`).test(command) &&
            (method === "GET" ? !command.includes("-X ") : command.includes(`-X ${method} `))
        )
        assert.isTrue(given, `${method} ${path}`)
      }
    }
    assert.isTrue(manual.includes(prefix))
  })

  it.skipIf(isSkipped)("has examples that work, each of them, in their order", { timeout: 120_000 }, async () => {
    const sandbox = await startSandbox()
    const run = promisify(execFile)
    try {
      assert.isAbove(commands.length, 15)
      for (const command of commands) {
        const streams = command.includes("/events")
        const script = streams ? command : command.replace("curl -s", "curl -sS --fail-with-body")
        const { stdout } = await run("sh", ["-c", script], { env: { ...process.env, SANDBOX: sandbox.url } }).catch(
          (error: { code?: number; stdout: string; stderr: string }) => {
            if (streams && error.code === 28) return error
            throw new Error(`${command}${error.stdout}${error.stderr}`)
          }
        )
        if (streams) assert.match(stdout, /^event: state\ndata: \{/)
        else assert.isNotNull(JSON.parse(stdout), command)
      }
    } finally {
      await sandbox.close()
    }
  })
})
