/**
 * Which files of `src` a call runs through: those with a function that is called, not those that are only loaded.
 *
 *     tsx scripts/filesEntered.ts [--list]
 *
 * The layers are built before the count begins. Nomba is an `HttpClient` in this process.
 */
import { Session } from "node:inspector/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { HttpClient, HttpClientResponse } from "@effect/platform"
import { Effect, Layer, ManagedRuntime, Redacted } from "effect"
import { Nomba, NombaClient, TokenCache, TokenStoreMemory } from "../src/index.js"

const { values } = parseArgs({ options: { list: { type: "boolean", default: false } } })

let issued = 0
let rejected = ""

/** Issues tokens, and answers 401 to the rejected one. */
const upstream = HttpClient.make((request) => {
  const isIssue = request.url.endsWith("/v1/auth/token/issue")
  if (isIssue) issued += 1
  const isRejected = !isIssue && request.headers["authorization"] === `Bearer ${rejected}`
  const body = isIssue
    ? {
        code: "00",
        description: "Success",
        data: {
          businessId: "f666ef9b",
          access_token: `access ${issued}`.replace(" ", "-"),
          refresh_token: `refresh-${issued}`,
          expiresAt: new Date(Date.now() + 3_600_000).toISOString()
        }
      }
    : isRejected
      ? { code: "401", description: "Unauthorized" }
      : { code: "00", description: "Success", data: { amount: "100.00" } }
  const response = new Response(JSON.stringify(body), {
    status: isRejected ? 401 : 200,
    headers: { "content-type": "application/json", date: new Date().toUTCString() }
  })
  return Effect.succeed(HttpClientResponse.fromWeb(request, response))
})

const NombaLive = Nomba.layer({
  clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33",
  clientSecret: Redacted.make("k3y-0f-th3-sandbox"),
  accountId: "f666ef9b-888e-4799-85ce-acb505b28023",
  environment: "sandbox"
}).pipe(Layer.provide([TokenStoreMemory.layer, Layer.succeed(HttpClient.HttpClient, upstream)]))

const root = new URL("../src/", import.meta.url).href

/** The files of `src` of which a function is called while the program runs. */
const filesEntered = async (run: () => Promise<unknown>): Promise<ReadonlyArray<string>> => {
  const inspector = new Session()
  inspector.connect()
  await inspector.post("Profiler.enable")
  await inspector.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false })
  await run()
  const { result } = await inspector.post("Profiler.takePreciseCoverage")
  await inspector.post("Profiler.stopPreciseCoverage")
  inspector.disconnect()
  return result
    .filter(({ url }) => url.startsWith(root))
    .filter(({ functions }) =>
      functions.some(
        ({ functionName, ranges: [range] }) =>
          (range?.count ?? 0) > 0 && !(functionName === "" && range?.startOffset === 0)
      )
    )
    .map(({ url }) => fileURLToPath(url).slice(fileURLToPath(root).length))
    .sort()
}

const report = (name: string, files: ReadonlyArray<string>): void => {
  console.log(`${files.length} files run in ${name}`)
  if (values.list) console.log(files.map((file) => `  ${file}`).join("\n"))
}

const runtime = ManagedRuntime.make(NombaLive)
await runtime.runtime()
report("a cold get", await filesEntered(() => runtime.runPromise(Effect.flatMap(TokenCache, (cache) => cache.get))))
rejected = `access-${issued}`
const call = Effect.flatMap(NombaClient, (client) => client.get("/v1/accounts/balance"))
report(
  "a 401 with a renewal and a replay",
  await filesEntered(() =>
    runtime.runPromise(
      Effect.flatMap(call, (response) =>
        response.status === 200 && issued === 2
          ? Effect.void
          : Effect.dieMessage(`${response.status}, ${issued} tokens`)
      )
    )
  )
)
await runtime.dispose()
