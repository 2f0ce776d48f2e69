/**
 * Writes `openapi.json` from the contract. With `--check` it writes nothing and fails when the file is stale.
 *
 *     tsx scripts/openapi.ts [--check] [file]
 */
import { fileURLToPath } from "node:url"
import * as FileSystem from "@effect/platform/FileSystem"
import * as OpenApi from "@effect/platform/OpenApi"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { NombaApi } from "../src/schemas/NombaApi.js"

const args = process.argv.slice(2)
const file = args.find((arg) => !arg.startsWith("--")) ?? fileURLToPath(new URL("../openapi.json", import.meta.url))
const document = `${JSON.stringify(OpenApi.fromApi(NombaApi), null, 2)}\n`

const write = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  yield* fs.writeFileString(file, document)
  yield* Console.log(`${file} written`)
})

const check = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  if ((yield* fs.readFileString(file)) !== document) return yield* Effect.fail(`${file} is stale: npm run openapi`)
  yield* Console.log(`${file} is what the contract gives`)
})

NodeRuntime.runMain((args.includes("--check") ? check : write).pipe(Effect.provide(NodeFileSystem.layer)))
