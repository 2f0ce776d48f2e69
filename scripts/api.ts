/**
 * `npm run api`: compares what each subpath exports, as its declarations say, with the reports in `api/`. `-- --write` writes
 * them anew. A report also has the types that are not exported but which those that are refer to.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import ts from "typescript"
import { root } from "../test/support/pages.js"
import { ensureBuilt } from "./packed.js"

ensureBuilt()

const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const reports = join(root, "api")

/** The name of each subpath, and its declarations. */
const entries = Object.entries<{ readonly types?: string }>(own.exports).flatMap(([path, { types }]) =>
  types === undefined ? [] : [{ name: path.replace(/^\./, own.name), file: join(root, types) }]
)

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  noLib: true,
  types: []
}

/** Sees this package's declarations and nothing else: of another package's types only the name stands in a report. */
const host = ts.createCompilerHost(options, true)
const exists = host.fileExists
host.fileExists = (name) => name.startsWith(join(root, "dist")) && exists(name)

const program = ts.createProgram(
  entries.map(({ file }) => file),
  options,
  host
)
const checker = program.getTypeChecker()
const printer = ts.createPrinter({ removeComments: true })

const resolved = (symbol: ts.Symbol): ts.Symbol =>
  symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol

const isModule = ({ declarations = [] }: ts.Symbol): boolean => declarations.some(ts.isSourceFile)

/** What of a declaration stands in a report: the whole statement, and nothing for a part of another declaration. */
const statementOf = (declaration: ts.Declaration): ts.Node | undefined => {
  const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration
  return !ts.isSourceFile(node) && ts.isSourceFile(node.parent) ? node : undefined
}

const statementsOf = (symbol: ts.Symbol): ReadonlyArray<ts.Node> =>
  (symbol.declarations ?? []).flatMap((declaration) => statementOf(declaration) ?? [])

/** In which order the compiler writes the members of an inferred type depends on what it has checked before. */
const withSortedMembers: ts.TransformerFactory<ts.Node> = (context) => {
  const visit = (node: ts.Node): ts.Node => {
    const visited = ts.visitEachChild(node, visit, context)
    if (!ts.isTypeLiteralNode(visited)) return visited
    const nameOf = ({ name }: ts.TypeElement): string =>
      name !== undefined && (ts.isIdentifier(name) || ts.isStringLiteral(name)) ? name.text : ""
    const members = [...visited.members].sort((a, b) => nameOf(a).localeCompare(nameOf(b)))
    return ts.factory.updateTypeLiteralNode(visited, ts.factory.createNodeArray(members))
  }
  return visit
}

const textOf = (node: ts.Node): string =>
  printer
    .printNode(
      ts.EmitHint.Unspecified,
      ts.transform(node, [withSortedMembers]).transformed[0] ?? node,
      node.getSourceFile()
    )
    .replace(/^export (declare )?/, "")

/** The symbols that a declaration names. */
const namesIn = (node: ts.Node): ReadonlyArray<ts.Symbol> => {
  const found: Array<ts.Symbol> = []
  const visit = (child: ts.Node): void => {
    const symbol = ts.isIdentifier(child) ? checker.getSymbolAtLocation(child) : undefined
    if (symbol !== undefined) found.push(resolved(symbol))
    ts.forEachChild(child, visit)
  }
  visit(node)
  return found
}

interface Exported {
  readonly name: string
  readonly symbol: ts.Symbol
}

/** In the order of their names; those of a module that is exported under a name follow it: `Nomba.layer`. */
const exportsOf = (module: ts.Symbol, prefix = ""): ReadonlyArray<Exported> =>
  checker
    .getExportsOfModule(module)
    .map((symbol) => ({ name: `${prefix}${symbol.name}`, symbol: resolved(symbol) }))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((exported) => (isModule(exported.symbol) ? exportsOf(exported.symbol, `${exported.name}.`) : [exported]))

/** What is not exported and still needed to say what is. */
const neededBy = (exported: ReadonlyArray<Exported>): ReadonlyArray<Exported> => {
  const seen = new Set(exported.map(({ symbol }) => symbol))
  const needed: Array<Exported> = []
  const queue = [...seen]
  for (const symbol of queue) {
    for (const name of statementsOf(symbol).flatMap(namesIn)) {
      if (seen.has(name) || statementsOf(name).length === 0) continue
      seen.add(name)
      queue.push(name)
      needed.push({ name: name.name, symbol: name })
    }
  }
  return needed.sort((one, other) => (one.name < other.name ? -1 : 1))
}

const section = (title: string, exported: ReadonlyArray<Exported>): string =>
  exported.length === 0
    ? ""
    : `\n## ${title}\n\n\`\`\`ts\n${exported
        .map(({ name, symbol }) => [`// ${name}`, ...statementsOf(symbol).map(textOf)].join("\n"))
        .join("\n\n")}\n\`\`\`\n`

const reportOf = (name: string, file: string): string => {
  const source = program.getSourceFile(file)
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error(`${file} exports nothing`)
  const exported = exportsOf(module)
  return `# ${name}\n\nWritten by \`npm run api -- --write\`.\n${section("Exported", exported)}${section(
    "Not exported, but named above",
    neededBy(exported)
  )}`
}

const found = new Map<string, string>(
  entries.map(({ file, name }) => [`${name.replaceAll("/", ".")}.md`, reportOf(name, file)] as const)
)

if (process.argv.includes("--write")) {
  rmSync(reports, { recursive: true, force: true })
  mkdirSync(reports)
  for (const [name, report] of found) writeFileSync(join(reports, name), report)
} else {
  const written = existsSync(reports) ? readdirSync(reports) : []
  for (const name of new Set([...found.keys(), ...written])) {
    const before = written.includes(name) ? readFileSync(join(reports, name), "utf8") : ""
    const after = found.get(name) ?? ""
    if (before === after) continue
    const { stdout } = spawnSync("diff", ["-u", "--label", `api/${name}`, "--label", "now", join(reports, name), "-"], {
      input: after,
      encoding: "utf8"
    })
    console.error(`${stdout}api/${name} is not what the package exports. If that is meant: npm run api -- --write`)
    process.exitCode = 1
  }
}
