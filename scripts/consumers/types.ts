/** A program that imports every subpath, for a compiler that checks the declarations too (`skipLibCheck: false`). */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../../test/support/pages.js"

const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

/** `nomba-auth`, `nomba-auth/file` and so on. */
export const subpaths: ReadonlyArray<string> = Object.keys(own.exports)
  .filter((path) => path !== "./package.json")
  .map((path) => path.replace(/^\./, own.name))

const strict = { target: "ES2022", strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true }

export const modes = {
  "NodeNext with the types of Node.js": { ...strict, module: "NodeNext", types: ["node"] },
  "Bundler without them": { ...strict, module: "ESNext", moduleResolution: "Bundler", types: [] }
} as const

/** Writes the program, and a `tsconfig.json` that compiles it. */
export const writeProgram = (folder: string, compilerOptions: object, canRequire = false): void => {
  const program = (line: (path: string, name: string) => string): string =>
    subpaths.map((path, index) => `${line(path, `subpath${index}`)}\n`).join("")
  writeFileSync(
    join(folder, "every.ts"),
    program((path, name) => `export * as ${name} from "${path}"`)
  )
  writeFileSync(
    join(folder, "required.cts"),
    program((path, name) => `export import ${name} = require("${path}")`)
  )
  const files = ["every.ts", ...(canRequire ? ["required.cts"] : [])]
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }))
}
