import { assert, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { TokenStore } from "nomba-auth"
import { TokenStoreTest } from "nomba-auth/testing"
import type { SessionStore } from "../../src/services/TokenStore.js"
import {
  adoptNone,
  freshKey,
  holds,
  makeMint,
  makeRevoke,
  put,
  sessionOf,
  unsaved
} from "../../src/testing/tokenStore/harness.js"

type Failing = Exclude<keyof SessionStore, "changes" | "leave">

it.scoped("every step of the store that can fail does, until the outage is over, and does nothing", () =>
  Effect.gen(function* () {
    const control = yield* TokenStoreTest
    const store = yield* (yield* TokenStore).open(yield* freshKey(), Duration.seconds(1))
    yield* put(store, sessionOf("held"))
    const { mint, runs } = yield* makeMint(sessionOf("never"))
    const { revoke, runs: revocations } = yield* makeRevoke()
    const steps: Record<Failing, Effect.Effect<unknown, { readonly _tag: string }>> = {
      read: store.read,
      look: store.look,
      renew: store.renew(adoptNone, mint),
      save: store.save(unsaved(sessionOf("never"), 0)),
      clear: store.clear(revoke)
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
