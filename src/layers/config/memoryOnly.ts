/**
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Setting from "./Setting.js"
import * as Source from "./Source.js"
import * as StoreKind from "./StoreKind.js"

/**
 * Fails where `NOMBA_TOKEN_STORE` asks for a store that this entry point does not bring, and says which one does: a
 * process that kept its session to itself would end the session of all the others.
 *
 * @since 0.1.0
 */
export const memoryOnly: Effect.Effect<void, ConfigError.ConfigError> = Effect.flatMap(
  Source.environment.find({ option: "tokenStore", given: undefined, variables: ["NOMBA_TOKEN_STORE"] }),
  Option.match({
    onNone: () => Effect.void,
    onSome: (setting) => Effect.flatMap(Setting.text(setting), (_) => StoreKind.only("memory", _))
  })
)
