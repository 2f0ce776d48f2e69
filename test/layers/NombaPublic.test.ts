import type { HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import { Nomba, NombaAuth, NombaConfigOptions, PublicLogin, TokenCache, TokenStoreMemory } from "nomba-auth"
import { recordVariables, withEnvironment } from "../support/environment.js"
import { fake, json } from "../support/http.js"
import { sessionOf } from "../support/tokenCache.js"

const clientId = "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33"
const refusing = () => fake(() => json(401, { code: "401", description: "Unauthorized" }))

const built = <E>(
  layer: Layer.Layer<Nomba.PublicServices, E>
): Effect.Effect<Context.Context<Nomba.PublicServices>, E, Scope.Scope> => Layer.build(layer)

const over = (http: { readonly layer: Layer.Layer<HttpClient.HttpClient> }) =>
  Layer.provide([TokenStoreMemory.layer, http.layer])

const tokenOf = (context: Context.Context<Nomba.PublicServices>) =>
  Effect.map(Context.get(context, TokenCache).get, Redacted.value)

describe("the layer of a public client", () => {
  it.scoped("keeps a session for each subject, shared by the layers of one", () =>
    Effect.gen(function* () {
      const layerOf = (subject: string, extra: Partial<Nomba.PublicOptions> = {}) =>
        Nomba.layerPublic({ clientId, subject, ...extra }).pipe(over(refusing()))
      const ada = yield* built(layerOf("ada"))
      const grace = yield* built(layerOf("grace"))
      const elsewhere = yield* built(layerOf("ada", { environment: "production" }))
      yield* Context.get(ada, PublicLogin).login(sessionOf("token-of-ada"))
      assert.strictEqual(yield* tokenOf(ada), "token-of-ada")
      assert.strictEqual(yield* tokenOf(yield* built(layerOf("ada"))), "token-of-ada")
      for (const other of [grace, elsewhere]) {
        assert.strictEqual((yield* Effect.flip(tokenOf(other)))._tag, "Expired")
      }
    })
  )

  it.scoped("keeps its sessions apart from the client's own", () =>
    Effect.gen(function* () {
      const { storeKey } = yield* NombaConfigOptions.make({ clientId, clientSecret: Redacted.make("own/secret=") })
      const { storeKey: ofPerson } = yield* NombaConfigOptions.makePublic({ clientId, subject: "ada" })
      assert.notStrictEqual(storeKey, ofPerson)
      assert.include(ofPerson, "|authorization_code|ada")
    })
  )

  it.scoped("fails with a reason and sends nothing instead of an issue", () =>
    Effect.gen(function* () {
      const http = refusing()
      const context = yield* built(Nomba.layerPublic({ clientId, subject: "ada" }).pipe(over(http)))
      const error = yield* Effect.flip(Context.get(context, NombaAuth).issue)
      assert.strictEqual(error._tag, "InvalidRequest")
      assert.include(error.message, "a public client has none")
      assert.strictEqual(http.sent.length, 0)
      const denied = fake(() => json(403, {}))
      const other = yield* built(Nomba.layerPublic({ clientId, subject: "grace" }).pipe(over(denied)))
      const secret = Redacted.make("a code")
      const exchange = Context.get(other, NombaAuth).exchange({ code: secret, verifier: secret, redirectUri: "a:b" })
      assert.include((yield* Effect.flip(exchange)).message, "the client secret (a public client has none)")
    })
  )

  it.scoped("reads all but the secret and the subject from the environment", () =>
    Effect.gen(function* () {
      const { provider, read } = recordVariables({ NOMBA_CLIENT_ID: clientId, NOMBA_ENVIRONMENT: "production" })
      const config = yield* Effect.withConfigProvider(
        NombaConfigOptions.makePublicConfig(undefined, { subject: "ada" }),
        provider
      )
      assert.strictEqual(config.baseUrl, "https://api.nomba.com")
      assert.deepStrictEqual(
        [...read].filter((name) => /SECRET|PRIVATE|SUBJECT/.test(name)),
        []
      )
      const layer = Nomba.layerPublicConfig(Nomba.defaultPublicConfig, { subject: "ada" }).pipe(over(refusing()))
      const context = yield* withEnvironment({ NOMBA_CLIENT_ID: clientId })(built(layer))
      assert.strictEqual((yield* Effect.flip(tokenOf(context)))._tag, "Expired")
      const shared = { NOMBA_CLIENT_ID: clientId, NOMBA_TOKEN_STORE: "redis://127.0.0.1" }
      const error = yield* Effect.flip(withEnvironment(shared)(built(layer)))
      assert.include(String(error), "NOMBA_TOKEN_STORE")
    })
  )

  it.effect("rejects a blank or invalid subject", () =>
    Effect.gen(function* () {
      for (const subject of ["", " ada", undefined, 7, "undefined", "<user>"]) {
        const error = yield* Effect.flip(
          NombaConfigOptions.makePublic({ clientId, subject } as NombaConfigOptions.PublicOptions)
        )
        assert.include(String(error), "options.subject")
      }
    })
  )
})
