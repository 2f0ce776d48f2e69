/**
 * Which token store a setting asks for, and who brings it.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Setting from "./Setting.js"

/**
 * @since 0.1.0
 * @category models
 */
export type StoreKind = "memory" | "file" | "redis"

const kindOf = (value: string): StoreKind | undefined => {
  if (value === "memory") return "memory"
  if (value.startsWith("file:")) return "file"
  return /^rediss?:/.test(value) ? "redis" : undefined
}

const bringers: Readonly<Record<StoreKind, string>> = {
  memory: "use Nomba.layerConfig",
  file: "provide TokenStoreFile of nomba-auth/file to Nomba.layerWithoutStoreConfig",
  redis: "provide TokenStoreRedis of nomba-auth/redis to Nomba.layerWithoutStoreConfig"
}

/**
 * Fails where a setting asks for a store of another kind, and says who brings that. The setting may hold a password, and
 * is not quoted.
 *
 * @since 0.1.0
 */
export const only = (
  kind: StoreKind,
  { origin, value }: Setting.Setting<string>
): Effect.Effect<void, ConfigError.ConfigError> => {
  const asked = kindOf(value)
  if (asked === kind) return Effect.void
  return asked === undefined
    ? Setting.invalid(origin, "is none of memory, file:PATH and redis://…")
    : Setting.invalid(origin, `asks for a store that this layer does not bring: ${bringers[asked]}`)
}
