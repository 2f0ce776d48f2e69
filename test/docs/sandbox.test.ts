import { execFile, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { promisify, stripVTControlCharacters } from "node:util"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as FileSystem from "@effect/platform/FileSystem"
import { Effect, Redacted } from "effect"
import { Sandbox, startSandbox } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import * as SandboxFile from "../../src/cli/SandboxFile.js"
import * as SandboxCommand from "../../src/cli/sandbox.js"
import { descriptions } from "../../src/sandbox/config/Switches.js"
import { ControlApi, prefix } from "../../src/sandbox/control/ControlApi.js"
import * as httpApiRoutes from "../../src/sandbox/http/httpApiRoutes.js"
import * as LoginApi from "../../src/sandbox/login/LoginApi.js"
import { pages } from "../../src/sandbox/page/Pages.js"
import { builtIn } from "../../src/sandbox/resources/builtIn.js"
import { authorizePage } from "../support/authorizePage.js"

const path = new URL("../../docs/sandbox.md", import.meta.url)
const manual = readFileSync(path, "utf8")

const blocks = (language: string): ReadonlyArray<string> =>
  Array.from(manual.matchAll(/```(\w+)\n([\s\S]*?)```/g)).flatMap(([, name, block = ""]) =>
    name === language ? [block] : []
  )

const scripts = blocks("sh")
const commands = scripts.filter((script) => script.startsWith("curl "))

const hasCurl = spawnSync("curl", ["--version"]).status === 0
const isSkipped = !hasCurl && process.env["CI"] !== "true"
if (isSkipped) process.stderr.write("skipped: curl is missing for the examples of docs/sandbox.md\n")

const help = stripVTControlCharacters(
  HelpDoc.toAnsiText(Command.getHelp(SandboxCommand.command, CliConfig.make({ showBuiltIns: false })))
)

/** Each with its description, by its name. */
const flags = new Map(
  Array.from(help.matchAll(/^(--\S+).*\n\n.*\n\n {2}(.+)$/gm), ([, name = "", description = ""]) => [name, description])
)

/** What is between two marks must be this table. */
const isTable = (mark: string, columns: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): void => {
  const [head, ...body] = [columns, ...rows].map((cells) => `| ${cells.join(" | ")} |`)
  const table = [head, `|${"---|".repeat(columns.length)}`, ...body].join("\n")
  const [, written] = new RegExp(`<!-- ${mark} -->\n([\\s\\S]*?)<!-- /${mark} -->`).exec(manual) ?? []
  assert.strictEqual(written?.trim(), table, `between the marks must be\n${table}\n`)
}

const text = (millis: number): string => (millis === 0 ? "0" : `${millis / 60_000} minutes`)

describe("docs/sandbox.md", () => {
  it("names every call of a sandbox", async () => {
    await using sandbox = await startSandbox()
    const rows = manual.slice(manual.indexOf("| call |"), manual.indexOf("### In a program with Effect"))
    const named = Array.from(rows.matchAll(/`(\w+)(?:\([^`]*\))?`(?=[,\s].*\|)/g), ([, name]) => name)
    assert.sameMembers([...new Set(named)], Object.keys(sandbox))
  })

  it("describes every switch in the words of its schema", () => {
    isTable(
      "switches",
      ["switch", "values", "what"],
      descriptions.map(({ description, name, standard, values }) => [
        `\`${name}\``,
        values.length > 0 ? values.map((value) => `\`${value}\``).join(", ") : `\`${text(Number(standard))}\``,
        description
      ])
    )
  })

  it("describes every flag of the command line in the words of its help", () => {
    assert.isAbove(flags.size, 8)
    isTable(
      "flags",
      ["flag", "what"],
      Array.from(flags, ([name, description]) => [`\`${name}\``, description])
    )
  })

  it("lists every built-in resource with the members that it requires", () => {
    isTable(
      "resources",
      ["call", "required"],
      builtIn.map(({ method, paths, query = {}, requires = {} }) => [
        paths.map((path) => `\`${method} ${path}\``).join(", "),
        [...Object.keys(requires), ...Object.keys(query).map((name) => `?${name}`)]
          .map((name) => `\`${name}\``)
          .join(", ") || "-"
      ])
    )
  })

  it("starts the sandbox with flags that there are, and shows the line that says it is ready", () => {
    const starts = scripts.filter((script) => !commands.includes(script))
    assert.isAbove(starts.length, 1)
    for (const start of starts) {
      assert.match(start, /^npx nomba-auth sandbox/)
      for (const [flag] of start.matchAll(/--\w[\w-]*/g)) assert.isTrue(flags.has(flag), flag)
    }
    assert.include(manual, SandboxCommand.readyLine("http://127.0.0.1:4010"))
  })

  it("has a file for --config by which a sandbox starts, and lets each of its clients in", async () => {
    const [file = "", ...more] = blocks("json")
    assert.lengthOf(more, 0)
    const options = await Effect.runPromise(
      SandboxFile.read("sandbox.json").pipe(
        Effect.provide(FileSystem.layerNoop({ readFileString: () => Effect.succeed(file) }))
      )
    )
    await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { url } = yield* Sandbox.makeServer({ ...options, port: 0 })
          for (const { accountId = "", clientId, clientSecret, redirectUris = [] } of options.clients ?? []) {
            for (const uri of redirectUris) {
              assert.include(yield* Effect.promise(() => authorizePage(url, clientId, uri)), "Approve")
            }
            if (clientSecret === undefined) continue
            const response = yield* Effect.promise(() =>
              fetch(`${url}/v1/auth/token/issue`, {
                method: "POST",
                headers: { "content-type": "application/json", accountId },
                body: JSON.stringify({
                  grant_type: "client_credentials",
                  client_id: clientId,
                  client_secret: Redacted.value(clientSecret)
                })
              })
            )
            assert.strictEqual(response.status, 200)
          }
        })
      )
    )
    assert.isAbove(options.clients?.length ?? 0, 1)
  })

  it("lists every page, and where a person logs in", () => {
    const looked = [...pages.keys()].filter((page) => !/^\/assets\/|\.js$/.test(page))
    for (const page of looked) assert.include(manual, `| \`GET ${page}\` |`)
    assert.include(manual, `| \`GET ${LoginApi.path}\` |`)
  })

  it("has an example of every control endpoint", () => {
    for (const [path, methods] of httpApiRoutes.routesOf(ControlApi)) {
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
