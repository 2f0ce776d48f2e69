/**
 * Bundles the bin: a small front file, chunks that are loaded when a command needs them, and the files of the sandbox's
 * page, so that nothing has to be installed beside it.
 */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build, type Plugin } from "esbuild"

const root = fileURLToPath(new URL("..", import.meta.url))

const packageOf = (file: string): string | undefined => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]

/**
 * `@effect/platform` is installed beside this package as its peer, and has the viewer of the API pages, which is larger than
 * the rest of the bin: it is read from there when the first API page is opened.
 */
const viewer: Plugin = {
  name: "viewer",
  setup: ({ onLoad }) =>
    onLoad({ filter: /@effect\/platform\/dist\/esm\/internal\/httpApiScalar\.js$/ }, () => ({
      contents: `
        const missing = "To see this page: npm install @effect/platform@0.97"
        const load = async () =>
          (await import(new URL("internal/httpApiScalar.js", import.meta.resolve("@effect/platform/HttpApiScalar")))).javascript
        export const javascript = await load().catch(() => "document.body.textContent = " + JSON.stringify(missing))
      `
    }))
}

const licenceOf = (folder: string): string => {
  const { license, name, version } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"))
  const file = readdirSync(join(root, folder)).find((name) => /^licen[cs]e(?:\.|$)/i.test(name))
  const text = file === undefined ? license : readFileSync(join(root, folder, file), "utf8").trim()
  return `${name} ${version}\n\n${text}\n`
}

/** The licences of what is bundled, which ask to travel with it. */
const licences = (inputs: ReadonlyArray<string>): string =>
  [...new Set(inputs.flatMap((file) => packageOf(file) ?? []))]
    .sort()
    .map(licenceOf)
    .join(`\n${"-".repeat(80)}\n\n`)

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
    plugins: [viewer],
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
