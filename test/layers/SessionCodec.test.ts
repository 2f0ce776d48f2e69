import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Duration, Effect, FastCheck as fc, Option, Redacted } from "effect"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import { Unavailable } from "../../src/schemas/AuthError.js"
import { Session } from "../../src/schemas/Session.js"
import { StoreKey } from "../../src/schemas/StoreKey.js"
import { freshKey, sessionOf } from "../../src/testing/tokenStore/harness.js"
import { keyOf, newKey } from "../support/encryption.js"
import { withEnvironment } from "../support/environment.js"

const sessions = Arbitrary.make(Session).chain((session) =>
  fc.nat().map((millis) => new Session({ ...session, lifetime: Duration.millis(millis) }))
)
const storeKeys = fc.fullUnicodeString({ minLength: 1 }).map((text) => StoreKey.make(text))
const ids = fc.stringMatching(/^[A-Za-z0-9._-]{1,32}$/)
const keys = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("base64"))

const contentOf = (session: Session, tombstone = false): SessionCodec.StoredContent => ({
  session: Option.some(session),
  tombstone
})
const contents = fc
  .tuple(fc.option(sessions), fc.boolean())
  .map(([session, tombstone]): SessionCodec.StoredContent => ({ session: Option.fromNullable(session), tombstone }))

const held = contentOf(sessionOf("held"))
const here: SessionCodec.TextPlace = {
  key: StoreKey.make("https%3A%2F%2Fnomba.test|client|client_credentials|"),
  version: 7
}
const places = fc.record({ key: storeKeys, version: fc.nat() })

/** A failure with this reason, whose message has the parts. */
const refuses = <A>(effect: Effect.Effect<A, Unavailable>, reason: Unavailable["reason"], ...parts: Array<string>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.instanceOf(error, Unavailable)
    assert.strictEqual(error.operation, "store")
    assert.strictEqual(error.reason, reason, error.message)
    for (const part of parts) assert.include(error.message, part)
  })

const flip = (text: string, at: number, bit: number): string =>
  text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << bit)) + text.slice(at + 1)

describe("SessionCodec.plain", () => {
  it.live.prop("decodes what it encoded", { content: contents, place: places }, ({ content, place }) =>
    Effect.gen(function* () {
      const text = yield* SessionCodec.plain.encode(place, content)
      assert.deepStrictEqual(yield* SessionCodec.plain.decode(place, text), content)
    })
  )

  it.live("starts the text with its format", () =>
    Effect.map(SessionCodec.plain.encode(here, held), (text) => {
      assert.match(text, /^nomba-auth\/1 plain \{"format":1,.*\}$/)
      assert.include(text, "held-refresh")
    })
  )

  it.live("rejects an infinite lifetime", () =>
    refuses(
      SessionCodec.plain.encode(here, contentOf(new Session({ ...sessionOf("held"), lifetime: Duration.infinity }))),
      "StoreCodec",
      "cannot be written"
    )
  )

  it.live("fails with StoreUnreadable for a damaged text", () =>
    Effect.forEach(
      [
        "",
        "{}",
        "nomba-auth/1",
        "nomba-auth/1 plain",
        "nomba-auth/1 plain {}",
        "nomba-auth/1 rot13 abc",
        "nomba-auth/0 plain {}",
        "nomba-auth/1 aes-256-gcm",
        "nomba-auth/1 aes-256-gcm a 0011aabb A",
        // Of a format that was never published.
        'nomba-session-1 plain {"accessToken":"a"}'
      ],
      (text) => refuses(SessionCodec.plain.decode(here, text), "StoreUnreadable")
    )
  )

  it.live("fails with StoreCodec for an encrypted text, and names the key", () =>
    Effect.gen(function* () {
      const codec = yield* SessionCodec.encrypted([keyOf("2026-11")])
      const text = yield* codec.encode(here, held)
      yield* refuses(SessionCodec.plain.decode(here, text), "StoreCodec", `"2026-11"`, "no keys")
    })
  )

  it.live("fails with StoreCodec for the text of a later version", () =>
    refuses(SessionCodec.plain.decode(here, "nomba-auth/2 plain {}"), "StoreCodec", "later version")
  )
})

