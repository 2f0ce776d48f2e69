import { createServer } from "node:http"
import { FetchHttpClient, HttpRouter, HttpServer } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { RpcSerialization, RpcServer } from "@effect/rpc"
import { Config, Duration, Effect, Layer } from "effect"
import { Nomba, NombaClient, NombaResponse, TokenStoreMemory } from "nomba-auth"
import { Balance, BalanceRpcs, NombaUnavailable } from "./rpcContract.js"

const HandlersLive = BalanceRpcs.toLayer(
  Effect.gen(function* () {
    const nomba = yield* NombaClient
    return {
      Balance: () =>
        nomba.get("/v1/accounts/balance").pipe(
          Effect.flatMap(NombaResponse.data(Balance)),
          Effect.catchAll((error) =>
            error._tag === "Unavailable"
              ? new NombaUnavailable({ retryAfter: error.retryAfter ?? Duration.seconds(1) })
              : Effect.die(error)
          )
        )
    }
  })
)

const NombaLive = Nomba.layerConfig().pipe(Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]))

const ServerLive = NodeHttpServer.layerConfig(createServer, {
  host: Config.withDefault(Config.string("HOST"), "localhost"),
  port: Config.withDefault(Config.port("PORT"), 3000)
})

const Main = HttpRouter.Default.serve().pipe(
  HttpServer.withLogAddress,
  Layer.provide(RpcServer.layer(BalanceRpcs)),
  Layer.provide(RpcServer.layerProtocolHttp({ path: "/rpc" })),
  Layer.provide([HandlersLive, RpcSerialization.layerNdjson]),
  Layer.provide(NombaLive),
  Layer.provide(ServerLive)
)

NodeRuntime.runMain(Layer.launch(Main))
