/**
 * The token store that `NOMBA_TOKEN_STORE` names.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Setting from "../layers/config/Setting.js"
import * as StoreChoice from "../layers/config/StoreChoice.js"
import * as TokenStoreMemory from "../layers/TokenStoreMemory.js"
import type { TokenStore } from "../services/TokenStore.js"

type Layered = Layer.Layer<TokenStore, ConfigError.ConfigError>

/** @internal */
export type Load = { readonly [Kind in "file" | "redis"]: () => Promise<{ readonly layerConfig: () => Layered }> }

/** Imported when it is named, so that a program loads only what it uses. */
const load: Load = {
  file: () => import("../layers/TokenStoreFile.js"),
  redis: () => import("../layers/TokenStoreRedis.js")
}

/** @internal */
export const layerFrom = (load: Load): Layered =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const choice = yield* StoreChoice.find
      if (Option.isNone(choice) || choice.value.kind === "memory") return TokenStoreMemory.layer
      const { kind, setting } = choice.value
      const store = yield* Effect.orElse(
        Effect.tryPromise(() => load[kind]()),
        () => Setting.invalid(setting.origin, `names a ${kind} store, which needs Node.js`)
      )
      return store.layerConfig()
    })
  )

/**
 * `memory` or not set: `TokenStoreMemory`. `file:PATH`: `TokenStoreFile`. `redis://…` or `rediss://…`: `TokenStoreRedis`, which needs
 * `ioredis`. The store is loaded by dynamic import and configured by the environment.
 *
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { Nomba } from "nomba-auth"
 * import { TokenStoreEnv } from "nomba-auth/node"
 *
 * export const NombaLive = Nomba.layerConfig().pipe(Layer.provide([TokenStoreEnv.layer, FetchHttpClient.layer]))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TokenStore, ConfigError.ConfigError> = layerFrom(load)
