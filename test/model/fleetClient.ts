/** The real client, cache and token operations of one process, over a simulated Nomba and a simulated store. */
import { HttpClient } from "@effect/platform"
import { Effect, Layer, Redacted } from "effect"
import * as NombaAuthHttp from "../../src/layers/NombaAuthHttp.js"
import * as NombaClientHttp from "../../src/layers/NombaClientHttp.js"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import type { Connect } from "../../src/layers/store/StoreDriver.js"
import * as TokenCacheRef from "../../src/layers/TokenCacheRef.js"
import type { NombaClient } from "../../src/services/NombaClient.js"
import { NombaConfig, type NombaConfigService } from "../../src/services/NombaConfig.js"
import type { TokenCache } from "../../src/services/TokenCache.js"
import { TokenStore } from "../../src/services/TokenStore.js"
import { makeConfig } from "../support/upstream.js"
import { BASE_URL, CLIENT_ID } from "./fleetNomba.js"

export interface Ways {
  /** To Nomba. */
  readonly client: HttpClient.HttpClient
  /** To the store. */
  readonly connect: Connect
}

export const clientLayer = (
  { client, connect }: Ways,
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
        Layer.succeed(TokenStore, SessionStore.fromDriver(connect))
      )
    )
  )
