/**
 * How a session becomes the text that a shared store keeps: in clear, or encrypted.
 *
 * The text is one line of three or four words: the format and its version, the algorithm, and what the algorithm needs.
 *
 * ```text
 * nomba-session-1 plain {"accessToken":"…",…}
 * nomba-session-1 aes-256-gcm <id of the key> <base64 of the nonce, the ciphertext and the tag>
 * ```
 *
 * A codec is a value of the store's layer. It is not a service that could be provided beside it: forgotten, or provided
 * in the wrong place, that would leave the tokens in clear without a word.
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Unavailable } from "../schemas/AuthError.js"
import { Session } from "../schemas/Session.js"
import type { StoreKey } from "../schemas/StoreKey.js"
import * as Setting from "./config/Setting.js"
import * as EncryptionKeys from "./store/EncryptionKeys.js"
import { anotherVersion, damaged, notOurs } from "./store/refusals.js"

/**
 * Makes text of sessions, and sessions of text. The text belongs to the key that it was made for.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionCodec {
  /** Fails with `Unavailable` (`StoreCodec`) when the session cannot be written. */
  readonly encode: (key: StoreKey, session: Session) => Effect.Effect<string, Unavailable>
  /**
   * Fails with `Unavailable`: `StoreUnreadable` when the text is damaged, so that nobody can read it; `StoreCodec` when it
   * is a program with another codec, other keys or another version that can, or when it was tampered with.
   */
  readonly decode: (key: StoreKey, text: string) => Effect.Effect<Session, Unavailable>
}

/**
 * What a store's layer takes as `codec`: a codec, or the effect that makes one.
 *
 * @since 0.1.0
 * @category models
 */
export type Input = SessionCodec | Effect.Effect<SessionCodec, ConfigError.ConfigError>

/**
 * One key of AES-256: 32 random bytes in base64, as `openssl rand -base64 32` prints them. The `id` is written beside what
 * it encrypts and named in errors: up to 32 letters, digits, dots, dashes and underscores, for instance a date.
 *
 * @since 0.1.0
 * @category models
 */
export type EncryptionKey = EncryptionKeys.EncryptionKey

/**
 * Sessions in clear, for a store that nobody else can read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const plain: SessionCodec = {
  encode: (_, session) => Effect.map(toJson(session), (json) => [FORMAT, PLAIN, json].join(" ")),
  decode: (_, text) =>
    Effect.flatMap(algorithmOf(text), ({ algorithm, rest }): Effect.Effect<Session, Unavailable> => {
      if (algorithm === PLAIN) return fromJson(rest)
      return algorithm === AES ? notOurs(`It is encrypted ${withKey(rest)}, and this program has no keys.`) : damaged
    })
}

/**
 * Sessions encrypted with AES-256-GCM. The first key encrypts, and all of them decrypt, so that a key is replaced in
 * three steps: add the new one behind the old, everywhere; put it first, everywhere; remove the old one.
 *
 * The id of the encryption key and the store's key are authenticated with the session: what is moved to another place, or
 * changed by a single bit, is refused. Fails with a `ConfigError` that names the id of the key and what is wrong with it.
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
 * The same, with the keys from the environment: `NOMBA_TOKEN_STORE_KEYS=2026-11:BASE64,2026-05:BASE64`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const encryptedConfig: Effect.Effect<SessionCodec, ConfigError.ConfigError> = Effect.flatMap(
  Setting.environment.require(EncryptionKeys.place),
  (setting) => Effect.map(EncryptionKeys.fromText(setting), encryptedWith)
)

/**
 * Encrypted where `NOMBA_TOKEN_STORE_KEYS` is set, else in clear: what the stores' `layerConfig` does unless it is told.
 *
 * @since 0.1.0
 * @category constructors
 */
