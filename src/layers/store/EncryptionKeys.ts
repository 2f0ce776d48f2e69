/**
 * The keys that sessions are encrypted with, from the code or the environment. A problem names the id of a key, or its
 * position if it has no id, and never shows a part of the key.
 */
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Setting from "../config/Setting.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface EncryptionKey {
  readonly id: string
  readonly key: Redacted.Redacted<string>
}

export interface UsableKey {
  readonly id: string
  readonly key: CryptoKey
  /** Eight hex digits of a hash of the key: they tell two keys with one id apart, and nothing about either. */
  readonly check: string
}

export interface EncryptionKeys {
  readonly writing: UsableKey
  readonly all: ReadonlyMap<string, UsableKey>
}

export const settingKey: Setting.SettingKey = {
  option: "codec",
  given: undefined,
  variables: ["NOMBA_TOKEN_STORE_KEYS"]
}

/** From `id:base64,id2:base64`. */
export const fromText = (setting: Setting.Setting<unknown>): Effect.Effect<EncryptionKeys, ConfigError.ConfigError> =>
  Effect.flatMap(Setting.text(setting), ({ origin, value }) => fromOptions(origin, value.split(",").map(parse)))

const parse = (pair: string): EncryptionKey => {
  const colon = pair.indexOf(":")
  return { id: pair.slice(0, Math.max(0, colon)).trim(), key: Redacted.make(pair.slice(colon + 1).trim()) }
}

/** From options, which untyped code may have got wrong. */
export const fromOptions = (
  origin: string,
  keys: ReadonlyArray<EncryptionKey>
): Effect.Effect<EncryptionKeys, ConfigError.ConfigError> =>
  Effect.gen(function* () {
    const all = new Map<string, UsableKey>()
    if (!Array.isArray(keys)) return yield* Setting.invalid(origin, "is not a list of keys")
    for (const [at, given] of keys.entries()) {
      const id: unknown = Predicate.isRecord(given) ? given["id"] : undefined
      if (typeof id !== "string" || !isId.test(id)) {
        return yield* Setting.invalid(
          origin,
          `key ${at + 1} has no id of up to 32 letters, digits, dots, dashes and underscores`
        )
      }
      if (all.has(id)) return yield* Setting.invalid(origin, `two keys have the id "${id}"`)
      const bytes = yield* bytesOf(origin, id, given.key)
      all.set(id, { id, ...(yield* importKey(origin, bytes)) })
    }
    for (const writing of all.values()) return { writing, all }
    return yield* Setting.invalid(origin, "has no key")
  })

/** Shorter than a key, which could be given here by mistake. */
const isId = /^[\w.-]{1,32}$/

const KEY_BYTES = 32

const bytesOf = (
  origin: string,
  id: string,
  given: unknown
): Effect.Effect<Uint8Array<ArrayBuffer>, ConfigError.ConfigError> => {
  const wrong = (problem: string) => Setting.invalid(origin, `the key "${id}" ${problem}`)
  if (!Redacted.isRedacted(given)) return wrong("is not redacted, and so would be printed: wrap it in Redacted.make")
  const text = Option.getOrUndefined(Setting.reveal(given))
  if (typeof text !== "string") return wrong("is not a string")
  return Option.match(fromBase64(text), {
    onNone: () => wrong("is not base64"),
    onSome: (bytes) =>
      bytes.length === KEY_BYTES
        ? Effect.succeed(bytes)
        : wrong(`has ${bytes.length} bytes and not ${KEY_BYTES}: make one with openssl rand -base64 32`)
  })
}

const importKey = (
  origin: string,
  bytes: Uint8Array<ArrayBuffer>
): Effect.Effect<Omit<UsableKey, "id">, ConfigError.ConfigError> =>
  Effect.tryPromise({
    try: async () => {
      const { subtle } = globalThis.crypto
      const hash = await subtle.digest("SHA-256", Uint8Array.from([...CHECKED, ...bytes]))
      return {
        key: await subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]),
        check: Encoding.encodeHex(new Uint8Array(hash).subarray(0, 4))
      }
    },
    catch: () => ConfigError.Unsupported([origin], "needs WebCrypto, which a browser has in a secure context only")
  })

const CHECKED = new TextEncoder().encode("nomba-auth key check ")

export const toBase64 = (...parts: ReadonlyArray<Uint8Array>): string =>
  Encoding.encodeBase64(Uint8Array.from(parts.flatMap((part) => [...part])))

/** None unless the bytes encode to the same text: other decoders ignore the last bits. */
export const fromBase64 = (text: string): Option.Option<Uint8Array<ArrayBuffer>> =>
  Option.filter(
    Option.map(Option.getRight(Encoding.decodeBase64(text)), (bytes) => Uint8Array.from(bytes)),
    (bytes) => Encoding.encodeBase64(bytes) === text
  )
