/**
 * Which texts can be sent byte for byte, and how text from outside is made fit for an error message: one line, bounded, and
 * without the secrets of the request.
 */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/**
 * Whether a token can travel in an `Authorization` header: visible ASCII only (RFC 9110 section 5.5; RFC 6750 section
 * 2.1 allows less). For any other character, `fetch` throws an error that quotes the token.
 */
export const isHeaderSafe = (token: string): boolean => /^[\x21-\x7e]+$/.test(token)

/** What is wrong with a text that is used byte for byte. */
export const problemOf = (value: string): string | undefined => {
  if (value.trim() === "") return "is empty"
  if (value.trim() !== value) return "has white space around it"
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(value)) return "has control or invisible characters"
  if (/^(["'`]).*\1$/.test(value)) return "has quotation marks around it"
  return placeholders.some((placeholder) => placeholder.test(value))
    ? "is a placeholder: put the real value there"
    : undefined
}

/** What examples, templates and failed substitutions leave behind. */
const placeholders = [
  /^(.)\1{2,}$/,
  /^[x0*._…-]+$/i,
  /^<.*>$/,
  /^\[.*\]$/,
  /^\{.*\}$/,
  /^\$\{?\w*\}?$/,
  /^\$\(.*\)$/,
  /^%\w+%$/,
  /^(?:undefined|null|none|nil|nan|true|false|todo|tbd|fixme|placeholder|example|sample|dummy|secret|password)$/i,
  /^(?:change|replace|insert|enter|paste|put|your)[ _-]/i,
  /[ _-]here$/i,
  /^(?:changeme|changeit|replaceme)$/i,
  /^(?:your|my|the)?[ _-]?(?:nomba|client|account|private|secret|api|parent)[ _-]?(?:account[ _-]?|client[ _-]?)?(?:id|secret|key)$/i
]

/** The longest text, in UTF-16 code units, that an error's `message` may have. */
export const MESSAGE_LIMIT = 499

/** The longest secret, in UTF-16 code units, that is masked whole. */
export const SECRET_LIMIT = 16 * 1024

/** How much of a text is searched for secrets; no more of it is shown. */
const SEARCH_LIMIT = 1024

/** This many letters of a secret in a row give it away: servers quote the beginning, the end or the middle. */
const RUN = 8

/** What is left, at most, of a secret and of an escape if a text was cut through both. */
const REMNANT = 2 * RUN

const MASK = "***"

/** Base64url that begins like a JSON header: with further parts it is an access token, wherever it was quoted from. */
const jwtLike = /eyJ[\w-]+((?:\.[\w-]*){0,2})/g

const oddCharacters = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/**
 * One line of at most `limit` code units: line breaks and tabs become spaces, other control characters, invisible
 * formatting and lone surrogates are removed.
 */
export const oneLine = (text: string, limit: number = MESSAGE_LIMIT): string => {
  const line = text
    .replace(/[\r\n\t\u2028\u2029]+/g, " ")
    .replace(oddCharacters, "")
    .trim()
  return line.length <= limit ? line : `${line.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…`
}

/**
 * Masks the given secrets, and whatever looks like a JWT, in texts that a server sent: servers echo what they receive, whole
 * or in part. Eight characters of a secret in a row are found (a shorter secret whole), in whatever form: escaped for
 * JSON, a URL or HTML, once or repeatedly, in another case, with white space or control characters in between, reversed,
 * in base64 (either alphabet, any alignment) or in hex, or in two of these around each other, with escapes inside of each.
 * The work is linear in the secrets and bounded for each text.
 */
export const masking = (
  secrets: ReadonlyArray<Redacted.Redacted<string>>
): ((text: string, limit?: number) => string) => {
  const pieces = piecesOf(secrets.flatMap((secret) => Option.toArray(reveal(secret)).flatMap(needles)))
  return (text, limit = MESSAGE_LIMIT) =>
    oneLine(
      oneLine(masked(text, pieces), SEARCH_LIMIT).replace(jwtLike, (like, rest) => (rest === "" ? like : MASK)),
      limit
    )
}

/** The same for a single text. */
export const withoutSecrets = (
  text: string,
  secrets: ReadonlyArray<Redacted.Redacted<string>>,
  limit: number = MESSAGE_LIMIT
): string => masking(secrets)(text, limit)

const reveal = Option.liftThrowable((secret: Redacted.Redacted<string>) =>
  Redacted.value(secret).slice(0, SECRET_LIMIT)
)

/** The letters of a secret as it is, with and without its escapes, and as JSON and forms spell it. */
const needles = (secret: string): ReadonlyArray<string> => {
  if (hasNoSpelling.test(secret)) return [secret.toLowerCase()]
  const variants = new Set([secret, JSON.stringify(secret).slice(1, -1), secret.replaceAll(" ", "+")])
  return [lettersOf(secret), ...Array.from(variants, (variant) => spellOut(variant).letters)]
    .filter((letters) => letters !== "")
    .map((letters) => letters.toLowerCase())
}

/** Every run of letters that gives a secret away, and how long such runs are. */
interface Pieces {
  readonly texts: ReadonlySet<string>
  readonly lengths: ReadonlySet<number>
}

const piecesOf = (needles: ReadonlyArray<string>): Pieces => {
  const texts = new Set<string>()
  const lengths = new Set<number>()
  for (const letters of needles) {
    lengths.add(Math.min(RUN, letters.length))
    for (let at = 0; at === 0 || at + RUN <= letters.length; at++) texts.add(letters.slice(at, at + RUN))
  }
  return { texts, lengths }
}

type Found = (start: number, end: number) => void

const find = (letters: string, { lengths, texts }: Pieces, found: Found): void => {
  for (const length of lengths) {
    for (let at = 0; at + length <= letters.length; at++) {
      if (texts.has(letters.slice(at, at + length))) found(at, at + length)
    }
  }
}

/** How many encodings around each other are undone. */
const DEPTH = 2

/** A shorter secret would be found by chance in ordinary words, read as base64. */
const SHORTEST_ENCODED = 4

const findAll = (letters: string, pieces: Pieces, depth: number, found: Found): void => {
  const lowerCase = letters.toLowerCase()
  const mirrored: Found = (start, end) => found(letters.length - end, letters.length - start)
  find(lowerCase, pieces, found)
  find(reversed(lowerCase), pieces, mirrored)
  if (depth > 0) findEncoded(letters, pieces, depth, found)
  if (depth > 1) findEncoded(reversed(letters), pieces, depth - 1, mirrored)
}

const reversed = (letters: string): string => [...letters].reverse().join("")

const findEncoded = (letters: string, pieces: Pieces, depth: number, found: Found): void => {
  const lengths = new Set([...pieces.lengths].filter((length) => length >= SHORTEST_ENCODED))
  const shortest = Math.min(...lengths)
  for (const { alignments, bits, decode, runs } of encodings) {
    for (const { 0: run, index } of letters.matchAll(runs)) {
      if (run.length * bits < shortest * 8) continue
      for (let skipped = 0; skipped < alignments; skipped++) {
        const decoded = spellOut(decode(run.slice(skipped)), (byte) => byte.replace(silent, ""))
        findAll(decoded.letters, { ...pieces, lengths }, depth - 1, (start, end) => {
          const at = index + skipped
          const [first = 0, last = 0] = [decoded.starts[start], decoded.ends[end - 1]]
          found(at + Math.floor((first * 8) / bits), Math.min(at + Math.ceil((last * 8) / bits), index + run.length))
        })
      }
    }
  }
}

const fromHex = (digits: string): string => (digits.match(/../g) ?? []).map(codeUnit).join("")

const fromBase64 = (digits: string): string =>
  // A last digit on its own carries no whole byte, and `atob` refuses it.
  atob(
    digits
      .slice(0, digits.length % 4 === 1 ? -1 : undefined)
      .replaceAll("-", "+")
      .replaceAll("_", "/")
  )

const encodings = [
  { runs: /[\da-f]{8,}/gi, alignments: 2, bits: 4, decode: fromHex },
  { runs: /[\w+/-]{6,}/g, alignments: 4, bits: 6, decode: fromBase64 }
]

const masked = (whole: string, pieces: Pieces): string => {
  const text = whole.slice(0, SEARCH_LIMIT)
  const { ends, letters, starts } = spellOut(text)
  const covered = new Uint8Array(text.length)
  const cover: Found = (start, end) => void covered.fill(1, starts[start], ends[end - 1])
  findAll(letters, pieces, DEPTH, cover)
  const isCut = text.length < whole.length
  const shown = isCut ? (starts.at(-REMNANT) ?? 0) : text.length
  let result = ""
  for (let at = 0; at < shown; at++) {
    if (covered[at] === 0) result += text[at]
    else if (at === 0 || covered[at - 1] === 0) result += MASK
  }
  return isCut ? `${result}…` : result
}

interface Plain {
  /** The text's UTF-8 bytes, one character each, without escapes, white space and control characters. */
  readonly letters: string
  /** Where each letter's spelling starts and ends in the text. */
  readonly starts: ReadonlyArray<number>
  readonly ends: ReadonlyArray<number>
}

const spellings =
  /(?<json>(?:\\+u[\da-f]{4})+)|(?:%(?:25)*|\\+x)(?<url>[\da-f]{2})|\\+|&(?:amp;)*(?:#x(?<hex>[\da-f]{1,6})|#(?<decimal>\d{1,7})|(?<entity>amp|lt|gt|quot|apos));|(?<itself>.)/gisu

/** Visible ASCII without what escapes are made of: such a text is its own letters. */
const hasNoSpelling = /^[!-$'-[\]-~]+$/

/** Visible ASCII but for the backslash. */
const isItsOwnLetters = /^[!-[\]-~]$/

/** Invisible characters and white space of a text; of its bytes, what escaping adds or line breaking inserts. */
const invisible = /[\p{Cf}\p{Cs}\p{Z}]/gu
const silent = /[\\\s\p{Cc}]/gu

const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }

const codeUnit = (hex: string): string => String.fromCharCode(Number.parseInt(hex, 16))

const codePoint = (value: number): string => (value <= 0x10ffff ? String.fromCodePoint(value) : "")

const lettersOf = (text: string): string => (isItsOwnLetters.test(text) ? text : bytesOf(text).replace(silent, ""))

const utf8 = new TextEncoder()

const bytesOf = (text: string): string =>
  Array.from(utf8.encode(text.replace(invisible, "")), (byte) => String.fromCharCode(byte)).join("")

const undone = (
  { decimal, entity, hex, itself, json, url }: Record<string, string | undefined>,
  lettersOfItself: (character: string) => string
): string => {
  if (itself !== undefined) return lettersOfItself(itself)
  if (url !== undefined) return codeUnit(url).replace(silent, "")
  if (entity !== undefined) return entities[entity.toLowerCase()] ?? ""
  if (json !== undefined) return lettersOf(json.replace(/\\+u(.{4})/g, (_, code) => codeUnit(code)))
  if (hex !== undefined) return lettersOf(codePoint(Number.parseInt(hex, 16)))
  if (decimal !== undefined) return lettersOf(codePoint(Number(decimal)))
  return ""
}

/** `lettersOfItself`: what a character that is no escape stands for. */
const spellOut = (text: string, lettersOfItself: (character: string) => string = lettersOf): Plain => {
  const starts: Array<number> = []
  const ends: Array<number> = []
  let letters = ""
  for (const match of text.matchAll(spellings)) {
    for (const letter of undone(match.groups ?? {}, lettersOfItself)) {
      letters += letter
      starts.push(match.index)
      ends.push(match.index + match[0].length)
    }
  }
  return { letters, starts, ends }
}
