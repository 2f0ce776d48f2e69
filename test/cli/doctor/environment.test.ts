/** Credentials that Nomba refuses, tried at its other environment. Both are sandboxes. */
import { type HttpBody, HttpClient, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Sandbox } from "nomba-auth/sandbox"
import type { Finding } from "../../../src/cli/doctor/Finding.js"
import { login, whyRefused } from "../../../src/cli/doctor/login.js"
import * as NombaConfigOptions from "../../../src/layers/NombaConfigOptions.js"
import * as TokenStoreFile from "../../../src/layers/TokenStoreFile.js"
import { temporaryFolder } from "../../support/fileStore.js"

const account = "aef105ad-f352-47a9-9531-d65072584430"

const clientOf = (clientId: string, clientSecret: string) => ({
  clientId,
  clientSecret: Redacted.make(clientSecret),
  accountId: account
})

const ofSandbox = clientOf("5e2c7ab5-dc95-431e-97bd-85319087245a", "one")
const ofProduction = clientOf("0b7be75a-7a4b-4c36-9d33-3a5a4d0f5f11", "two")

/** Two sandboxes under the names of Nomba's hosts. */
const nomba = Effect.gen(function* () {
  const sandbox = yield* Sandbox.makeServer({ clients: [ofSandbox] })
  const production = yield* Sandbox.makeServer({ clients: [ofProduction] })
  const urls: Readonly<Record<string, string>> = {
    "https://sandbox.nomba.com": sandbox.url,
    "https://api.nomba.com": production.url
  }
  const client = HttpClient.make((request, { origin, pathname }) =>
    Effect.promise(async () => {
      const { "content-length": _, ...headers } = request.headers
      const body = request.body as HttpBody.Uint8Array
      const sent = await fetch(`${urls[origin]}${pathname}`, {
        method: request.method,
        headers,
        body: Uint8Array.from(body.body)
      })
      return HttpClientResponse.fromWeb(
        request,
        new Response(await sent.text(), { status: sent.status, headers: sent.headers })
      )
    })
  )
  return { sandbox, production, client }
})

const refusedAt = (
  environment: "sandbox" | "production",
  client: ReturnType<typeof clientOf>,
  http: HttpClient.HttpClient
): Effect.Effect<Finding, unknown> =>
  Effect.gen(function* () {
    const config = yield* NombaConfigOptions.make({ ...client, environment })
    const store = yield* TokenStoreFile.make({ directory: yield* temporaryFolder })
    const error = yield* Effect.flip(login(config, store))
    return yield* whyRefused(error, config)
  }).pipe(Effect.provideService(HttpClient.HttpClient, http), Effect.scoped)

describe("credentials that Nomba refuses", () => {
  it.scopedLive("belong to the sandbox", () =>
    Effect.gen(function* () {
      const { client, production, sandbox } = yield* nomba
      assert.deepStrictEqual(yield* refusedAt("production", ofSandbox, client), {
        level: "problem",
        says: "these credentials belong to Nomba's sandbox, and the base URL is https://api.nomba.com from options.environment",
        change: "set NOMBA_ENVIRONMENT=sandbox",
        exitCode: 3
      })
      const counts = yield* sandbox.counts
      assert.deepStrictEqual([counts.issued, counts.revoked], [1, 1], "the session of the trial is ended")
      assert.strictEqual((yield* production.counts).issued, 0)
    })
  )

  it.scopedLive("belong to production", () =>
    Effect.gen(function* () {
      const { client, production } = yield* nomba
      const { says } = yield* refusedAt("sandbox", ofProduction, client)
      assert.match(says, /^these credentials belong to Nomba's production/)
      const { issued, revoked } = yield* production.counts
      assert.deepStrictEqual([issued, revoked], [1, 1])
    })
  )

  it.scopedLive("are right but for the account id, which is found before another environment is tried", () =>
    Effect.gen(function* () {
      const { client, production, sandbox } = yield* nomba
      const { says } = yield* refusedAt("sandbox", { ...ofSandbox, accountId: ofProduction.clientId }, client)
      assert.strictEqual(says, "Nomba accepts the client id and the secret, but not with this account id")
      assert.strictEqual((yield* production.counts).issue.requests, 0)
      assert.strictEqual((yield* sandbox.counts).issue.requests, 2)
    })
  )

  it.scopedLive("are good for nothing", () =>
    Effect.gen(function* () {
      const { client, production, sandbox } = yield* nomba
      const finding = yield* refusedAt("production", clientOf(ofSandbox.clientId, "three"), client)
      assert.match(finding.says, /^Nomba rejected the credentials when requesting a token/)
      assert.strictEqual((yield* sandbox.counts).issued + (yield* production.counts).issued, 0)
    })
  )

  it.scopedLive("are not judged by a trial that is rate-limited", () =>
    Effect.gen(function* () {
      const { client, sandbox } = yield* nomba
      yield* sandbox.fault("issue", { times: "always", answer: { status: 429 } })
      const finding = yield* refusedAt("production", ofSandbox, client)
      assert.match(finding.says, /^Nomba rejected the credentials when requesting a token/)
    })
  )
})

it.scopedLive("no other client is tried if Nomba failed", () =>
  Effect.gen(function* () {
    const { client, production, sandbox } = yield* nomba
    yield* production.fault("issue", { times: "always", answer: { status: 503 } })
    const finding = yield* refusedAt("production", ofSandbox, client)
    assert.match(finding.says, /^Nomba failed \(issue, HTTP 503/)
    assert.strictEqual((yield* sandbox.counts).issue.requests, 0)
  })
)