describe("SessionCodec.encrypted", () => {
  it.live.prop(
    "decodes what it encoded, with any key, store key and version",
    { content: contents, place: places, id: ids, key: keys },
    ({ content, id, key, place }) =>
      Effect.gen(function* () {
        const codec = yield* SessionCodec.encrypted([keyOf(id, key)])
        const text = yield* codec.encode(place, content)
        assert.isTrue(text.startsWith(`nomba-auth/1 aes-256-gcm ${id} `))
        assert.deepStrictEqual(yield* codec.decode(place, text), content)
      })
  )

  it.live("writes no two equal texts, and none that shows the session", () =>
    Effect.gen(function* () {
      const codec = yield* SessionCodec.encrypted([keyOf("a")])
      const texts = yield* Effect.all(Array.from({ length: 64 }, () => codec.encode(here, held)))
      assert.strictEqual(new Set(texts).size, 64)
      const nonces = texts.map((text) => text.split(" ")[4]?.slice(0, 16))
      assert.strictEqual(new Set(nonces).size, 64)
      for (const text of texts) {
        assert.notInclude(text, "held")
        assert.notInclude(Buffer.from(text.split(" ")[4] ?? "", "base64").toString("latin1"), "held")
      }
    })
  )

  it.live("rejects a text with any bit flipped", () =>
    Effect.gen(function* () {
      const codec = yield* SessionCodec.encrypted([keyOf("a"), keyOf("b")])
      const text = yield* codec.encode(here, held)
      for (let at = 0; at < text.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const error = yield* Effect.flip(codec.decode(here, flip(text, at, bit)))
          assert.instanceOf(error, Unavailable, `character ${at}, bit ${bit}`)
        }
      }
    })
  )

  it.live("fails with StoreUnreadable for a changed or shortened ciphertext, with or without the key", () =>
    Effect.gen(function* () {
      const codec = yield* SessionCodec.encrypted([keyOf("k-1")])
      const other = yield* SessionCodec.encrypted([keyOf("k-2")])
      const text = yield* codec.encode(here, held)
      const [format, algorithm, id, check, base64 = ""] = text.split(" ")
      const bytes = Buffer.from(base64, "base64")
      const withBytes = (bytes: Buffer) => [format, algorithm, id, check, bytes.toString("base64")].join(" ")
      for (const at of [0, 11, 12, bytes.length - 17, bytes.length - 1]) {
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at] ?? 0) ^ 1
        yield* refuses(codec.decode(here, withBytes(changed)), "StoreUnreadable")
      }
      for (const length of [0, 1, 12, 27, bytes.length - 1]) {
        yield* refuses(codec.decode(here, withBytes(bytes.subarray(0, length))), "StoreUnreadable")
      }
      const damage = [
        `${text}=`,
        text.slice(0, -1),
        text.replace(base64, `?${base64.slice(1)}`),
        text.replace(" k-1 ", "  ")
      ]
      for (const damaged of damage) {
        for (const reader of [codec, other, SessionCodec.plain]) {
          yield* refuses(reader.decode(here, damaged), "StoreUnreadable")
        }
      }
    })
  )

  it.live.prop("rejects a text under another store key", { one: places, other: storeKeys }, ({ one, other }) =>
    Effect.gen(function* () {
      if (one.key === other) return
      const codec = yield* SessionCodec.encrypted([keyOf("k-1")])
      const text = yield* codec.encode(one, held)
      yield* refuses(codec.decode({ ...one, key: other }, text), "StoreUnreadable")
    })
  )

  it.live("rejects an old session or tombstone under another version", () =>
    Effect.gen(function* () {
      const codec = yield* SessionCodec.encrypted([keyOf("k-1")])
      const tombstone: SessionCodec.StoredContent = { session: Option.none(), tombstone: true }
      for (const content of [held, tombstone, contentOf(sessionOf("kept"), true)]) {
        const text = yield* codec.encode(here, content)
        for (const version of [here.version + 1, here.version - 1]) {
          yield* refuses(codec.decode({ ...here, version }, text), "StoreUnreadable")
        }
      }
    })
  )

  it.live("rejects a text under another id of the same key", () =>
    Effect.gen(function* () {
      const key = newKey()
      const codec = yield* SessionCodec.encrypted([keyOf("a", key), keyOf("b", key)])
      const text = yield* codec.encode(here, held)
      yield* refuses(codec.decode(here, text.replace(" a ", " b ")), "StoreUnreadable")
      const one = yield* SessionCodec.encrypted([keyOf("a", key)])
      yield* refuses(one.decode(here, text.replace(" a ", " c ")), "StoreUnreadable")
    })
  )

  it.live("names the key id if the key differs or is missing", () =>
    Effect.gen(function* () {
      const mine = yield* SessionCodec.encrypted([keyOf("a"), keyOf("c")])
      const theirs = yield* SessionCodec.encrypted([keyOf("a")])
      const others = yield* SessionCodec.encrypted([keyOf("b")])
      yield* refuses(mine.decode(here, yield* theirs.encode(here, held)), "StoreCodec", `"a"`, "another key")
      yield* refuses(mine.decode(here, yield* others.encode(here, held)), "StoreCodec", `"b"`, `"a", "c"`)
    })
  )

  it.live("rejects plaintext, which any writer of the store could insert", () =>
    Effect.gen(function* () {
      const codec = yield* SessionCodec.encrypted([keyOf("a")])
      const text = yield* SessionCodec.plain.encode(here, held)
      yield* refuses(codec.decode(here, text), "StoreCodec", "not encrypted")
    })
  )

  it.live("replaces keys in three steps, each of which reads the texts of the step before", () =>
    Effect.gen(function* () {
      const [old, young] = [keyOf("old"), keyOf("young")]
      const steps = yield* Effect.all(
        [[old], [old, young], [young, old], [young]].map((keys) => SessionCodec.encrypted(keys))
      )
      for (const [at, writer] of steps.entries()) {
        const text = yield* writer.encode(here, held)
        for (const reader of steps.slice(Math.max(0, at - 1), at + 2)) {
          assert.deepStrictEqual(yield* reader.decode(here, text), held)
        }
      }
      const [first, , , last] = steps
      if (first === undefined || last === undefined) return assert.fail()
      yield* refuses(last.decode(here, yield* first.encode(here, held)), "StoreCodec", `"old"`)
    })
  )
})

