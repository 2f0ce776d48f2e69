/**
 * Text from outside made fit for an error message: one line, bounded, and without the secrets of the exchange.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** The longest text, in UTF-16 code units, that an error's `message` may have. */
export const MESSAGE_LIMIT = 499

/** A longer text is not an explanation, and is not worth searching for secrets. */
const SEARCH_LIMIT = 8 * 1024

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
    .replace(/[\r\n\t\u2028\u2029]+/g, " ")
    .replace(oddCharacters, "")
    .trim()
  return line.length <= limit ? line : `${line.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…`
}

/**
 * Masks the given secrets, and whatever looks like a JWT, in a text that a server sent: servers do echo what they were
 * sent. A secret is found however it is spelled: some or all of its characters escaped for JSON, a URL or HTML, once or
 * repeatedly, in another case, with white space or control characters in between.
 *
 * @since 0.1.0
 */
export const withoutSecrets = (
  text: string,
  secrets: ReadonlyArray<Redacted.Redacted<string>>,
  limit: number = MESSAGE_LIMIT
): string =>
  text.length > SEARCH_LIMIT
    ? `(${text.length} characters)`
    : oneLine(oneLine(masked(text, secrets), SEARCH_LIMIT).replace(jwtLike, MASK), limit)

const reveal = Option.liftThrowable((secret: Redacted.Redacted<string>) => Redacted.value(secret))

/** The letters of a secret as it is, with its escapes and without, and of how JSON and forms spell it. */
const needles = (secret: string): ReadonlyArray<string> => {
  if (secret.length > SEARCH_LIMIT) return []
  if (hasNoSpelling.test(secret)) return [secret.toLowerCase()]
  const variants = [secret, JSON.stringify(secret).slice(1, -1), secret.replaceAll(" ", "+")]
  return [lettersOf(secret), ...variants.map((variant) => spellOut(variant).letters)].filter(
    (letters) => letters !== ""
  )
}

const masked = (text: string, secrets: ReadonlyArray<Redacted.Redacted<string>>): string => {
  const plain = spellOut(text)
  const covered = new Uint8Array(text.length)
  for (const letters of secrets.flatMap((secret) => Option.toArray(reveal(secret)).flatMap(needles))) {
    for (let at = plain.letters.indexOf(letters); at >= 0; at = plain.letters.indexOf(letters, at + 1)) {
      covered.fill(1, plain.starts[at], plain.ends[at + letters.length - 1])
    }
  }
  let result = ""
  for (let at = 0; at < text.length; at++) {
    if (covered[at] === 0) result += text[at]
    else if (at === 0 || covered[at - 1] === 0) result += MASK
  }
  return result
}

interface Plain {
  /** The text's UTF-8 bytes, one character each, in lower case, without escapes, white space and control characters. */
  readonly letters: string
  /** Where each letter's spelling starts and ends in the text. */
  readonly starts: ReadonlyArray<number>
  readonly ends: ReadonlyArray<number>
}

const spellings =
  /(?<json>(?:\\+u[\da-f]{4})+)|%(?:25)*(?<url>[\da-f]{2})|&(?:amp;)*(?:#x(?<hex>[\da-f]{1,6})|#(?<decimal>\d{1,7})|(?<entity>amp|lt|gt|quot|apos));|(?<itself>.)/gisu

/** Visible ASCII without what escapes are made of: such a text is its own letters. */
const hasNoSpelling = /^[!-$'-[\]-~]+$/

/** Of a text, what nobody sees; of its bytes, what escaping adds or line breaking inserts. */
const invisible = /[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
const silent = /[\\\s\p{Cc}]/gu

const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }

const codeUnit = (hex: string): string => String.fromCharCode(Number.parseInt(hex, 16))

const codePoint = (value: number): string => (value <= 0x10ffff ? String.fromCodePoint(value) : "")

const lettersOf = (text: string): string =>
  Array.from(new TextEncoder().encode(text.replace(invisible, "")), (byte) => String.fromCharCode(byte))
    .join("")
    .replace(silent, "")
    .toLowerCase()

const undone = ({ decimal, entity, hex, itself, json, url }: Record<string, string | undefined>): string => {
  if (itself !== undefined) return lettersOf(itself)
  if (url !== undefined) return codeUnit(url).replace(silent, "").toLowerCase()
  if (entity !== undefined) return entities[entity.toLowerCase()] ?? ""
  if (json !== undefined) return lettersOf(json.replace(/\\+u(.{4})/g, (_, code) => codeUnit(code)))
  return lettersOf(codePoint(decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal)))
}

const spellOut = (text: string): Plain => {
  const starts: Array<number> = []
  const ends: Array<number> = []
  let letters = ""
  for (const match of text.matchAll(spellings)) {
    for (const letter of undone(match.groups ?? {})) {
      letters += letter
      starts.push(match.index)
      ends.push(match.index + match[0].length)
    }
  }
  return { letters, starts, ends }
}
