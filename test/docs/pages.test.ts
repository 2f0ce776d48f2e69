import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { startSandbox } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import { at, type Block, blocks, blocksOf, pages, root } from "../support/pages.js"

const all = blocks()
const isTest = ({ file = "" }: Block) => file.endsWith(".test.ts")
const programs = all.filter((block) => block.language === "ts" && block.notRun === undefined && !isTest(block))
const notRun = all.filter((block) => block.notRun !== undefined)

/** Imports each file that it is given, and prints what it printed or how it failed, as lines of JSON. */
const importer = `
import { format } from "node:util"
const [, , ...files] = process.argv
for (const file of files) {
  const printed = []
  for (const name of ["log", "info", "error", "warn"]) console[name] = (...values) => void printed.push(format(...values))
  let failure
  try { await import(file) } catch (error) { failure = String(error?.stack ?? error) }
  process.stdout.write(JSON.stringify({ printed, failure }) + "\\n")
}
process.exit(0)
`

interface Outcome {
  readonly printed: ReadonlyArray<string>
  readonly failure?: string
}

/** Runs programs one after the other, each as a file of its page's folder, against a sandbox. */
const run = async (programs: ReadonlyArray<Block>): Promise<ReadonlyArray<Outcome>> => {
  const folder = mkdtempSync(join(tmpdir(), "nomba-auth-pages-"))
  try {
    await using sandbox = await startSandbox()
    const { accountId = "", clientId, clientSecret } = sandbox.credentials()
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
    writeFileSync(join(folder, "importer.mjs"), importer)
    const files = programs.map(({ code, file, line, page }) => {
      const path = join(folder, page, file ?? `line-${line}.mts`)
      mkdirSync(join(folder, page), { recursive: true })
      writeFileSync(path, code)
      return path
    })
    const child = spawn(process.execPath, ["--import", "tsx", join(folder, "importer.mjs"), ...files], {
      cwd: root,
      env: {
        ...process.env,
        NO_COLOR: "1",
        TSX_TSCONFIG_PATH: join(root, "tsconfig.json"),
        NOMBA_BASE_URL: sandbox.url,
        NOMBA_CLIENT_ID: clientId,
        NOMBA_CLIENT_SECRET: clientSecret,
        NOMBA_ACCOUNT_ID: accountId
      }
    })
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
    const outcomes = output
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line): Outcome => JSON.parse(line))
    assert.lengthOf(outcomes, programs.length, errors)
    return outcomes
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What a program says that it prints: the comments behind its `console.log`. */
const promised = (code: string): ReadonlyArray<string> =>
  Array.from(code.matchAll(/\bconsole\.log\(.*\) \/\/ (.*)$/gm), ([, output = ""]) => output)

const shape = (output: string): string => output.replace(/\s+/g, " ").replace(/\d{4}-[\dT:.-]+Z/g, "TIME")

/** All texts of the sources, without the quotation marks and line breaks between their parts. */
const sources = (): string => {
  const effect = readFileSync(join(root, "node_modules/effect/src/internal/fiberRuntime.ts"), "utf8")
  const own = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join(root, "src", name), "utf8"))
  return [effect, ...own].join("\n")
}

it("docs/troubleshooting.md and docs/configuration.md quote only what is printed", () => {
  const printed = sources()
  const blocks = all.filter(({ language, page }) => language === "text" && /troubleshooting|configuration/.test(page))
  const tables =
    readFileSync(join(root, "docs/troubleshooting.md"), "utf8").match(/^\| message \|.*\n(?:\|.*\n)+/gm) ?? []
  const messages = tables.flatMap((table) =>
    Array.from(table.matchAll(/^\| `(.+?)` \|/gm), ([, message = ""]) => message)
  )
  assert.isAbove(messages.length, 5)
  const quotes = [...blocks.map(({ code }) => code.trim()), ...messages]
    .flatMap((text) => text.split(/…|\$\{\w+\}/))
    .map((quote) => quote.trim())
  assert.isAbove(quotes.length, 8)
  assert.deepStrictEqual(
    quotes.filter((quote) => !printed.includes(quote)),
    []
  )
})

