/** The layers of one client, with and without Effect around it. */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { NombaAuth } from "../services/NombaAuth.js"
import type { NombaClient } from "../services/NombaClient.js"
import { NombaConfig, type NombaConfigService } from "../services/NombaConfig.js"
import type { TokenCache } from "../services/TokenCache.js"
import type { TokenStore } from "../services/TokenStore.js"
import * as NombaAuthHttp from "./NombaAuthHttp.js"
import * as NombaClientHttp from "./NombaClientHttp.js"

/**
 * Built on its own, so that each value is a client of its own. A layer is shared by its identity: without this, every client
 * of a program would get the configuration of the first.
 */
export const composeClient = <Cache, E>(
  cache: Layer.Layer<Cache | TokenCache, never, NombaAuth | NombaConfig | TokenStore>,
  config: Effect.Effect<NombaConfigService, E, TokenStore>
): Layer.Layer<NombaAuth | TokenCache | NombaClient | Cache, E, HttpClient.HttpClient | TokenStore> =>
  NombaClientHttp.layer.pipe(
    Layer.provideMerge(cache),
    Layer.provideMerge(NombaAuthHttp.layer),
    Layer.provide(Layer.effect(NombaConfig, config)),
    Layer.build,
    Layer.scopedContext
  )
