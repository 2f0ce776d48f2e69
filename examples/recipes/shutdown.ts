import { createServer } from "node:http"
import { FetchHttpClient, HttpRouter, HttpServer, HttpServerResponse } from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Layer, Option, Schema } from "effect"
import { Nomba, NombaClient, NombaResponse, TokenCache, TokenStoreMemory } from "nomba-auth"

const Balance = Schema.Struct({ amount: Schema.String, currency: Schema.String })

const router = HttpRouter.empty.pipe(
  HttpRouter.get(
    "/balance",
    Effect.gen(function* () {
      const nomba = yield* NombaClient
      const balance = yield* Effect.flatMap(nomba.get("/v1/accounts/balance"), NombaResponse.data(Balance))
      return yield* HttpServerResponse.json(balance)
    })
  ),
  // `peek` looks at the memory only, so a health check never logs in.
  HttpRouter.get(
    "/health",
    Effect.gen(function* () {
      const session = yield* (yield* TokenCache).peek
      return yield* HttpServerResponse.json({ ready: true, hasToken: Option.isSome(session) })
    })
  )
)

const NombaLive = Nomba.layerConfig().pipe(Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]))

const ServerLive = NodeHttpServer.layerConfig(createServer, {
  host: Config.withDefault(Config.string("HOST"), "localhost"),
  port: Config.withDefault(Config.port("PORT"), 3000)
})

const Main = router.pipe(HttpServer.serve(), HttpServer.withLogAddress, Layer.provide([NombaLive, ServerLive]))

// SIGTERM and SIGINT interrupt `Main`: the server closes first, then the client.
NodeRuntime.runMain(Layer.launch(Main))
