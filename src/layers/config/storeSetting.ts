/**
 * Which token store a setting asks for, and who brings it.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Setting from "./Setting.js"
import * as Source from "./Source.js"

const stores = {
  memory: { test: /^memory$/, bring: "use Nomba.layerConfig" },
  file: { test: /^file:/, bring: "provide TokenStoreFile of nomba-auth/file to Nomba.layerWithoutStoreConfig" },
  redis: { test: /^rediss?:/, bring: "provide TokenStoreRedis of nomba-auth/redis to Nomba.layerWithoutStoreConfig" }
} as const

/**
 * @since 0.1.0
 * @category models
 */
export type StoreKind = keyof typeof stores

/**
 * Fails where a setting asks for a store of another kind, and says who brings that: a process that kept its session to
 * itself would end the session of all the others. The setting may hold a password, and is not quoted.
 *
 * @since 0.1.0
 */
export const only = (kind: StoreKind, setting: Setting.Setting<string>): Setting.Checked<string> => {
  const { origin, value } = setting
  if (stores[kind].test.test(value)) return Effect.succeed(setting)
  const other = Object.values(stores).find(({ test }) => test.test(value))
  return Setting.invalid(
    origin,
    other === undefined
      ? "is none of memory, file:PATH and redis://…"
      : `asks for a store that this layer does not bring: ${other.bring}`
  )
}

/**
 * What `NOMBA_TOKEN_STORE` says, where it asks for the store that this entry point brings; none where it is not set. Fails
 * where it asks for another.
 *
 * @since 0.1.0
 */
export const storeSetting = (
  kind: StoreKind
): Effect.Effect<Option.Option<Setting.Setting<string>>, ConfigError.ConfigError> =>
  Effect.flatMap(
    Source.environment.find({ option: "tokenStore", given: undefined, variables: ["NOMBA_TOKEN_STORE"] }),
    Option.match({
      onNone: () => Effect.succeedNone,
      onSome: (setting) => Effect.asSome(Effect.flatMap(Setting.text(setting), (_) => only(kind, _)))
    })
  )
