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
const hex = (character: string, digits: number) => character.charCodeAt(0).toString(16).padStart(digits, "0")

/** The ways in which a server may spell what it echoes. */
export const spellings: ReadonlyArray<readonly [string, (secret: string) => string]> = [
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
