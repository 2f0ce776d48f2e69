import { FetchHttpClient } from "@effect/platform"
import { Context, Effect, Layer, LayerMap, type Redacted, Schema } from "effect"
import { Nomba, NombaClient, NombaResponse } from "nomba-auth"
import { TokenStoreEnv } from "nomba-auth/node"

/** Your own service: it reads a merchant's credentials from a database, say. */
export class Credentials extends Context.Tag("shop/Credentials")<
  Credentials,
  {
    readonly find: (merchant: string) => Effect.Effect<{
      readonly clientId: string
      readonly clientSecret: Redacted.Redacted
      readonly accountId: string
      readonly baseUrl: string
    }>
  }
>() {}

/** Builds a merchant's client when it is first used, and closes it an hour after its last use. All share one token store. */
export class Merchants extends LayerMap.Service<Merchants>()("shop/Merchants", {
  lookup: (merchant: string) =>
    Layer.unwrapEffect(
      Effect.gen(function* () {
        const credentials = yield* Credentials
        return Nomba.layer(yield* credentials.find(merchant))
      })
    ),
  dependencies: [TokenStoreEnv.layer, FetchHttpClient.layer],
  idleTimeToLive: "1 hour"
}) {}

const Balance = Schema.Struct({ amount: Schema.String, currency: Schema.String })

export const balance = (merchant: string) =>
  Effect.gen(function* () {
    const nomba = yield* NombaClient
    const response = yield* nomba.get("/v1/accounts/balance")
    return yield* NombaResponse.data(Balance)(response)
  }).pipe(Effect.provide(Merchants.get(merchant)))
