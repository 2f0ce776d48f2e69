import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import ts from "typescript"

const root = fileURLToPath(new URL("../../", import.meta.url))

const preamble = `
import { FetchHttpClient } from "@effect/platform"
import { Effect, Layer, ManagedRuntime, Redacted } from "effect"
import { Nomba, NombaAuthHttp, NombaClient, NombaClientHttp, NombaConfigOptions, TokenCache, TokenStoreMemory } from "nomba-auth"
import { NombaTest } from "nomba-auth/testing"
const options = { clientId: "id", clientSecret: Redacted.make("secret") }
const call = Effect.flatMap(NombaClient, (nomba) => nomba.get("/v1/accounts/balance"))
`

const complete: ReadonlyArray<readonly [what: string, code: string]> = [
  [
    "with a platform and a store",
    "Effect.runPromise(call.pipe(Effect.provide(Nomba.layer(options)), Effect.provide([TokenStoreMemory.layer, FetchHttpClient.layer])))"
  ],
  ["with a double", "Effect.runPromise(Effect.provide(call, NombaTest.layer()))"]
]

const incomplete: ReadonlyArray<readonly [missing: string, what: string, code: string]> = [
  ["NombaClient", "a program without a layer", "Effect.runPromise(call)"],
  ["TokenCache", "a program without a layer", "Effect.runPromise(Effect.flatMap(TokenCache, (cache) => cache.get))"],
  [
    "HttpClient",
    "Nomba.layer without a platform",
    "Effect.runPromise(Effect.provide(call, Layer.provide(Nomba.layer(options), TokenStoreMemory.layer)))"
  ],
  [
    "HttpClient",
    "Nomba.layerConfig without a platform",
    "ManagedRuntime.make(Layer.provide(Nomba.layerConfig(), TokenStoreMemory.layer))"
  ],
  [
    "TokenStore",
    "Nomba.layer without a store",
    "ManagedRuntime.make(Layer.provide(Nomba.layer(options), FetchHttpClient.layer))"
  ],
  [
    "TokenStore",
    "Nomba.layerConfig without a store",
    "ManagedRuntime.make(Layer.provide(Nomba.layerConfig(), FetchHttpClient.layer))"
  ],
  [
    "NombaConfig",
    "NombaAuthHttp alone",
    "ManagedRuntime.make(Layer.provide(NombaAuthHttp.layer, FetchHttpClient.layer))"
  ],
  [
    "TokenCache",
    "NombaClientHttp alone",
    "ManagedRuntime.make(Layer.provide(NombaClientHttp.layer, [NombaConfigOptions.layer(options), FetchHttpClient.layer]))"
  ]
]

/** What the compiler says of each piece of code, as a user of the package would hear it. */
const diagnosed = (codes: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root)
  const files = new Map(
    codes.map((code, index) => [`${root}test/types/snippet${index}.ts`, `${preamble}void ${code}\n`])
  )
  const host = ts.createCompilerHost({ ...options, noUnusedLocals: false })
  const { fileExists, getSourceFile } = host
  host.fileExists = (name) => files.has(name) || fileExists(name)
  host.getSourceFile = (name, ...more) => {
    const text = files.get(name)
    return text === undefined ? getSourceFile(name, ...more) : ts.createSourceFile(name, text, ts.ScriptTarget.ES2022)
  }
  const program = ts.createProgram([...files.keys()], { ...options, noUnusedLocals: false }, host)
  return [...files.keys()].map((name) =>
    program
      .getSemanticDiagnostics(program.getSourceFile(name))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))
  )
}

describe("a layer that is missing is an error of the compiler that names the service", () => {
  const codes = [...complete.map(([, code]) => code), ...incomplete.map(([, , code]) => code)]
  const said = diagnosed(codes)

  for (const [index, [what]] of complete.entries()) {
    it(`not of a program that is complete, ${what}`, () => {
      assert.deepStrictEqual(said[index], [])
    })
  }

  for (const [index, [missing, what]] of incomplete.entries()) {
    it(`${missing}, of ${what}`, () => {
      const errors = said[complete.length + index] ?? []
      assert.lengthOf(errors, 1)
      assert.match(errors[0] ?? "", new RegExp(`Type '${missing}' is not assignable to type 'never'`))
    })
  }
})