export const config: Effect.Effect<SessionCodec, ConfigError.ConfigError> = Effect.flatMap(
  Setting.environment.find(EncryptionKeys.place),
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

const FORMAT = "nomba-session-1"
const PLAIN = "plain"
const AES = "aes-256-gcm"

const json = Schema.parseJson(Session)

const toJson = (session: Session): Effect.Effect<string, Unavailable> =>
  Effect.mapError(Schema.encode(json)(session), () => notOurs("The session cannot be written as text."))

const fromJson = (text: string): Effect.Effect<Session, Unavailable> =>
  Effect.mapError(Schema.decode(json)(text), () => damaged)

const shape = /^nomba-session-(?<version>\d{1,6}) (?<algorithm>[a-z\d-]{1,32}) (?<rest>.+)$/s

const algorithmOf = (
  text: string
): Effect.Effect<{ readonly algorithm: string; readonly rest: string }, Unavailable> => {
  const { algorithm, rest, version } = shape.exec(text)?.groups ?? {}
  if (algorithm === undefined || rest === undefined) return damaged
  return version === "1" ? Effect.succeed({ algorithm, rest }) : anotherVersion
}

const sealed = /^(?<id>[\w.-]{1,32}) (?<base64>[A-Za-z\d+/]+={0,2})$/

const withKey = (rest: string): string => {
  const id = sealed.exec(rest)?.groups?.["id"]
  return id === undefined ? "with a key" : `with the key "${id}"`
}

const encryptedWith = (keys: EncryptionKeys.EncryptionKeys): SessionCodec => {
  /** What a text is bound to. No word of it but the last can have a space in it. */
  const bound = (id: string, key: StoreKey): Uint8Array<ArrayBuffer> => utf8([FORMAT, AES, id, key].join(" "))
  const ids = Array.from(keys.all.keys(), (id) => `"${id}"`).join(", ")

  const open = (key: StoreKey, rest: string): Effect.Effect<Session, Unavailable> => {
    const { base64 = "", id = "" } = sealed.exec(rest)?.groups ?? {}
    const bytes = EncryptionKeys.fromBase64(base64)
    if (Option.isNone(bytes)) return damaged
    const own = keys.all.get(id)
    if (own === undefined) return notOurs(`It is encrypted with the key "${id}", and this program has ${ids}.`)
    return Effect.tryPromise({
      try: () =>
        globalThis.crypto.subtle.decrypt(
          { name: "AES-GCM", iv: bytes.value.subarray(0, NONCE_BYTES), additionalData: bound(id, key) },
          own,
          bytes.value.subarray(NONCE_BYTES)
        ),
      catch: () =>
        notOurs(`It does not open with the key "${id}": that id is another key elsewhere, or the entry was changed.`)
    }).pipe(Effect.flatMap((clear) => fromJson(new TextDecoder().decode(clear))))
  }

  return {
    encode: (key, session) =>
      Effect.gen(function* () {
        const clear = yield* toJson(session)
        const { id, key: own } = keys.writing
        const nonce = globalThis.crypto.getRandomValues(new Uint8Array(NONCE_BYTES))
        const cipher = yield* Effect.tryPromise({
          try: () =>
            globalThis.crypto.subtle.encrypt(
              { name: "AES-GCM", iv: nonce, additionalData: bound(id, key) },
              own,
              utf8(clear)
            ),
          catch: () => notOurs(`The session could not be encrypted with the key "${id}".`)
        })
        return [FORMAT, AES, id, EncryptionKeys.toBase64(nonce, new Uint8Array(cipher))].join(" ")
      }),
    decode: (key, text) =>
      Effect.flatMap(algorithmOf(text), ({ algorithm, rest }): Effect.Effect<Session, Unavailable> => {
        if (algorithm === AES) return open(key, rest)
        return algorithm === PLAIN ? notOurs("It is not encrypted, and this program wants it to be.") : damaged
      })
  }
}

/** NIST SP 800-38D, section 8.2: 96 bits. A random one is good for 2^32 texts of a key (section 8.3). */
const NONCE_BYTES = 12

const encoder = new TextEncoder()

const utf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text)
