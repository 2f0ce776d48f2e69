import { NodeHttpClient, NodeRuntime, Undici } from "@effect/platform-node"
import { Console, Effect, Layer, Schema } from "effect"
import { Nomba, NombaClient, NombaResponse, TokenStoreMemory } from "nomba-auth"

const ProxyLive = Layer.scoped(
  NodeHttpClient.Dispatcher,
  Effect.acquireRelease(
    Effect.sync(() => new Undici.ProxyAgent(process.env["HTTPS_PROXY"] ?? "http://proxy.internal:3128")),
    (agent) => Effect.promise(() => agent.close())
  )
)

const NombaLive = Nomba.layerConfig().pipe(
  Layer.provide([TokenStoreMemory.layer, NodeHttpClient.layerUndiciWithoutDispatcher]),
  Layer.provide(ProxyLive)
)

const balance = Effect.gen(function* () {
  const nomba = yield* NombaClient
  const response = yield* nomba.get("/v1/accounts/balance")
  yield* Console.log(yield* NombaResponse.data(Schema.Unknown)(response))
})

NodeRuntime.runMain(Effect.provide(balance, NombaLive))
