import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import { StoreKey } from "../../src/schemas/StoreKey.js"
import { sessionOf } from "../../src/testing/tokenStore/harness.js"
import { keyOf, newKey } from "../support/encryption.js"
import { withEnvironment } from "../support/environment.js"
import { leaks, printed } from "../support/leaks.js"

const [first, second, foreign] = [newKey(), newKey(), newKey()]
const token = "eyJhbGciOiJIUzI1NiJ9.e30.held_access-token"
const session: SessionCodec.StoredContent = { session: Option.some(sessionOf(token)), tombstone: false }
const secrets = [first, second, foreign, token, `${token}-refresh`]
const here: SessionCodec.TextPlace = { key: StoreKey.make("a|b|client_credentials|"), version: 7 }

const isSilent = <A, E>(what: string, effect: Effect.Effect<A, E>) =>
  Effect.map(printed(effect), (texts) =>
    assert.deepStrictEqual(
      leaks(texts, secrets).map(([how, text]) => `${how}: ${text.slice(0, 300)}`),
      [],
      what
    )
  )

describe("no key and no token can be read", () => {
  it.live("in a codec, and in the text that it encodes", () =>
    Effect.gen(function* () {
      const make = SessionCodec.encrypted([keyOf("a", first), keyOf("b", second)])
      yield* isSilent("the codec", make)
      const codec = yield* make
      const text = yield* codec.encode(here, session)
      yield* isSilent("the text", codec.encode(here, session))
      yield* isSilent("the session", codec.decode(here, text))
    })
  )

  it.live("in the failures of decode", () =>
    Effect.gen(function* () {
      const codec = yield* SessionCodec.encrypted([keyOf("a", first), keyOf("b", second)])
      const others = yield* SessionCodec.encrypted([keyOf("a", foreign)])
      const clear = yield* SessionCodec.plain.encode(here, session)
      const text = yield* codec.encode(here, session)
      const cases = [
        codec.decode(here, yield* others.encode(here, session)),
        codec.decode({ ...here, key: StoreKey.make("elsewhere") }, text),
        codec.decode(here, clear),
        codec.decode(here, `nomba-auth/1 aes-256-gcm ${first} ${first}`),
        codec.decode(here, `nomba-auth/1 aes-256-gcm a ${first}`),
        SessionCodec.plain.decode(here, text),
        SessionCodec.plain.decode(here, clear.slice(0, -1)),
        SessionCodec.plain.decode(here, clear.replace(`"server"`, "7")),
        SessionCodec.plain.decode(here, clear.replace("held_access", "held access")),
        SessionCodec.plain.decode(here, `nomba-auth/9 ${token}`),
        SessionCodec.plain.decode(here, `nomba-auth/1 ${token} ${token}`)
      ]
      for (const [at, one] of cases.entries()) {
        yield* Effect.flip(one)
        yield* isSilent(`case ${at}`, one)
      }
    })
  )

  it.live("in the errors about keys", () =>
    Effect.gen(function* () {
      const wrong = [
        [keyOf(first, "a")],
        [keyOf("a", first), keyOf("a", second)],
        [keyOf("a", first.slice(1))],
        [keyOf("a", `${first}${second}`)],
        [{ id: "a", key: first as unknown as Redacted.Redacted<string> }]
      ]
      for (const [at, keys] of wrong.entries()) {
        yield* Effect.flip(SessionCodec.encrypted(keys))
        yield* isSilent(`keys ${at}`, SessionCodec.encrypted(keys))
      }
      for (const value of [first, `${first}:a`, `a:${first},a:${second}`, `a:${first}${second}`, `"a:${first}"`]) {
        const config = SessionCodec.encryptedConfig.pipe(withEnvironment({ NOMBA_TOKEN_STORE_KEYS: value }))
        yield* Effect.flip(config)
        yield* isSilent(value, config)
      }
    })
  )

  it.live("the probe of this test sees one", () =>
    Effect.map(printed(Effect.fail(new Error(Redacted.value(keyOf("a", first).key)))), (texts) =>
      assert.isNotEmpty(leaks(texts, [first]))
    )
  )
})
