/** What a program without Effect sees of `nomba-auth/promise`: the declarations as they are published. */
import { readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { assert, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))
const entries = ["src/promise/index.ts", "src/promise/redis/index.ts", "src/promise/file/index.ts"]

/** The declarations of the entries and of everything that they refer to, by file. */
const declarations = (): ReadonlyMap<string, string> => {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, root)
  const reached = new Map<string, string>()
  const queue = entries.map((entry) => root + entry)
  for (const fileName of queue) {
    if (reached.has(fileName)) continue
    const { diagnostics = [], outputText } = ts.transpileDeclaration(readFileSync(fileName, "utf8"), {
      fileName,
      compilerOptions: { ...options, declaration: true, noEmit: false, allowJs: false },
      reportDiagnostics: true
    })
    assert.deepStrictEqual(
      diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")),
      [],
      fileName
    )
    reached.set(fileName, outputText)
    for (const specifier of specifiers(outputText).filter((specifier) => specifier.startsWith("."))) {
      queue.push(resolve(dirname(fileName), specifier.replace(/\.js$/, ".ts")))
    }
  }
  return reached
}

const specifiers = (text: string): ReadonlyArray<string> =>
  ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName)

it("no declaration of nomba-auth/promise refers to Effect", () => {
  const found = declarations()
  assert.includeMembers(
    [...found.keys()],
    [...entries, "src/promise/createNomba.ts", "src/promise/errors.ts"].map((file) => root + file)
  )
  const foreign = [...found].flatMap(([file, text]) =>
    specifiers(text)
      .filter((specifier) => !specifier.startsWith("."))
      .map((specifier) => `${file}: ${specifier}`)
  )
  assert.deepStrictEqual(foreign, [])
  // A type that is inferred may be written as import("effect/Effect").
  for (const [file, text] of found) assert.notMatch(text, /["']@?effect\b/, file)
})
