/** The token store that `NOMBA_TOKEN_STORE` names. */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Setting from "./Setting.js"

const stores = {
  memory: { names: /^memory$/, layer: "TokenStoreMemory.layer of nomba-auth" },
  file: { names: /^file:/, layer: "TokenStoreFile.layerConfig() of nomba-auth/file" },
  redis: { names: /^rediss?:/, layer: "TokenStoreRedis.layerConfig() of nomba-auth/redis" }
} as const

export type StoreKind = keyof typeof stores

/** The kind of store, and the setting that names it. It may hold a password, and is never quoted. */
export interface StoreChoice {
  readonly kind: StoreKind
  readonly setting: Setting.Setting<string>
}

const kindOf = (setting: Setting.Setting<string>): Effect.Effect<StoreChoice, ConfigError.ConfigError> => {
  const kind = (["memory", "file", "redis"] as const).find((kind) => stores[kind].names.test(setting.value))
  return kind === undefined
    ? Setting.invalid(setting.origin, "is none of memory, file:PATH and redis://…")
    : Effect.succeed({ kind, setting })
}

/** None if `NOMBA_TOKEN_STORE` is not set. */
export const find: Effect.Effect<Option.Option<StoreChoice>, ConfigError.ConfigError> = Effect.flatMap(
  Setting.environment.find({ option: "tokenStore", given: undefined, variables: ["NOMBA_TOKEN_STORE"] }),
  Option.match({
    onNone: () => Effect.succeedNone,
    onSome: (setting) => Effect.asSome(Effect.flatMap(Setting.text(setting), kindOf))
  })
)

/**
 * Fails if a setting names a store of another kind, and says which layer to provide: a process that kept its session in
 * another store would end the session of the others.
 */
export const only = (kind: StoreKind, setting: Setting.Setting<string>): Setting.Checked<string> =>
  Effect.flatMap(kindOf(setting), ({ kind: named }) =>
    named === kind
      ? Effect.succeed(setting)
      : Setting.invalid(
          setting.origin,
          `names another token store than the one that is provided: provide ${stores[named].layer}, or TokenStoreEnv.layer of nomba-auth/node`
        )
  )

/** What `NOMBA_TOKEN_STORE` says if it names a store of this kind; none if it is not set. Fails if it names another. */
export const storeSetting = (
  kind: StoreKind
): Effect.Effect<Option.Option<Setting.Setting<string>>, ConfigError.ConfigError> =>
  Effect.flatMap(
    find,
    Option.match({
      onNone: () => Effect.succeedNone,
      onSome: ({ setting }) => Effect.asSome(only(kind, setting))
    })
  )
