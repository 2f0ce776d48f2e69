/** The real client, cache and token operations of one process, over a simulated Nomba and a simulated store. */
import { HttpClient } from "@effect/platform"
import { Effect, Layer, Logger, LogLevel, Redacted } from "effect"
import * as NombaAuthHttp from "../../src/layers/NombaAuthHttp.js"
import * as NombaClientHttp from "../../src/layers/NombaClientHttp.js"
import * as TokenCacheRef from "../../src/layers/TokenCacheRef.js"
import type { NombaClient } from "../../src/services/NombaClient.js"
import { NombaConfig, type NombaConfigService } from "../../src/services/NombaConfig.js"
import type { TokenCache } from "../../src/services/TokenCache.js"
import { TokenStore, type TokenStoreService } from "../../src/services/TokenStore.js"
import { makeConfig } from "../support/upstream.js"
import { BASE_URL, CLIENT_ID } from "./fleetNomba.js"

export interface Ways {
  /** To Nomba. */
  readonly client: HttpClient.HttpClient
  readonly store: TokenStoreService
}

/** Each client has a store key of its own unless the options name one. */
export const clientLayer = (
  { client, store }: Ways,
  options: Partial<NombaConfigService> = {}
): Layer.Layer<NombaClient | TokenCache> =>
  NombaClientHttp.layer.pipe(
    Layer.provideMerge(TokenCacheRef.layer),
    Layer.provide(NombaAuthHttp.layer),
    Layer.provide(
      Layer.mergeAll(
        Layer.succeed(NombaConfig, {
          ...makeConfig(),
          clientId: CLIENT_ID,
          clientSecret: Effect.succeed(Redacted.make("5f0c7e3a-fleet")),
          baseUrl: BASE_URL,
          ...options
        }),
        Layer.succeed(HttpClient.HttpClient, client),
        Layer.succeed(TokenStore, store)
      )
    )
  )

/** Hears every warning and every error that the program logs. */
export const hearing =
  (heard: (message: string) => void) =>
  <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    program.pipe(
      Effect.provide(
        Logger.replace(
          Logger.defaultLogger,
          Logger.make(({ message }) => heard(Array.isArray(message) ? message.join(" ") : String(message)))
        )
      ),
      Logger.withMinimumLogLevel(LogLevel.Warning)
    )
