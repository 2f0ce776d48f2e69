/**
 * `nomba-auth/node`: the token store that the environment names. It needs Node.js.
 *
 * @since 0.1.0
 */
export * as TokenStoreEnv from "./TokenStoreEnv.js"
