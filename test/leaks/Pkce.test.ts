import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { Nomba, NombaAuth, Pkce, PublicLogin, TokenCache, TokenStoreMemory } from "nomba-auth"
import { fake, json } from "../support/http.js"
import { leaks, printed } from "../support/leaks.js"
import { sessionOf } from "../support/tokenCache.js"

const options: Pkce.Options = {
  clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33",
  redirectUri: "https://shop.example/callback"
}
const code = "authorization-code-0123456789"

const isSilent = <A, E>(what: string, effect: Effect.Effect<A, E>, secrets: ReadonlyArray<string>) =>
  Effect.map(printed(effect), (everything) =>
    assert.deepStrictEqual(
      leaks(everything, secrets).map(([how, text]) => `${how}: ${text.slice(0, 200)}`),
      [],
      what
    )
  )

const begun = Effect.map(Pkce.authorizationUrl(options), ({ pending, url }) => ({
  pending,
  url,
  state: Redacted.value(pending.state),
  verifier: Redacted.value(pending.verifier)
}))

describe("no secret of a login can be read", () => {
  it.live("the probe of this test sees one", () =>
    Effect.gen(function* () {
      const { pending, state, verifier } = yield* begun
      const written = yield* Schema.encode(Schema.parseJson(Pkce.PendingLogin))(pending)
      for (const secret of [state, verifier]) {
        assert.notDeepEqual(leaks(yield* printed(Effect.succeed(written)), [secret]), [])
      }
    })
  )

  it.live("in the pending login, and in errors about options", () =>
    Effect.gen(function* () {
      const { pending, state, url, verifier } = yield* begun
      yield* isSilent("what was begun", Effect.succeed({ pending, url }), [state, verifier])
      yield* isSilent("its parts", Effect.all([Effect.succeed(pending), Effect.succeed(url)]), [state, verifier])
      const wrong = { ...options, redirectUri: `http://evil.example/${code}`, clientId: ` ${code}` }
      yield* isSilent("wrong options", Pkce.authorizationUrl(wrong), [code])
    })
  )

  it.live("in the result of any callback", () =>
    Effect.gen(function* () {
      for (const parameters of [
        { code },
        { code: `${code}\u0000` },
        { code, error: "access_denied" },
        { code, iss: code },
        { error: code, error_description: code },
        ...["access_denied", "invalid_request", "unauthorized_client", "server_error"].map((error) => ({ error }))
      ]) {
        const { pending, state, verifier } = yield* begun
        const query = new URLSearchParams({ state, error_description: `${state} ${verifier}`, ...parameters })
        const secrets = [code, state, verifier]
        yield* isSilent(JSON.stringify(parameters), Pkce.callback(pending, `/callback?${query}`), secrets)
        yield* isSilent("the same again", Pkce.callback(pending, `/callback?${query}`), secrets)
        query.set("state", `${state}x`)
        yield* isSilent("another's state", Pkce.callback(pending, `/callback?${query}`), secrets)
      }
    })
  )

  it.scopedLive("in the results of the exchange and of the login", () =>
    Effect.gen(function* () {
      const { verifier } = yield* begun
      const echo = fake(() => json(401, { code: "02", description: `no: ${code} ${verifier}`, errors: [verifier] }))
      const context = yield* Layer.build(
        Nomba.layerPublic({ clientId: options.clientId, subject: "a person" }).pipe(
          Layer.provide([TokenStoreMemory.layer, echo.layer])
        )
      )
      const secrets = [code, verifier]
      const granted = { code: Redacted.make(code), verifier: Redacted.make(verifier), redirectUri: options.redirectUri }
      yield* isSilent("the exchange", Context.get(context, NombaAuth).exchange(granted), secrets)
      yield* isSilent("what it takes", Effect.succeed(granted), secrets)
      const session = sessionOf("token-of-a-person-0123456789")
      const token = [Redacted.value(session.accessToken)]
      yield* isSilent("the login", Context.get(context, PublicLogin).login(session), token)
      yield* isSilent("what it fed", Context.get(context, TokenCache).session, token)
    })
  )
})
