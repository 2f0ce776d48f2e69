// What npm run runtimes runs on each runtime, against a sandbox whose settings are in NOMBA_*.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FetchHttpClient } from "@effect/platform"
import { Effect, Layer, Schema } from "effect"
import { Nomba, NombaClient, NombaResponse, Pkce, TokenStoreMemory } from "nomba-auth"
import { createNomba, isNombaError } from "nomba-auth/promise"
import { fileStore } from "nomba-auth/promise/file"

const base = process.env.NOMBA_BASE_URL
const steal = () =>
  fetch(`${base}/_sandbox/sessions/steal`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}"
  })
const issued = async () => (await (await fetch(`${base}/_sandbox/counters`)).json()).issue.requests

// The Promise API: one token request for concurrent callers, and a renewal after another program logged in.
const nomba = createNomba()
const tokens = await Promise.all(Array.from({ length: 100 }, () => nomba.token()))
assert.equal(new Set(tokens).size, 1)
assert.equal(await issued(), 1)
await steal()
assert.equal((await nomba.request("/v1/accounts/balance")).currency, "NGN")
await assert.rejects(
  nomba.request("/v1/nothing"),
  (error) => isNombaError(error) && error._tag === "NombaRequestFailed"
)

// The Effect layers.
const balance = Effect.flatMap(NombaClient, (client) => client.get("/v1/accounts/balance")).pipe(
  Effect.flatMap(NombaResponse.data(Schema.Struct({ currency: Schema.String }))),
  Effect.provide(Nomba.layerConfig().pipe(Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer])))
)
assert.deepEqual(await Effect.runPromise(balance), { currency: "NGN" })
await nomba.close()

// A session in files, which a second client adopts.
const folder = mkdtempSync(join(tmpdir(), "nomba-auth-smoke-"))
const before = await issued()
for (const _ of [1, 2]) {
  const stored = createNomba({ tokenStore: fileStore(join(folder, "nomba")) })
  await stored.token()
  await stored.close()
}
assert.equal(await issued(), before + 1)
rmSync(folder, { recursive: true })

// WebCrypto.
const { url } = await Effect.runPromise(
  Pkce.authorizationUrl({ clientId: "smoke", redirectUri: "http://127.0.0.1/callback", environment: "sandbox" })
)
assert.match(String(url), /redacted/)
console.log("smoke: ok")
