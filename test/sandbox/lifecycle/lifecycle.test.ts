import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, TestClock } from "effect"
import { Nomba, TokenCache, TokenStoreMemory } from "nomba-auth"
import { Sandbox } from "nomba-auth/sandbox"
import { runLifecycle } from "./lifecycle.js"
import { cover, factors, replay } from "./rows.js"

const seed = String(Date.now() & 0x7fffffff)
const rows = cover(2, seed)

describe(`a client works under every pair of switch values (seed ${seed}),`, () => {
  it("covers each pair of values", () => {
    const names = Object.keys(factors) as ReadonlyArray<keyof typeof factors>
    const found = new Set<string>()
    for (const row of rows) {
      for (const one of names) for (const other of names) found.add(`${one} ${row[one]} ${other} ${row[other]}`)
    }
    for (const one of names) {
      for (const other of names.filter((name) => name !== one)) {
        for (const a of factors[one])
          for (const b of factors[other]) assert.isTrue(found.has(`${one} ${a} ${other} ${b}`))
      }
    }
  })

  rows.forEach((row, index) => {
    it.effect(`row ${index + 1}`, () =>
      Effect.tapErrorCause(runLifecycle(row), () => Effect.logError(`to run it again: ${replay(row)}`))
    )
  })
})

describe("a client without an account id, if one is required,", () => {
  it.effect("gets an error that says so", () =>
    Effect.gen(function* () {
      const { clientId, clientSecret } = Sandbox.defaultClient
      const { url } = yield* Sandbox
      const error = yield* Effect.flatMap(TokenCache, (cache) => cache.get).pipe(
        Effect.provide(Layer.provide(Nomba.layer({ clientId, clientSecret, baseUrl: url }), TokenStoreMemory.layer)),
        Effect.flip
      )
      assert.strictEqual(error._tag, "InvalidCredentials")
      assert.include(error.message, "account")
      assert.notInclude(error.message, Redacted.value(clientSecret))
      yield* TestClock.adjust("1 second")
    }).pipe(Effect.provide(Sandbox.layer({ accountHeader: "required" })))
  )
})