describe("SessionCodec.encrypted: keys", () => {
  const problemOf = <A>(effect: Effect.Effect<A, { readonly message?: string; toString(): string }>) =>
    Effect.map(Effect.flip(effect), String)

  const wrong: ReadonlyArray<readonly [string, ReadonlyArray<SessionCodec.EncryptionKey>, string]> = [
    ["no key", [], "has no key"],
    ["a short key", [keyOf("a"), keyOf("b", "c2hvcnQ=")], `"b" has 5 bytes and not 32`],
    ["a long key", [keyOf("b", Buffer.alloc(33, 7).toString("base64"))], `"b" has 33 bytes`],
    ["a key for URLs", [keyOf("b", Buffer.alloc(32, 255).toString("base64url"))], `"b" is not base64`],
    ["a key without its padding", [keyOf("b", newKey().slice(0, -1))], `"b" is not base64`],
    ["a key with odd last bits", [keyOf("b", `${"A".repeat(42)}B=`)], `"b" is not base64`],
    ["an empty key", [keyOf("b", "")], `"b" has 0 bytes`],
    ["two keys of one id", [keyOf("b"), keyOf("b")], `two keys have the id "b"`],
    ["an empty id", [keyOf("a"), keyOf("")], "key 2 has no id"],
    ["a key in place of the id", [keyOf(newKey(), "a")], "key 1 has no id"],
    ["an id with a space", [keyOf("a b")], "key 1 has no id"],
    // biome-ignore lint/suspicious/noExplicitAny: untyped code
    ["a key that is not redacted", [{ id: "b", key: newKey() as any }], `"b" is not redacted`],
    // biome-ignore lint/suspicious/noExplicitAny: untyped code
    ["a key that is a number", [{ id: "b", key: Redacted.make(7) as any }], `"b" is not a string`],
    // biome-ignore lint/suspicious/noExplicitAny: untyped code
    ["no object", [undefined as any], "key 1 has no id"],
    // biome-ignore lint/suspicious/noExplicitAny: untyped code
    ["no list", "a:b" as any, "is not a list"]
  ]

  for (const [what, given, problem] of wrong) {
    it.live(`rejects ${what} with a message that does not quote it`, () =>
      Effect.map(problemOf(SessionCodec.encrypted(given)), (message) => {
        assert.include(message, problem)
        for (const one of given) {
          const text = Redacted.isRedacted(one?.key) ? String(Redacted.value(one.key)) : String(one?.key)
          if (text.length > 1) assert.notInclude(message, text)
          if (one?.id?.length > 32) assert.notInclude(message, one.id)
        }
      })
    )
  }

  it.live("rejects a wiped key", () =>
    Effect.gen(function* () {
      const key = keyOf("a")
      Redacted.unsafeWipe(key.key)
      assert.include(yield* problemOf(SessionCodec.encrypted([key])), `"a" is not a string`)
    })
  )
})

