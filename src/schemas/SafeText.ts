/**
 * Text from outside made fit for an error message: one line, bounded, and without the secrets of the exchange.
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"

/** The longest text, in UTF-16 code units, that an error's `message` may have. */
export const MESSAGE_LIMIT = 499

const MASK = "***"

/** Three base64url parts that begin like a JSON header: an access token, wherever it was quoted from. */
const jwtLike = /eyJ[\w-]+(?:\.[\w-]*){1,2}/g

const oddCharacters = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/**
 * One line of at most `limit` code units: line breaks and tabs become spaces, other control characters, invisible
 * formatting and lone surrogates are removed.
 *
 * @since 0.1.0
 */
export const oneLine = (text: string, limit: number = MESSAGE_LIMIT): string => {
  const line = text
    .slice(0, 64 * 1024)
    .replace(/[\r\n\t\u2028\u2029]+/g, " ")
    .replace(oddCharacters, "")
    .trim()
  return line.length <= limit ? line : `${line.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…`
}

const spellings = (secret: string): ReadonlyArray<string> => {
  const quoted = JSON.stringify(secret).slice(1, -1)
  return [secret, quoted, quoted.replaceAll("/", "\\/"), encodeURIComponent(secret)]
}

/**
 * Masks every spelling of the given secrets, and whatever looks like a JWT, in a text that a server sent: servers do
 * echo what they were sent. Control characters go first, so that none can hide a secret from the comparison.
 *
 * @since 0.1.0
 */
export const withoutSecrets = (
  text: string,
  secrets: ReadonlyArray<Redacted.Redacted<string>>,
  limit: number = MESSAGE_LIMIT
): string => {
  let line = oneLine(text, 64 * 1024)
  for (const secret of secrets) {
    const value = oneLine(Redacted.value(secret), 64 * 1024)
    if (value === "") continue
    for (const spelling of spellings(value)) line = line.replaceAll(spelling, MASK)
  }
  return oneLine(line.replace(jwtLike, MASK), limit)
}
