/** The declarations that are published, made file by file: without types of other packages that takes no time. */
import { readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

export const root: string = fileURLToPath(new URL("../../", import.meta.url))

export const compilerOptions = (): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  return ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, root).options
}

/** Of the entries and of everything that they refer to, by source file. */
export const declarations = (entries: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const options = { ...compilerOptions(), declaration: true, noEmit: false, allowJs: false }
  const reached = new Map<string, string>()
  const queue = entries.map((entry) => root + entry)
  for (const fileName of queue) {
    if (reached.has(fileName)) continue
    const { diagnostics = [], outputText } = ts.transpileDeclaration(readFileSync(fileName, "utf8"), {
      fileName,
      compilerOptions: options,
      reportDiagnostics: true
    })
    if (diagnostics[0])
      throw new Error(`${fileName}: ${ts.flattenDiagnosticMessageText(diagnostics[0].messageText, "\n")}`)
    reached.set(fileName, outputText)
    for (const specifier of specifiers(outputText).filter((specifier) => specifier.startsWith("."))) {
      queue.push(resolve(dirname(fileName), specifier.replace(/\.js$/, ".ts")))
    }
  }
  return reached
}

export const specifiers = (text: string): ReadonlyArray<string> =>
  ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName)
