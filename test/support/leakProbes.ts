/** What a server can send back of what it was sent. */
import { clientSecret } from "./config.js"
import { type Operation, presented } from "./operations.js"

/** What the server knows during an exchange: it cannot echo anything else, and nothing else could be recognised. */
export const known: Record<Operation, ReadonlyArray<string>> = {
  issue: [clientSecret],
  refresh: [clientSecret, presented.refreshToken, presented.accessToken],
  revoke: [clientSecret, presented.accessToken, presented.bearer],
  exchange: [clientSecret, presented.code, presented.verifier]
}

const each = (spell: (character: string) => string) => (secret: string) => [...secret].map(spell).join("")
const base64 = (text: string, encoding: "base64" | "base64url" | "hex"): string => Buffer.from(text).toString(encoding)
const hex = (character: string, digits: number) => character.charCodeAt(0).toString(16).padStart(digits, "0")

/** The ways in which a server may escape what it echoes. */
const escapes: ReadonlyArray<readonly [string, (secret: string) => string]> = [
  ["as it is", (secret) => secret],
  ["for JSON", (secret) => JSON.stringify(secret).replaceAll("/", "\\/")],
  ["for JSON, twice", (secret) => JSON.stringify(JSON.stringify(secret))],
  ["in JSON's numbers", each((character) => `\\u${hex(character, 4)}`)],
  ["for a URL", encodeURIComponent],
  ["for a URL, twice, in lower case", (secret) => encodeURIComponent(encodeURIComponent(secret)).toLowerCase()],
  ["in a URL's numbers", each((character) => `%${hex(character, 2)}`)],
  ["in HTML's numbers", each((character) => `&#${character.charCodeAt(0)};`)],
  ["split by null characters", each((character) => `${character}\u0000`)],
  ["split by line breaks", each((character) => `${character}\r\n`)],
  ["split by invisible characters", each((character) => `${character}\u200b`)],
  ["in capitals", (secret) => secret.toUpperCase()]
]

/** The ways in which a server may spell what it echoes. */
export const spellings: typeof escapes = [
  ...escapes,
  ["in base64", (secret) => base64(secret, "base64")],
  ["in base64, one byte on", (secret) => base64(`a${secret}`, "base64")],
  ["in base64, two bytes on", (secret) => base64(`ab${secret}c`, "base64")],
  ["in base64 for URLs", (secret) => base64(secret, "base64url")],
  ["in base64 for URLs, one byte on", (secret) => base64(`a${secret}b`, "base64url")],
  ["in base64, for a URL", (secret) => encodeURIComponent(base64(secret, "base64"))],
  ["in base64 of JSON", (secret) => base64(JSON.stringify({ secret }), "base64")],
  ["in hex", (secret) => base64(secret, "hex")],
  ["in hex, in capitals", (secret) => base64(secret, "hex").toUpperCase()],
  ["reversed", (secret) => [...secret].reverse().join("")]
]
