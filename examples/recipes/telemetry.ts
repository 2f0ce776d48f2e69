import { createServer } from "node:http"
import * as Otlp from "@effect/opentelemetry/Otlp"
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
  // Ready without a token: `peek` looks at the memory only, so a health check never logs in.
  HttpRouter.get(
    "/health",
    Effect.gen(function* () {
      const session = yield* (yield* TokenCache).peek
      return yield* HttpServerResponse.json({ ready: true, hasToken: Option.isSome(session) })
    })
  )
)

/** Traces, metrics and log lines of the whole program go to an OpenTelemetry collector. */
const TelemetryLive = Config.string("OTEL_EXPORTER_OTLP_ENDPOINT").pipe(
  Config.withDefault("http://localhost:4318"),
  Effect.map((baseUrl) => Otlp.layerJson({ baseUrl, resource: { serviceName: "shop" } })),
  Layer.unwrapEffect,
  Layer.provide(FetchHttpClient.layer)
)

const NombaLive = Nomba.layerConfig().pipe(Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]))

const ServerLive = NodeHttpServer.layerConfig(createServer, {
  host: Config.withDefault(Config.string("HOST"), "localhost"),
  port: Config.withDefault(Config.port("PORT"), 3000)
})

const Main = router.pipe(
  HttpServer.serve(),
  HttpServer.withLogAddress,
  Layer.provide([NombaLive, ServerLive]),
  // Last, so that the client and the server are built with its tracer.
  Layer.provide(TelemetryLive)
)

NodeRuntime.runMain(Layer.launch(Main))
