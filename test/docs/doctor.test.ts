/** docs/doctor.md shows what the command prints, and has a row for every check. */
import { mkdirSync, readFileSync } from "node:fs"
import { ConfigProvider, Duration, Effect, Option } from "effect"
import type { SandboxHandle } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import { checksOf } from "../../src/cli/doctor/checks.js"
import { gather } from "../../src/cli/doctor/settings.js"
import { setUp, type Variables } from "../cli/doctor/examine.js"

const page = readFileSync(new URL("../../docs/doctor.md", import.meta.url), "utf8")

const { examineProcess, newPath, run, withSandbox } = setUp()

/** The output between two marks. */
const shown = (mark: string): string => {
  const [, text] = new RegExp(`<!-- ${mark} -->\n\`\`\`text\n([\\s\\S]*?)\`\`\`\n<!-- /${mark} -->`).exec(page) ?? []
  return text ?? assert.fail(`docs/doctor.md has no output ${mark}`)
}

/** With the addresses, the folder and the times of the page in the place of those of this run. */
const asOnPage = (output: string, url: string, home: string): string =>
  output
    .replaceAll(new URL(url).host, "127.0.0.1:4010")
    .replaceAll(home, "/home/ada")
    .replace(process.versions.node, "20.20.2")
    .replace(/within \d+ s of/, "within 1 s of")
    .replace(/valid for 2\dm \d+s/, "valid for 29m 58s")
    .replaceAll(/issued \d+s ago/g, "issued 1s ago")

const isShown = (mark: string, change: (sandbox: SandboxHandle) => Promise<unknown>) =>
  withSandbox(async (sandbox, settings) => {
    const home = newPath()
    mkdirSync(home)
    const { NOMBA_TOKEN_STORE: _, ...others } = settings
    const variables: Variables = { ...others, HOME: home }
    await examineProcess(variables, ["--login", "--yes"])
    await change(sandbox)
    const { output } = await run(variables)
    assert.strictEqual(shown(mark), asOnPage(output, sandbox.url, home))
  })

describe("docs/doctor.md", () => {
  it("shows a run that finds nothing wrong", () => isShown("healthy", async () => {}))

  it("shows a run that finds another program", () => isShown("stolen", (sandbox) => sandbox.steal()))

  it("has a row for every check, in their order", async () => {
    const none = { clientSecret: Option.none(), clientSecretFile: Option.none(), subject: Option.none() }
    const settings = await Effect.runPromise(
      Effect.withConfigProvider(gather(none, {}), ConfigProvider.fromMap(new Map()))
    )
    const checks = checksOf({
      settings,
      variables: {},
      node: { version: "20.20.2", isSupported: false, isOn: false },
      stepTimeout: Duration.seconds(1),
      login: false
    })
    const table = page.slice(page.indexOf("| check | what the doctor says |")).split("\n").slice(2)
    const named = table.flatMap((row) => (row.split(" | ")[0] ?? "").replace(/^\| ?/, "").split(", "))
    assert.deepStrictEqual(
      [...new Set(named.filter((name) => name !== ""))],
      checks.map(({ name }) => name)
    )
  })
})
