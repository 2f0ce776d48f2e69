/** The services of one client, with and without Effect around it. */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { NombaAuth } from "../services/NombaAuth.js"
import { NombaClient } from "../services/NombaClient.js"
import { NombaConfig, type NombaConfigService } from "../services/NombaConfig.js"
import type { TokenCache } from "../services/TokenCache.js"
import type { TokenStore } from "../services/TokenStore.js"
import * as NombaAuthHttp from "./NombaAuthHttp.js"
import * as NombaClientHttp from "./NombaClientHttp.js"

type Given = HttpClient.HttpClient | TokenStore | Scope.Scope

/**
 * Builds a client of its own each time. A layer is shared by its identity: with one for each service, every client of a program
 * would get the configuration of the first.
 */
export const composeClient = <Cache, E>(
  cache: Effect.Effect<Context.Context<Cache | TokenCache>, never, NombaAuth | NombaConfig | TokenStore | Scope.Scope>,
  config: Effect.Effect<NombaConfigService, E, TokenStore>
): Effect.Effect<Context.Context<NombaAuth | TokenCache | NombaClient | Cache>, E, Given> =>
  Effect.gen(function* () {
    const given = yield* Effect.context<Given>()
    const configured = Context.add(given, NombaConfig, yield* config)
    const auth = Context.make(NombaAuth, yield* Effect.provide(NombaAuthHttp.make, configured))
    const cached = yield* Effect.provide(cache, Context.merge(configured, auth))
    const client = yield* Effect.provide(NombaClientHttp.make, Context.merge(configured, cached))
    return Context.mergeAll(auth, cached, Context.make(NombaClient, client))
  })
