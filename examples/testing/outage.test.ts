import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted, TestClock } from "effect"
import { Nomba, RetryPolicy, TokenCache } from "nomba-auth"
import { Sandbox } from "nomba-auth/sandbox"
import { TokenStoreTest } from "nomba-auth/testing"

const client = Nomba.layer({ ...Sandbox.defaultClient, environment: "sandbox" })
const services = client.pipe(
  Layer.provideMerge(TokenStoreTest.layer),
  Layer.provide(Sandbox.layer()),
  Layer.provide(RetryPolicy.layerNone)
)

it.effect("an unexpired token keeps working while the token store is down", () =>
  Effect.gen(function* () {
    const cache = yield* TokenCache
    const store = yield* TokenStoreTest
    const token = Redacted.value(yield* cache.get)
    yield* store.fail
    yield* TestClock.adjust("27 minutes")
    assert.strictEqual(Redacted.value(yield* cache.get), token)
    yield* TestClock.adjust("3 minutes")
    const error = yield* Effect.flip(cache.get)
    assert.strictEqual(error._tag, "Unavailable")
  }).pipe(Effect.provide(services))
)