it("docs/runtimes.md lists the runtimes of npm run runtimes", () => {
  const page = readFileSync(join(root, "docs/runtimes.md"), "utf8")
  const script = readFileSync(join(root, "scripts/runtimes.ts"), "utf8")
  const listed = Array.from(page.matchAll(/^\| (\S+ \d+\.\d+\.\d+) \|/gm), ([, name]) => name)
  assert.isAbove(listed.length, 3)
  assert.deepStrictEqual(
    Array.from(script.matchAll(/^ {2}"(\S+ [\d.]+)": \[/gm), ([, name]) => name),
    listed
  )
})

it("docs/configuration.md names every variable of a client", () => {
  const page = readFileSync(join(root, "docs/configuration.md"), "utf8")
  const read = readdirSync(join(root, "src/layers"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => readFileSync(join(root, "src/layers", name), "utf8").match(/\bNOMBA_[A-Z_]+\b/g) ?? [])
  assert.isAbove(new Set(read).size, 6)
  assert.deepStrictEqual(
    [...new Set(read)].filter((name) => name !== "NOMBA_AUTH_VERSION" && !page.includes(`\`${name}\``)),
    []
  )
})

describe("the pages", () => {
  it("have blocks in languages that are checked, each with a known mark", () => {
    const known = new Set(["ts", "sh", "console", "json", "js", "text"])
    assert.deepStrictEqual(all.filter(({ language }) => !known.has(language)).map(at), [])
    for (const page of pages()) {
      const source = readFileSync(root + page, "utf8")
      assert.lengthOf(source.match(/^ *```/gm) ?? [], 2 * blocksOf(page).length, `${page}: a fence that is not found`)
      const unknown = Array.from(source.matchAll(/^<!-- (.+?) -->\n```/gm), ([, mark = ""]) => mark).filter(
        (mark) => !/^(not run: .+|file: \S+|runs until stopped|in another terminal|\/?\w+)$/.test(mark) // one word is the mark of another test
      )
      assert.deepStrictEqual(unknown, [], page)
    }
  })

  it("have few blocks that are not run, and say why", () => {
    const reasons = notRun.map((block) => `${at(block)}: ${block.notRun}`)
    assert.isAtMost(reasons.length, 30, `not run:\n${reasons.join("\n")}`)
    const silent = all.filter(({ file, language, notRun }) => language === "js" && !file && !notRun)
    assert.deepStrictEqual(silent.map(at), [])
  })

  it("are all in the index of docs/", () => {
    const index = readFileSync(join(root, "docs/README.md"), "utf8")
    const missing = pages()
      .map((page) => page.replace(/^docs\/(.*)$|^(.*)$/, (_, inside, above) => inside ?? `../${above}`))
      .filter((page) => page !== "README.md" && !index.includes(`](${page}`))
    assert.deepStrictEqual(missing, [])
  })

  it("are all in the side bar of the site", () => {
    const config = readFileSync(join(root, "site/.vitepress/config.js"), "utf8")
    const names = pages().flatMap((page) => /^docs\/(?!README)(.*)\.md$/.exec(page)?.[1] ?? [])
    assert.deepStrictEqual(
      names.filter((name) => !config.includes(`"${name}"`)),
      []
    )
  })

  it("have JSON that can be read", () => {
    for (const block of all.filter(({ language }) => language === "json")) {
      assert.doesNotThrow(() => JSON.parse(block.code), at(block))
    }
  })

  it("have TypeScript that runs, and prints what it says", { timeout: 120_000 }, async () => {
    assert.isAbove(programs.length, 15)
    const outcomes = await run(programs)
    outcomes.forEach(({ failure, printed }, index) => {
      const block = programs[index] as Block
      assert.isUndefined(failure, `${at(block)}: ${failure}`)
      const says = promised(block.code)
      if (says.length > 0) assert.deepStrictEqual(printed.map(shape), says.map(shape), at(block))
    })
  })

  it("are run by a runner that sees a wrong example", async () => {
    const block = { page: "page.md", line: 1, language: "ts", isServer: false, isBackground: false, isOutput: false }
    const [wrong, right] = await run([
      { ...block, code: 'import { Nomba } from "nomba-auth"\nNomba.nothing()\n' },
      { ...block, line: 2, code: "console.log({ a: 1 })\n" }
    ])
    assert.include(wrong?.failure, "Nomba.nothing is not a function")
    assert.deepStrictEqual(right, { printed: ["{ a: 1 }"] })
    const [output] = blocksOf("page.md", "<!-- not run: needs a moon -->\n```ts\nfly()\n```\n")
    assert.deepInclude(output, { language: "ts", notRun: "needs a moon", code: "fly()\n", line: 2 })
  })
})
