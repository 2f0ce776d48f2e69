import { HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { defaultClient, type Options, Sandbox, SandboxError, type ServerOptions } from "nomba-auth/sandbox"
import { issue, login } from "./support.js"

const secret = Redacted.make("s")

describe("Sandbox.layer", () => {
  const wrong: ReadonlyArray<readonly [string, Options]> = [
    ["clients", { clients: [] }],
    ["clients", { clients: [defaultClient, defaultClient] }],
    ["clients.0.clientId", { clients: [{ clientId: "", clientSecret: secret }] }],
    ["clients.0.clientSecret", { clients: [{ clientId: "c", clientSecret: Redacted.make("") }] }],
    ["clients.0.redirectUris.0", { clients: [{ clientId: "c", redirectUris: ["https://shop.example/\u4e2d"] }] }],
    ["clients.0.redirectUris.0", { clients: [{ clientId: "c", redirectUris: ["https://shop.example/a b"] }] }],
    ["clients.0.redirectUris.0", { clients: [{ clientId: "c", redirectUris: ["https://shop.example/\r\nx: y"] }] }],
    ["clients.0.accountId", { clients: [{ clientId: "c", clientSecret: secret, accountId: "" }] }],
    ...["javascript:alert(1)", "data:text/html,x", "blob:https://a.example/1", "file:///x", "app:/callback"].map(
      (uri) => ["clients.0.redirectUris.0", { clients: [{ clientId: "c", redirectUris: [uri] }] }] as const
    ),
    ...(
      [
        ["clients", null],
        ["clients", {}],
        ["clients.0", [null]],
        ["clients.0", ["c"]],
        ["clients.0.clientId", [{ clientId: 5, clientSecret: secret }]],
        ["clients.0.clientId", [{ clientSecret: secret }]],
        ["clients.0.clientSecret", [{ clientId: "c", clientSecret: null }]],
        ["clients.0.accountId", [{ clientId: "c", clientSecret: secret, accountId: 5 }]],
        ["clients.0.redirectUris", [{ clientId: "c", redirectUris: "http://127.0.0.1/" }]],
        ["clients.0.redirectUris", [{ clientId: "c", redirectUris: null }]],
        ["clients.0.redirectUris.0", [{ clientId: "c", redirectUris: [null] }]],
        ["clients.0.subAccountIds", [{ clientId: "c", clientSecret: secret, subAccountIds: "s" }]]
      ] as const
    ).map(([name, clients]) => [name, { clients } as unknown as Options] as const),
    ["accessLifetime", { accessLifetime: 0 }],
    ["accessLifetime", { accessLifetime: "1500 millis" }],
    ["accessLifetime", { accessLifetime: "infinity" as "1 second" }],
    ["accessLifetime", { accessLifetime: "soon" as "1 second" }],
    ["refreshLifetime", { refreshLifetime: 0 }],
    ["clockOffset", { clockOffset: Number.NaN }],
    ["clockOffset", { clockOffset: Number.POSITIVE_INFINITY }],
    ["dialect", { dialect: "french" as "spec" }],
    ["accountHeader", { accountHeader: "maybe" as "optional" }]
  ]

  for (const [name, options] of wrong) {
    it.effect(`names the option that is out of range: ${name} (${JSON.stringify(options)})`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Layer.build(Sandbox.layer(options)))
        assert.instanceOf(error, SandboxError)
        assert.strictEqual(error.reason, "Options")
        assert.lengthOf(error.issues, 1)
        assert.isTrue(error.issues[0]?.startsWith(`${name}: `), error.message)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("names every problem at once, and no secret", () =>
    Effect.gen(function* () {
      const clients = [{ clientId: "", clientSecret: "PLAIN" as unknown as Redacted.Redacted }]
      const error = yield* Effect.flip(Sandbox.make({ clients, accessLifetime: 1, clockOffset: Number.NaN }))
      assert.lengthOf(error.issues, 4)
      assert.notInclude(error.message, "PLAIN")
    }).pipe(Effect.scoped)
  )

  it.effect("builds sandboxes that share nothing", () =>
    Effect.gen(function* () {
      const [one, two] = yield* Effect.all([Sandbox.make(), Sandbox.make({ dialect: "spec" })])
      yield* Effect.provideService(login, Sandbox, one)
      assert.strictEqual((yield* one.counts).issued, 1)
      assert.strictEqual((yield* two.counts).issued, 0)
      assert.notProperty((yield* Effect.provideService(issue(), Sandbox, two)).json.data, "expiresAt")
    }).pipe(Effect.scoped)
  )

  it.effect("reaches itself and no other host", () =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const { url } = yield* Sandbox
      assert.strictEqual(url, "https://sandbox.nomba.com")
      for (const elsewhere of ["https://api.nomba.com", "http://sandbox.nomba.com", "https://sandbox.nomba.com:444"]) {
        const error = yield* Effect.flip(client.get(`${elsewhere}/v1/accounts/balance`))
        assert.strictEqual(error.reason, "Transport")
        assert.include(error.message, elsewhere)
      }
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it("has a default client that looks like a real one", () => {
    const { accountId, clientId, clientSecret } = Sandbox.defaultClient
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
    assert.match(clientId, uuid)
    assert.match(accountId, uuid)
    assert.notStrictEqual(clientId, accountId)
    assert.lengthOf(Redacted.value(clientSecret), 44)
    assert.lengthOf(Buffer.from(Redacted.value(clientSecret), "base64"), 32)
  })
})

describe("Sandbox.layerServer", () => {
  const wrong: ReadonlyArray<readonly [string, ServerOptions]> = [
    ["port", { port: -1 }],
    ["port", { port: 65_536 }],
    ["port", { port: 80.5 }],
    ["host", { host: "" }],
    ["host", { host: 7 as unknown as string }],
    ...["", "a b", "sandbox:4010", "[::1]:80", "http://sandbox", "sandbox/", "me@sandbox", "*", "*.local", "a..b"].map(
      (name) => ["allowedHosts.1", { allowedHosts: ["sandbox", name] }] as const
    ),
    ["allowedHosts.0", { allowedHosts: [7 as unknown as string] }],
    ["allowedHosts", { allowedHosts: "sandbox" as unknown as ReadonlyArray<string> }],
    ["dialect", { dialect: "french" as "spec" }]
  ]

  for (const [name, options] of wrong) {
    it.effect(`names the option that is out of range: ${name} (${JSON.stringify(options)})`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Layer.build(Sandbox.layerServer(options)))
        assert.strictEqual(error.reason, "Options")
        assert.isTrue(error.issues[0]?.startsWith(`${name}: `), error.message)
      }).pipe(Effect.scoped)
    )
  }
})
