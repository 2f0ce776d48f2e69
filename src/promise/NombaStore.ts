/**
 * Where a client keeps its session.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { StoreKind } from "../layers/config/StoreChoice.js"
import * as SessionCodec from "../layers/SessionCodec.js"
import * as TokenStoreMemory from "../layers/TokenStoreMemory.js"
import type { TokenStore } from "../services/TokenStore.js"
import type { ConfigField } from "./errors.js"

declare const brand: unique symbol

/**
 * A token store for the option `tokenStore`: make it with `redisStore` of `nomba-auth/promise/redis` or `fileStore` of
 * `nomba-auth/promise/file`. Clients that are given the same one share its connection.
 *
 * @since 0.1.0
 * @category models
 */
export interface NombaStore {
  readonly [brand]: "NombaStore"
}

/** @internal */
export interface StoreParts {
  readonly kind: StoreKind
  /** Whether `NOMBA_TOKEN_STORE` says where it is. */
  readonly isFromEnvironment: boolean
  /** What `createNomba` refuses at once. */
  readonly problems: ReadonlyArray<ConfigField>
  readonly layer: Layer.Layer<TokenStore, ConfigError.ConfigError>
}

/** Not a module-level `WeakMap`, because a bundler may copy this module into several files. */
const parts = Symbol.for("nomba-auth/promise/NombaStore")

/** @internal */
export const make = (given: StoreParts): NombaStore =>
  Object.freeze(Object.defineProperty({}, parts, { value: given })) as NombaStore

/** @internal */
export const partsOf = (store: unknown): StoreParts | undefined =>
  typeof store === "object" && store !== null ? (store as { readonly [parts]?: StoreParts })[parts] : undefined

/**
 * Untyped code may have given anything; the codec says what is wrong with it.
 *
 * @internal
 */
export const codecOf = (
  keys: ReadonlyArray<{ readonly id: string; readonly key: string }> | undefined
): SessionCodec.Input | undefined =>
  keys === undefined
    ? undefined
    : SessionCodec.encrypted(
        Array.isArray(keys) ? keys.map((given) => ({ id: given?.id, key: Redacted.make(given?.key) })) : (keys as never)
      )

/** @internal */
export const memory: StoreParts = {
  kind: "memory",
  isFromEnvironment: false,
  problems: [],
  layer: TokenStoreMemory.layer
}
