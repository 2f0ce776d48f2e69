/** Builds the Effect services that `createNomba` calls. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { identity } from "effect/Function"
import * as HashSet from "effect/HashSet"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Snapshot from "../layers/cache/Snapshot.js"
import { composeClient } from "../layers/composeClient.js"
import * as TokenCacheRef from "../layers/TokenCacheRef.js"
import { NombaClient, type NombaClientService } from "../services/NombaClient.js"
import { TokenCache, type TokenCacheService } from "../services/TokenCache.js"
import type { EngineError } from "./failure.js"
import type { NombaLogger, Settings } from "./options.js"

export interface Engine {
  readonly cache: TokenCacheService
  readonly client: NombaClientService
  readonly snapshot: Snapshot.Snapshot
  readonly runFork: <A, E>(effect: Effect.Effect<A, E>) => ReturnType<typeof Effect.runFork<A, E>>
}

/** Clients with one token store share its connection. */
const stores: Layer.MemoMap = Effect.runSync(Layer.makeMemoMap)

/** One for all clients: it finds their own `fetch` in the context of each request. */
const http = Effect.runSync(Effect.scoped(Layer.build(FetchHttpClient.layer)))

/** Builds the engine, which is closed with the scope. The effects of callers do not see that scope. */
export const make = (
  { config, fetch, logger, store }: Settings,
  scope: Scope.Scope
): Effect.Effect<Engine, EngineError> =>
  Effect.gen(function* () {
    const tokenStore = yield* Layer.buildWithMemoMap(store.layer, stores, scope)
    const given = Context.mergeAll(tokenStore, http, Context.make(Scope.Scope, scope))
    const services = yield* composeClient(TokenCacheRef.services, Effect.succeed(config)).pipe(Effect.provide(given))
    const cache = Context.get(services, TokenCache)
    const snapshot = Snapshot.of(cache) ?? (yield* Effect.dieMessage("the cache has no snapshot"))
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    return { cache, client: Context.get(services, NombaClient), snapshot, runFork }
  }).pipe(
    fetch === undefined ? identity : Effect.provideService(FetchHttpClient.Fetch, fetch),
    Effect.locally(FiberRef.currentLoggers, HashSet.make(loggerOf(logger)))
  )

const loggerOf = (logger: NombaLogger): Logger.Logger<unknown, void> =>
  Logger.make(({ logLevel, message }) => {
    const text = `nomba-auth: ${(Array.isArray(message) ? message : [message]).join(" ")}`
    try {
      if (LogLevel.greaterThanEqual(logLevel, LogLevel.Error)) logger.error(text)
      else if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) logger.warn(text)
    } catch {
      // It would end the renewal that logs, and a session that Nomba has just granted would be lost.
    }
  })
