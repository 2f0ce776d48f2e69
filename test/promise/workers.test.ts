/** The client on workerd, the runtime of Cloudflare Workers, where all requests share it at module level. */
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { Miniflare } from "miniflare"
import { type SandboxHandle, startSandbox } from "nomba-auth/sandbox"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** One for each client of the program, because clients with the same credentials share their session. */
const clientIds = ["busy", "left", "kept", "layered", "ahead"].map((name) => `the-${name}-client-of-a-worker`)

const program = (sandbox: SandboxHandle): string => {
  const [busy, left, kept, layered, ahead] = clientIds.map((id) => {
    const { clientId, clientSecret } = sandbox.credentials(id)
    return JSON.stringify({ baseUrl: sandbox.url, clientId, clientSecret }).slice(1, -1)
  })
  return `
    import { waitUntil } from "cloudflare:workers"
    import { FetchHttpClient } from "@effect/platform"
    import { Effect, Layer, Redacted, Schema } from "effect"
    import { Nomba, NombaClient, NombaResponse, TokenStoreMemory } from "./src/index.js"
    import { createNomba } from "./src/promise/index.js"
    const now = Date.now
    let later = 0
    Date.now = () => now() + later
    const logger = { warn() {}, error() {} }
    const busy = createNomba({ ${busy}, logger })
    const left = createNomba({ ${left}, logger })
    const kept = createNomba({ ${kept}, logger, waitUntil })
    const ahead = createNomba({ ${ahead}, logger })

    const options = { ${layered} }
    const NombaLive = Nomba.layer({ ...options, clientSecret: Redacted.make(options.clientSecret) }).pipe(
      Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer])
    )
    const balance = Effect.flatMap(NombaClient, (nomba) => nomba.get("/v1/accounts/balance")).pipe(
      Effect.flatMap(NombaResponse.data(Schema.Unknown)),
      Effect.provide(NombaLive)
    )
    const layered = async () => {
      const exit = await Effect.runPromiseExit(balance)
      if (exit._tag === "Failure") throw exit.cause
      return exit.value
    }

    const pages = {
      "/layered": layered,
      "/busy": () => busy.request("/v1/accounts/balance"),
      "/left": () => left.request("/v1/accounts/balance"),
      "/left/leave": () => void left.token().catch(() => {}),
      "/kept/leave": () => void kept.token().catch(() => {}),
      "/kept/peek": () => kept.peek() !== undefined,
      "/ahead": () => ahead.request("/v1/accounts/balance"),
      "/ahead/peek": () => ahead.peek()?.token.value,
      "/later": (url) => void (later += 60_000 * Number(url.searchParams.get("minutes")))
    }
    export default {
      async fetch(request) {
        const url = new URL(request.url)
        try {
          return Response.json((await pages[url.pathname](url)) ?? null)
        } catch (error) {
          return Response.json(String(error), { status: 500 })
        }
      }
    }`
}

let sandbox: SandboxHandle
let worker: Miniflare

beforeAll(async () => {
  sandbox = await startSandbox({
    clients: clientIds.map((clientId) => ({ clientId, clientSecret: "c2VjcmV0IG9mIGEgd29ya2Vy" }))
  })
  const { outputFiles } = await build({
    stdin: { contents: program(sandbox), resolveDir: root, loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "browser",
    external: ["cloudflare:workers"],
    write: false
  })
  worker = new Miniflare({ modules: true, script: outputFiles[0]?.text ?? "", compatibilityDate: "2025-09-01" })
  await worker.ready
})

afterAll(async () => {
  await worker.dispose()
  await sandbox.close()
})

const get = async (path: string): Promise<string> => {
  const response = await worker.dispatchFetch(`http://worker${path}`)
  return `${response.status} ${(await response.text()).replace(/,"timeCreated":"[^"]*"/, "")}`
}

const balance = '200 {"amount":"250000.00","currency":"NGN"}'
const visitors = (count: number, path: string) => Promise.all(Array.from({ length: count }, () => get(path)))
const issued = async () => (await sandbox.counts()).issue.requests

describe.sequential("the client at module level on Cloudflare Workers", () => {
  it("answers 10 concurrent cold requests with one token request", async () => {
    await sandbox.fault("issue", { latency: "200 millis" })
    assert.deepStrictEqual(await visitors(10, "/busy"), Array(10).fill(balance))
    assert.strictEqual(await issued(), 1)
  })

  it("answers 4 concurrent requests after the session was stolen", async () => {
    await sandbox.steal(clientIds[0])
    await sandbox.fault("issue", { latency: "200 millis" })
    assert.deepStrictEqual(await visitors(4, "/busy"), Array(4).fill(balance))
    assert.strictEqual(await issued(), 2)
  })

  it("does not hang the next visitor when the request that renews has ended", async () => {
    await sandbox.fault("issue", { latency: "10 seconds" })
    await get("/left/leave")
    assert.deepStrictEqual(await visitors(2, "/left"), [balance, balance])
  })

  it("goes on with a renewal that was handed to waitUntil", async () => {
    await sandbox.fault("issue", { latency: "100 millis" })
    await get("/kept/leave")
    for (let turn = 0; turn < 500 && (await get("/kept/peek")) === "200 false"; turn += 1);
    assert.strictEqual(await get("/kept/peek"), "200 true")
  })
})

describe.sequential("the Effect layers, provided for each request, on Cloudflare Workers", () => {
  it("answer 10 concurrent cold requests, and 4 after the session was stolen", async () => {
    const before = await issued()
    await sandbox.fault("issue", { latency: "200 millis" })
    assert.deepStrictEqual(await visitors(10, "/layered"), Array(10).fill(balance))
    assert.strictEqual(await issued(), before + 1)
    await sandbox.steal(clientIds[3])
    assert.deepStrictEqual(await visitors(4, "/layered"), Array(4).fill(balance))
  })
})

describe.sequential("a renewal ahead of expiry on Cloudflare Workers that is dropped with its request", () => {
  it("does not stop the next one, and fails no visitor", async () => {
    assert.strictEqual(await get("/ahead"), balance)
    const first = await get("/ahead/peek")
    await get("/later?minutes=27")
    await sandbox.fault("refresh", { latency: "10 seconds" })
    assert.strictEqual(await get("/ahead"), balance)
    assert.strictEqual(await get("/ahead/peek"), first)
    await get("/later?minutes=1")
    await sandbox.fault("GET /v1/accounts/balance", { latency: "500 millis" })
    assert.strictEqual(await get("/ahead"), balance)
    assert.notStrictEqual(await get("/ahead/peek"), first)
  })

  it("does not hang the visitors after the token has expired", async () => {
    await get("/later?minutes=27")
    await sandbox.fault("refresh", { latency: "10 seconds" })
    assert.strictEqual(await get("/ahead"), balance)
    await get("/later?minutes=10")
    assert.deepStrictEqual(await visitors(4, "/ahead"), Array(4).fill(balance))
  })
})
