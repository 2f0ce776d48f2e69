// Bundled for a browser, and run in one: the address to log in at, and a call without a session.
import { FetchHttpClient } from "@effect/platform"
import { Effect, Layer } from "effect"
import { Nomba, NombaClient, Pkce, TokenStoreMemory } from "nomba-auth"
import { createNomba } from "nomba-auth/promise"

const program = Effect.gen(function* () {
  const { url } = yield* Pkce.authorizationUrl({ clientId: "one", redirectUri: location.href, environment: "sandbox" })
  const client = yield* NombaClient
  const error = yield* Effect.flip(client.get("/v1/accounts/balance"))
  return `${url} ${error._tag}`
}).pipe(
  Effect.provide(
    Nomba.layerPublic({ clientId: "one", subject: "ada", environment: "sandbox" }).pipe(
      Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer])
    )
  )
)

await createNomba({ clientId: "one", clientSecret: "two", accountId: "three" }).close()
document.title = await Effect.runPromise(program)
