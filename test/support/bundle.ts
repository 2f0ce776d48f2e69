/** The library in one file for a browser. */
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"

const root = new URL("../../", import.meta.url)

export interface Bundle {
  readonly code: string
  readonly gzip: number
  /** How many bytes each of the files takes in it, before gzip. */
  readonly bytes: Readonly<Record<string, number>>
}

/** Fails where something in it needs Node. */
export const bundle = async (entry: string, define: Record<string, string> = {}): Promise<Bundle> => {
  const { metafile, outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(entry, root))],
    absWorkingDir: fileURLToPath(root),
    alias: { "nomba-auth": fileURLToPath(new URL("src/index.ts", root)) },
    bundle: true,
    define,
    format: "esm",
    metafile: true,
    minify: true,
    outfile: "bundle.js",
    platform: "browser",
    write: false
  })
  const code = outputFiles[0]?.text ?? ""
  const inputs = metafile.outputs["bundle.js"]?.inputs ?? {}
  return {
    code,
    gzip: gzipSync(code, { level: 9 }).length,
    bytes: Object.fromEntries(Object.entries(inputs).map(([path, { bytesInOutput }]) => [path, bytesInOutput]))
  }
}
