/**
 * How a session becomes the text that a shared store keeps: plaintext or encrypted.
 *
 * The text is one line: a format with its number, the algorithm, and what the algorithm needs.
 *
 * ```text
 * nomba-auth/1 plain {"format":1,…}
 * nomba-auth/1 aes-256-gcm <key id> <key check> <base64 of nonce, ciphertext and tag>
 * ```
 *
 * A codec is an option of the store's layer and not a service: a service that you forgot to provide would leave the
 * tokens in plaintext without a word.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Unavailable } from "../schemas/AuthError.js"
import * as Session from "../schemas/Session.js"
import * as Setting from "./config/Setting.js"
import * as EncryptionKeys from "./store/EncryptionKeys.js"
import { anotherVersion, damaged, notOurs, type SessionCodec, type TextPlace } from "./store/StoreDriver.js"

/**
 * A session or a tombstone.
 *
 * @since 0.1.0
 * @category models
 */
export type StoredContent = Session.StoredContent

export type { SessionCodec, TextPlace } from "./store/StoreDriver.js"

/**
 * What a store's layer takes as `codec`: a codec, or the effect that makes one.
 *
 * @since 0.1.0
 * @category models
 */
export type Input = SessionCodec | Effect.Effect<SessionCodec, ConfigError.ConfigError>

/**
 * One key of AES-256: 32 random bytes in base64, as `openssl rand -base64 32` prints them. The `id` is stored beside what
 * it encrypts and named in errors: up to 32 letters, digits, dots, dashes and underscores, for instance a date.
 *
 * @since 0.1.0
 * @category models
 */
export type EncryptionKey = EncryptionKeys.EncryptionKey

/**
 * Plaintext, for a store that only your program can read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const plain: SessionCodec = {
  encode: (_, content) => Effect.map(toJson(content), (json) => [FORMAT, PLAIN, json].join(" ")),
  decode: Effect.fnUntraced(function* (_, text) {
    const { algorithm, rest } = yield* parse(text)
    if (algorithm === PLAIN) return yield* fromJson(rest)
    const { id } = yield* parseEncrypted(algorithm, rest)
    return yield* notOurs(`It is encrypted with the key "${id}", and this program has no keys.`)
  })
}

/**
 * Encrypts with AES-256-GCM. The first key encrypts and all of them decrypt, so that you replace a key in three steps: add
 * the new one behind the old, everywhere; put it first, everywhere; remove the old one.
 *
 * The id of the encryption key, the store's key and the version are authenticated with the session or tombstone: a text
 * that was moved, put back under a new version, or changed by a single bit is refused. Fails with a `ConfigError` that
 * names the id of the key and what is wrong with it.
 *
 * ```ts
 * import { Redacted } from "effect"
 * import { SessionCodec } from "nomba-auth"
 *
 * const codec = SessionCodec.encrypted([{ id: "2026-11", key: Redacted.make("…") }])
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const encrypted = (keys: ReadonlyArray<EncryptionKey>): Effect.Effect<SessionCodec, ConfigError.ConfigError> =>
  Effect.map(EncryptionKeys.fromOptions("SessionCodec.encrypted", keys), encryptedWith)

/**
 * Encrypts with the keys from the environment: `NOMBA_TOKEN_STORE_KEYS=2026-11:BASE64,2026-05:BASE64`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const encryptedConfig: Effect.Effect<SessionCodec, ConfigError.ConfigError> = Effect.flatMap(
  Setting.environment.require(EncryptionKeys.settingKey),
  (setting) => Effect.map(EncryptionKeys.fromText(setting), encryptedWith)
)

/**
 * Encrypts if `NOMBA_TOKEN_STORE_KEYS` is set, otherwise plaintext: the default of the stores' `layerConfig`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const config: Effect.Effect<SessionCodec, ConfigError.ConfigError> = Effect.flatMap(
  Setting.environment.find(EncryptionKeys.settingKey),
  Option.match({
    onNone: () => Effect.succeed(plain),
    onSome: (setting) => Effect.map(EncryptionKeys.fromText(setting), encryptedWith)
  })
)

/**
 * The codec that a store's layer was given.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromInput = (input: Input): Effect.Effect<SessionCodec, ConfigError.ConfigError> =>
  Effect.isEffect(input) ? input : Effect.succeed(input)

const FORMAT = "nomba-auth/1"
const PLAIN = "plain"
const AES = "aes-256-gcm"

const toJson = (content: StoredContent): Effect.Effect<string, Unavailable> =>
  Effect.mapError(Session.encodeStored(content), () => notOurs("The session cannot be written as text."))

const fromJson = (text: string): Effect.Effect<StoredContent, Unavailable> =>
  Either.match(Session.decodeStored(text), {
    onLeft: (problem) => (problem === "LaterFormat" ? anotherVersion : damaged),
    onRight: (content) => Effect.succeed(content)
  })

const shape = /^nomba-auth\/(?<format>[1-9]\d{0,5}) (?<algorithm>[a-z\d-]{1,32}) (?<rest>.+)$/s

const parse = (text: string): Effect.Effect<{ readonly algorithm: string; readonly rest: string }, Unavailable> => {
  const { algorithm, format, rest } = shape.exec(text)?.groups ?? {}
  if (algorithm === undefined || rest === undefined) return damaged
  return format === "1" ? Effect.succeed({ algorithm, rest }) : anotherVersion
}

const encryptedShape = /^(?<id>[\w.-]{1,32}) (?<check>[\da-f]{8}) (?<base64>[A-Za-z\d+/]+={0,2})$/

interface Encrypted {
  readonly id: string
  readonly check: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Damage in any part is reported as damage, with and without the key. */
