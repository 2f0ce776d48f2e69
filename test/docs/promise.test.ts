import { readFileSync } from "node:fs"
import ts from "typescript"
import { assert, describe, it } from "vitest"
import { compilerOptions, declarations, root } from "../support/declarations.js"

const page = readFileSync(`${root}docs/promise.md`, "utf8")
const examples = Array.from(page.matchAll(/```ts\n(.*?)```/gs), ([, code = ""]) => code)

/** What the compiler says about programs of a user who has installed nomba-auth and zod. */
const diagnose = (programs: ReadonlyArray<string>): ReadonlyArray<string> => {
  const sources = new Map<string, string>(
    Array.from(
      declarations(["src/promise/index.ts", "src/promise/redis/index.ts", "src/promise/file/index.ts"]),
      ([file, text]) => [file.replace(/\.ts$/, ".d.ts"), text]
    )
  )
  programs.forEach((code, index) => {
    sources.set(`${root}example-${index + 1}.mts`, code)
  })
  const options: ts.CompilerOptions = {
    ...compilerOptions(),
    noUnusedLocals: false,
    paths: Object.fromEntries(
      ["promise", "promise/redis", "promise/file"].map((name) => [
        `nomba-auth/${name}`,
        [`${root}src/${name}/index.d.ts`]
      ])
    )
  }
  const host = ts.createCompilerHost(options)
  const { fileExists, getSourceFile, readFile } = host
  // The sources themselves would bring all of Effect.
  const isHidden = (file: string) => file.startsWith(`${root}src/`) && !sources.has(file)
  host.fileExists = (file) => sources.has(file) || (!isHidden(file) && fileExists(file))
  host.readFile = (file) => sources.get(file) ?? readFile(file)
  host.getSourceFile = (file, version, ...rest) => {
    const text = sources.get(file)
    return text === undefined ? getSourceFile(file, version, ...rest) : ts.createSourceFile(file, text, version)
  }
  const files = [...sources.keys()].filter((file) => file.endsWith(".mts"))
  const program = ts.createProgram([...files, `${root}test/docs/frameworks/index.d.ts`], options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`)
}

describe("docs/promise.md", () => {
  it("has examples that compile", () => {
    assert.isAbove(examples.length, 3)
    assert.deepStrictEqual(diagnose(examples), [])
  })

  it("is checked by a compiler that sees a wrong example", () => {
    const [problem = "", ...others] = diagnose([
      'import { createNomba } from "nomba-auth/promise"\nexport const token: number = await createNomba().token()\n'
    ])
    assert.include(problem, "Type 'string' is not assignable to type 'number'")
    assert.lengthOf(others, 0)
  })
})
