/**
 * `npm run sizes`: bundles a small program for each subpath as a user would, and fails if one is larger than its limit.
 * `--profile` prints what is inside of each.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"

const root = fileURLToPath(new URL("..", import.meta.url))

export interface Size {
  readonly minified: number
  readonly gzip: number
  readonly limit: number
  /** Minified bytes by package; the sources of this one are `src`. */
  readonly parts: Record<string, number>
  readonly files: ReadonlyArray<readonly [string, number]>
}

/**
 * Limits in kB (1,000 bytes) after gzip. The programs import modules (`effect/Effect`): the barrel costs 15 kB more, with and
 * without this package. Effect and FetchHttpClient are counted, ioredis and Node's modules are not.
 */
const programs: Record<string, { readonly limit: number; readonly code: string }> = {
  "Effect + FetchHttpClient alone": {
    limit: 82,
    code: `
      import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
      import * as HttpClient from "@effect/platform/HttpClient"
      import * as Effect from "effect/Effect"
      const program = Effect.flatMap(HttpClient.get("https://example.com"), (response) => response.json)
      console.log(await Effect.runPromise(Effect.provide(program, FetchHttpClient.layer)))`
  },
  "nomba-auth": {
    limit: 132,
    code: `
      import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
      import * as Effect from "effect/Effect"
      import * as Layer from "effect/Layer"
      import { Nomba, NombaClient, TokenStoreMemory } from "nomba-auth"
      const NombaLive = Nomba.layerConfig().pipe(Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]))
      const program = Effect.gen(function* () {
        const nomba = yield* NombaClient
        return yield* (yield* nomba.get("/v1/accounts/balance")).json
      })
      console.log(await Effect.runPromise(Effect.provide(program, NombaLive)))`
  },
  "nomba-auth/promise": {
    limit: 140,
    code: `
      import { createNomba } from "nomba-auth/promise"
      console.log(await createNomba().request("/v1/x"))`
  },
  "nomba-auth/redis": {
    limit: 97,
    code: `export { TokenStoreRedis } from "nomba-auth/redis"`
  },
  "nomba-auth/file": {
    limit: 101,
    code: `export { TokenStoreFile } from "nomba-auth/file"`
  },
  "nomba-auth/promise/redis": {
    limit: 147,
    code: `
      import { createNomba } from "nomba-auth/promise"
      import { redisStore } from "nomba-auth/promise/redis"
      console.log(await createNomba({ tokenStore: redisStore() }).request("/v1/x"))`
  },
  "nomba-auth/promise/file": {
    limit: 148,
    code: `
      import { createNomba } from "nomba-auth/promise"
      import { fileStore } from "nomba-auth/promise/file"
      console.log(await createNomba({ tokenStore: fileStore() }).request("/v1/x"))`
  },
  "nomba-auth/node": {
    limit: 118,
    code: `export { TokenStoreEnv } from "nomba-auth/node"`
  },
  "nomba-auth/testing": {
    limit: 145,
    code: `export * from "nomba-auth/testing"`
  }
}

export const sizes = async (): Promise<Record<string, Size>> =>
  Object.fromEntries(
    await Promise.all(
      Object.entries(programs).map(
        async ([name, { code, limit }]) => [name, { ...(await sizeOf(code)), limit }] as const
      )
    )
  )

const sizeOf = async (code: string): Promise<Omit<Size, "limit">> => {
  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: code, resolveDir: root, sourcefile: "program.js" },
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: "esm",
    platform: "node",
    target: "es2022",
    external: ["ioredis"],
    alias: { "nomba-auth": join(root, "src") },
    legalComments: "none",
    logLevel: "warning"
  })
  const content = outputFiles[0]?.contents ?? new Uint8Array()
  const parts: Record<string, number> = {}
  const files: Array<readonly [string, number]> = []
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
      const part = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? /^src|^program/.exec(file)?.[0] ?? file
      parts[part] = (parts[part] ?? 0) + bytesInOutput
      files.push([file, bytesInOutput])
    }
  }
  return { minified: content.length, gzip: gzipSync(content, { level: 9 }).length, parts, files }
}

const kilobytes = (bytes: number): string => `${(bytes / 1_000).toFixed(1)} kB`

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, { files, gzip, limit, minified, parts }] of Object.entries(await sizes())) {
    const isOver = gzip > limit * 1_000
    console.log(
      `${isOver ? "FAILED " : ""}${name}: ${kilobytes(gzip)} gzip (limit ${limit} kB), ${kilobytes(minified)} minified: ${Object.entries(
        parts
      )
        .sort(([, a], [, b]) => b - a)
        .slice(0, 4)
        .map(([part, bytes]) => `${part} ${kilobytes(bytes)}`)
        .join(", ")}`
    )
    if (isOver) process.exitCode = 1
    if (process.argv.includes("--profile")) {
      for (const [file, bytes] of [...files].sort(([, a], [, b]) => b - a).slice(0, 60)) {
        console.log(`  ${kilobytes(bytes).padStart(9)}  ${file.replace(/^node_modules\//, "")}`)
      }
    }
  }
}
