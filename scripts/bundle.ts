/**
 * Bundles the bin: a small front file, chunks that are loaded when a command needs them, and the files of the sandbox's
 * page, so that nothing has to be installed beside it.
 */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = fileURLToPath(new URL("..", import.meta.url))

const packageOf = (file: string): string | undefined => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]

/** Where `@effect/platform` keeps its copy of Scalar, which is a package of its own. */
const scalar = "node_modules/@effect/platform/dist/esm/internal/httpApiScalar.js"

/** The licence of Scalar, which neither its copy nor `@effect/platform` brings along. */
const scalarLicence = (): string => {
  const [, name, version] = /(@scalar\/api-reference)@([\d.]+)/.exec(readFileSync(join(root, scalar), "utf8")) ?? []
  if (name === undefined) throw new Error(`${scalar} no longer says which Scalar it holds: look at its licence`)
  const text = readFileSync(join(root, "scripts/licences/scalar.txt"), "utf8").trim()
  return `${name} ${version}, within @effect/platform\n\n${text}\n`
}

const licenceOf = (folder: string): string => {
  const { license, name, version } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"))
  const file = readdirSync(join(root, folder)).find((name) => /^licen[cs]e(?:\.|$)/i.test(name))
  const text = file === undefined ? license : readFileSync(join(root, folder, file), "utf8").trim()
  return `${name} ${version}\n\n${text}\n`
}

/** The licences of what is bundled, which ask to travel with it. */
const licences = (inputs: ReadonlyArray<string>): string =>
  [
    ...[...new Set(inputs.flatMap((file) => packageOf(file) ?? []))].sort().map(licenceOf),
    ...(inputs.includes(scalar) ? [scalarLicence()] : [])
  ].join(`\n${"-".repeat(80)}\n\n`)

/** Bundles into the folder, which is emptied first. */
export const bundle = async (outdir: string): Promise<void> => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  rmSync(outdir, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { "nomba-auth": "src/cli/main.ts" },
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    minify: true,
    metafile: true,
    legalComments: "none",
    logLevel: "warning",
    define: { NOMBA_AUTH_VERSION: JSON.stringify(version) },
    // What is CommonJS among the dependencies calls require() for Node's own modules.
    banner: {
      js: 'import{createRequire as $createRequire}from"node:module";const require=$createRequire(import.meta.url);'
    }
  })
  cpSync(join(root, "src/sandbox/page/assets"), join(outdir, "assets"), { recursive: true })
  const bundled = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.keys(inputs).filter((file) => (inputs[file]?.bytesInOutput ?? 0) > 0)
  )
  writeFileSync(join(outdir, "LICENSES.txt"), licences(bundled))
}
