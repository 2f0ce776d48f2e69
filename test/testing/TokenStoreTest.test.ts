import { assert, it } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import { TokenStore } from "nomba-auth"
import { TokenStoreTest } from "nomba-auth/testing"
import type { SessionStore } from "../../src/services/TokenStore.js"
import {
  adoptNone,
  freshKey,
  holds,
  makeObtain,
  makeRevoke,
  put,
  renew,
  sessionOf,
  unsaved
} from "../../src/testing/tokenStore/harness.js"

type Failing = Exclude<keyof SessionStore, "changes" | "leaseRefusals" | "close">

it.scoped("TokenStoreTest.fail makes every step of the store fail and do nothing until TokenStoreTest.recover", () =>
  Effect.gen(function* () {
    const control = yield* TokenStoreTest
    const store = yield* (yield* TokenStore).open(yield* freshKey(), Duration.seconds(1))
    yield* put(store, sessionOf("held"))
    const { obtain, runs } = yield* makeObtain(sessionOf("never"))
    const { revoke, runs: revocations } = yield* makeRevoke()
    const steps: Record<Failing, Effect.Effect<unknown, { readonly _tag: string }>> = {
      readVersioned: store.readVersioned,
      renew: renew(store, adoptNone, obtain),
      save: store.save(unsaved(sessionOf("never"), 0)),
      restore: store.restore(Option.none()),
      logout: store.logout(revoke)
    }
    yield* control.fail
    for (const [name, step] of Object.entries(steps)) {
      const end = yield* Effect.match(step, { onFailure: (error) => error._tag, onSuccess: () => "nothing" })
      assert.strictEqual(end, "Unavailable", name)
    }
    assert.deepStrictEqual([runs(), revocations()], [0, 0])
    yield* control.recover
    yield* holds(store, sessionOf("held"))
  }).pipe(Effect.provide(TokenStoreTest.layer))
)
