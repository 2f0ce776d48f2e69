/** `NombaClient` over a scripted client and a scripted cache. */
import type { HttpClient } from "@effect/platform"
import { Effect, Layer } from "effect"
import * as NombaClientHttp from "../../src/layers/NombaClientHttp.js"
import type { NombaClientService } from "../../src/services/NombaClient.js"
import type { NombaConfigService } from "../../src/services/NombaConfig.js"
import type { TokenCache } from "../../src/services/TokenCache.js"
import { layerConfig } from "./config.js"
import { scriptedCache } from "./tokenCache.js"

export const clientOver = (
  http: { readonly layer: Layer.Layer<HttpClient.HttpClient> },
  cache: { readonly layer: Layer.Layer<TokenCache> } = scriptedCache(),
  changes: Partial<NombaConfigService> = {}
): Effect.Effect<NombaClientService> =>
  NombaClientHttp.make.pipe(Effect.provide(Layer.mergeAll(http.layer, cache.layer, layerConfig(changes))))
