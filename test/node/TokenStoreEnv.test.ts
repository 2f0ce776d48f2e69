import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer } from "effect"
import { TokenStore } from "nomba-auth"
import { TokenStoreEnv } from "nomba-auth/node"
import { layerFrom } from "../../src/node/TokenStoreEnv.js"
import { withEnvironment } from "../support/environment.js"

const build = (layer: typeof TokenStoreEnv.layer, variables: Readonly<Record<string, string>>) =>
  Effect.scoped(Layer.build(layer)).pipe(
    Effect.map((context) => Context.get(context, TokenStore)),
    withEnvironment(variables),
    Effect.exit
  )

describe("TokenStoreEnv.layer", () => {
  it.effect("provides a private store if NOMBA_TOKEN_STORE is memory or not set", () =>
    Effect.gen(function* () {
      for (const variables of [{}, { NOMBA_TOKEN_STORE: "memory" }]) {
        const exit = yield* build(TokenStoreEnv.layer, variables)
        assert.isTrue(Exit.isSuccess(exit) && exit.value.isShared === false)
      }
    })
  )

  for (const store of ["file:/var/lib/nomba", "redis://127.0.0.1:1", "rediss://redis.example"]) {
    it.live(`provides a shared store for ${store}, without connecting`, () =>
      Effect.gen(function* () {
        const variables = { NOMBA_TOKEN_STORE: store, NOMBA_TOKEN_STORE_KEYS: `one:${"A".repeat(43)}=` }
        const exit = yield* build(TokenStoreEnv.layer, variables)
        assert.isTrue(Exit.isSuccess(exit) && exit.value.isShared !== false, String(exit))
      })
    )
  }

  it.live("says that the store needs Node.js if it cannot be loaded", () =>
    Effect.gen(function* () {
      const missing = () => Promise.reject(new Error("No such module: node:fs"))
      const layer = layerFrom({ file: missing, redis: missing })
      const exit = yield* build(layer, { NOMBA_TOKEN_STORE: "file:/home/hunter2" })
      assert.include(String(exit), "NOMBA_TOKEN_STORE names a file store, which needs Node.js")
      assert.notInclude(String(exit), "hunter2")
    })
  )

  it.effect("refuses any other value, and does not quote it", () =>
    Effect.gen(function* () {
      const exit = yield* build(TokenStoreEnv.layer, { NOMBA_TOKEN_STORE: "postgres://me:hunter2@db" })
      assert.include(String(exit), "NOMBA_TOKEN_STORE is none of memory, file:PATH and redis://…")
      assert.notInclude(String(exit), "hunter2")
    })
  )
})
