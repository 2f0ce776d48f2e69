/**
 * What needs Node.js and depends on the environment.
 *
 * @since 0.1.0
 */
export * as TokenStoreEnv from "./TokenStoreEnv.js"
