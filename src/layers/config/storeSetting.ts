/**
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Setting from "./Setting.js"
import * as Source from "./Source.js"

/**
 * The stores that `NOMBA_TOKEN_STORE` can ask for, and who brings them.
 *
 * @since 0.1.0
 */
const stores = {
  memory: { test: /^memory$/, brings: "TokenStoreMemory of nomba-auth" },
  file: { test: /^file:/, brings: "TokenStoreFile of nomba-auth/file" },
  redis: { test: /^rediss?:/, brings: "TokenStoreRedis of nomba-auth/redis" }
} as const

/**
 * What `NOMBA_TOKEN_STORE` says, where it asks for the store that this entry point brings; none where it is not set.
 * Fails where it asks for another, and says who brings that: a process that kept its session to itself would end the
 * session of all the others.
 *
 * @since 0.1.0
 */
export const storeSetting = (
  own: keyof typeof stores
): Effect.Effect<Option.Option<Setting.Setting<string>>, ConfigError.ConfigError> =>
  Effect.flatMap(
    Source.environment.find({ option: "tokenStore", given: undefined, variables: ["NOMBA_TOKEN_STORE"] }),
    Option.match({
      onNone: () => Effect.succeedNone,
      onSome: (setting) =>
        Effect.flatMap(Setting.text(setting), (setting) => {
          const { origin, value } = setting
          if (stores[own].test.test(value)) return Effect.succeedSome(setting)
          const other = Object.values(stores).find(({ test }) => test.test(value))
          return Setting.invalid(
            origin,
            other === undefined
              ? "is none of memory, file:PATH and redis://…"
              : `asks for a store that this layer does not bring: provide ${other.brings} to Nomba.layerWithoutStoreConfig`
          )
        })
    })
  )