const parseEncrypted = (algorithm: string, text: string): Effect.Effect<Encrypted, Unavailable> => {
  const { base64, check, id } = (algorithm === AES ? encryptedShape.exec(text) : null)?.groups ?? {}
  if (id === undefined || check === undefined || base64 === undefined) return damaged
  return Option.match(EncryptionKeys.fromBase64(base64), {
    onNone: () => damaged,
    onSome: (bytes) => Effect.succeed({ id, check, bytes })
  })
}

const encryptedWith = ({ all, writing }: EncryptionKeys.EncryptionKeys): SessionCodec => {
  const ids = Array.from(all.keys(), (id) => `"${id}"`).join(", ")

  /** The key that wrote a text. The check tells another key by the same id from damage, which the ciphertext cannot. */
  const keyOf = ({ check, id }: Encrypted): Effect.Effect<EncryptionKeys.UsableKey, Unavailable> => {
    const key = all.get(id)
    if (key !== undefined) return Effect.succeed(key)
    if (Array.from(all.values()).some((_) => _.check === check)) return damaged
    return notOurs(`It is encrypted with the key "${id}", and this program has ${ids}.`)
  }

  const decrypt = Effect.fnUntraced(function* (place: TextPlace, encrypted: Encrypted) {
    const { bytes, check, id } = encrypted
    const own = yield* keyOf(encrypted)
    const plaintext = yield* Effect.tryPromise({
      try: () =>
        globalThis.crypto.subtle.decrypt(
          { name: "AES-GCM", iv: bytes.subarray(0, NONCE_BYTES), additionalData: authenticated(id, place) },
          own.key,
          bytes.subarray(NONCE_BYTES)
        ),
      catch: () => (own.check === check ? damaged : anotherKey(id))
    })
    return check === own.check ? new TextDecoder().decode(plaintext) : yield* damaged
  })

  return {
    encode: Effect.fnUntraced(function* (place, content) {
      const json = yield* toJson(content)
      const { check, id, key } = writing
      const nonce = globalThis.crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
      const ciphertext = yield* Effect.tryPromise({
        try: () =>
          globalThis.crypto.subtle.encrypt(
            { name: "AES-GCM", iv: nonce, additionalData: authenticated(id, place) },
            key,
            utf8(json)
          ),
        catch: () => notOurs(`The session could not be encrypted with the key "${id}".`)
      })
      return [FORMAT, AES, id, check, EncryptionKeys.toBase64(nonce, new Uint8Array(ciphertext))].join(" ")
    }),
    decode: Effect.fnUntraced(function* (place, text) {
      const { algorithm, rest } = yield* parse(text)
      if (algorithm === PLAIN) return yield* notOurs("It is not encrypted, and this program requires encryption.")
      const encrypted = yield* parseEncrypted(algorithm, rest)
      return yield* fromJson(yield* decrypt(place, encrypted))
    })
  }
}

/** What a text is bound to. No word but the last can contain a space. */
const authenticated = (id: string, { key, version }: TextPlace): Uint8Array<ArrayBuffer> =>
  utf8([FORMAT, AES, id, version, key].join(" "))

const anotherKey = (id: string): Unavailable =>
  notOurs(`It is encrypted with another key by the id "${id}": give each key an id of its own.`)

/** NIST SP 800-38D, section 8.2: 96 bits. A random one is good for 2^32 texts of a key (section 8.3). */
const NONCE_BYTES = 12

const encoder = new TextEncoder()

const utf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text)
