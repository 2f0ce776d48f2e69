/** Where the commands keep the session. */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as StoreChoice from "../layers/config/StoreChoice.js"
import * as SessionCodec from "../layers/SessionCodec.js"
import * as TokenStoreFile from "../layers/TokenStoreFile.js"
import * as TokenStoreEnv from "../node/TokenStoreEnv.js"
import type { TokenStore } from "../services/TokenStore.js"
import * as Output from "./Output.js"
import { stateFolder } from "./stateFolder.js"

const fileStore = Layer.unwrapEffect(
  Effect.gen(function* () {
    const { isTemporary, path } = stateFolder()
    if (isTemporary) {
      yield* Output.say(
        `warning: this user has no folder that can be written to for the session; it is kept in ${path}: set NOMBA_TOKEN_STORE=file:PATH`
      )
    }
    return TokenStoreFile.layer({ directory: path, codec: SessionCodec.config })
  })
)

/** Each command would log the others out. */
const memoryStore = Layer.unwrapEffect(
  Effect.as(
    Output.say(
      "warning: NOMBA_TOKEN_STORE=memory: each command starts a session of its own, which ends that of every other program"
    ),
    TokenStoreEnv.layer
  )
)

/**
 * The token store that `NOMBA_TOKEN_STORE` names. By default files in the user's state folder, so that one command after the
 * other uses the same session.
 */
export const tokenStore: Layer.Layer<TokenStore, ConfigError.ConfigError> = Layer.unwrapEffect(
  Effect.map(StoreChoice.find, (choice) => {
    if (Option.isNone(choice)) return fileStore
    return choice.value.kind === "memory" ? memoryStore : TokenStoreEnv.layer
  })
)

/** For people: the token store without its password. */
export const tokenStoreName: Effect.Effect<string, ConfigError.ConfigError> = Effect.map(
  StoreChoice.find,
  Option.match({
    onNone: () => `file:${stateFolder().path} (by default)`,
    onSome: ({ kind, setting: { origin, value } }) => `${kind === "redis" ? placeOf(value) : value} (${origin})`
  })
)

const placeOf = (url: string): string => {
  if (!URL.canParse(url)) return "redis"
  const { host, pathname, protocol } = new URL(url)
  return `${protocol}//${host}${pathname}`
}