describe("SessionCodec from NOMBA_TOKEN_STORE_KEYS", () => {
  const [old, young] = [newKey(), newKey()]
  const set = (value: string) => withEnvironment({ NOMBA_TOKEN_STORE_KEYS: value })

  it.live("encrypts with the first key and decrypts with all of them", () =>
    Effect.gen(function* () {
      const codec = yield* SessionCodec.encryptedConfig.pipe(set(` young:${young}, old:${old}\n`))
      assert.include(yield* codec.encode(here, held), " young ")
      const before = yield* SessionCodec.encrypted([keyOf("old", old)])
      assert.deepStrictEqual(yield* codec.decode(here, yield* before.encode(here, held)), held)
      const after = yield* SessionCodec.encrypted([keyOf("young", young)])
      assert.deepStrictEqual(yield* after.decode(here, yield* codec.encode(here, held)), held)
    })
  )

  for (const [what, value, problem] of [
    ["a key without an id", young, "key 1 has no id"],
    ["a key after nothing", `a:${young},`, "key 2 has no id"],
    ["nothing", " ", "is empty"],
    ["a damaged key", `a:${young.slice(1)}`, `"a" is not base64`]
  ] as const) {
    it.live(`rejects ${what}, and names the variable`, () =>
      Effect.gen(function* () {
        for (const config of [SessionCodec.encryptedConfig, SessionCodec.config]) {
          const message = String(yield* Effect.flip(config.pipe(set(value))))
          assert.include(message, "NOMBA_TOKEN_STORE_KEYS")
          assert.include(message, problem)
          assert.notInclude(message, young.slice(1, -1))
        }
      })
    )
  }

  it.live("is plaintext if it is not set, and encryptedConfig fails", () =>
    Effect.gen(function* () {
      const none = withEnvironment({})
      assert.include(String(yield* Effect.flip(SessionCodec.encryptedConfig.pipe(none))), "NOMBA_TOKEN_STORE_KEYS")
      assert.strictEqual(yield* SessionCodec.config.pipe(none), SessionCodec.plain)
    })
  )

  it.live("encrypts if it is set", () =>
    Effect.gen(function* () {
      const codec = yield* SessionCodec.config.pipe(set(`a:${young}`))
      assert.include(yield* codec.encode({ key: yield* freshKey(), version: 1 }, held), "aes-256-gcm a ")
    })
  )
})

it.live("a store accepts a codec, or an effect that makes one", () =>
  Effect.gen(function* () {
    assert.strictEqual(yield* SessionCodec.fromInput(SessionCodec.plain), SessionCodec.plain)
    assert.strictEqual(yield* SessionCodec.fromInput(Effect.succeed(SessionCodec.plain)), SessionCodec.plain)
  })
)
