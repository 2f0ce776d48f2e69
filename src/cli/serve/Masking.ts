/** Keeps the access token out of responses: servers echo what they receive. */
import * as Redacted from "effect/Redacted"

/** The longest piece of a token that is masked on its own. An echo that is cut off shows less than one at each end. */
const PIECE = 16

const STAR = 0x2a

/**
 * The part of a token without which the rest is useless: the signature of a JWT (RFC 7519 section 3), otherwise all of it.
 * Its beginning is the same in many tokens, also in those that a response may contain.
 */
const secretPart = (token: string): string => {
  const [, signature] = /^eyJ[\w-]+\.[\w-]+\.([\w-]{16,})$/.exec(token) ?? []
  return signature ?? token
}

/** Consecutive pieces of about the same length. They must not overlap: a chunk may end within one of them. */
const piecesOf = (text: string): ReadonlyArray<string> => {
  const count = Math.ceil(text.length / PIECE)
  const start = (index: number): number => Math.round((index * text.length) / count)
  return Array.from({ length: count }, (_, index) => text.slice(start(index), start(index + 1)))
}

/** The base64 of a text as it appears within that of a longer one that begins 0, 1 or 2 bytes into a group of three. */
const base64Of = (text: string): ReadonlyArray<string> =>
  [0, 1, 2].flatMap((lead) => {
    const padded = Buffer.concat([Buffer.alloc(lead), Buffer.from(text)])
    const start = Math.ceil((lead * 8) / 6)
    const end = Math.floor((padded.length * 8) / 6)
    return (["base64", "base64url"] as const).map((encoding) => padded.toString(encoding).slice(start, end))
  })

const spellingsOf = (secret: string): ReadonlyArray<string> => {
  const hex = Buffer.from(secret).toString("hex")
  const written = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]
  return [...new Set([...written.flatMap(piecesOf), ...base64Of(secret), hex, hex.toUpperCase()])]
}

/** Masks one token. A short or missing token has no spelling that could be told from other text. */
export class Mask {
  readonly #texts: ReadonlyArray<string>
  readonly #needles: ReadonlyArray<Buffer>
  readonly #longest: number

  constructor(token: Redacted.Redacted<string>) {
    const secret = secretPart(Redacted.value(token))
    this.#texts = secret.length < 8 ? [] : spellingsOf(secret)
    this.#needles = this.#texts.map((text) => Buffer.from(text, "latin1"))
    this.#longest = Math.max(1, ...this.#needles.map(({ length }) => length))
  }

  /** The bytes with stars in place of the token: as many, so that a stated length stays true. */
  bytes(data: Buffer): Buffer {
    let masked = data
    for (const needle of this.#needles) {
      for (let at = data.indexOf(needle); at >= 0; at = data.indexOf(needle, at + 1)) {
        if (masked === data) masked = Buffer.from(data)
        masked.fill(STAR, at, at + needle.length)
      }
    }
    return masked
  }

  /** The value of a header. */
  text(value: string): string {
    return this.#texts.some((text) => value.includes(text))
      ? this.bytes(Buffer.from(value, "latin1")).toString("latin1")
      : value
  }

  /** How many bytes at the end may be the beginning of a spelling that goes on in the next chunk. */
  unfinished(data: Buffer): number {
    let longest = 0
    const tail = data.subarray(Math.max(0, data.length - this.#longest + 1))
    for (const needle of this.#needles) {
      const first = needle[0] ?? 0
      for (let at = tail.indexOf(first); at >= 0; at = tail.indexOf(first, at + 1)) {
        const length = tail.length - at
        if (length <= longest) break
        if (length < needle.length && needle.compare(tail, at, tail.length, 0, length) === 0) {
          longest = length
          break
        }
      }
    }
    return longest
  }
}

export class MaskedBody {
  readonly #mask: Mask
  #left: number
  #held: Buffer | undefined

  /** `length` is the stated length of the body, or `Infinity`. */
  constructor(mask: Mask, length: number) {
    this.#mask = mask
    this.#left = length
  }

  /** What can be passed on now. */
  push(chunk: Buffer): Buffer {
    this.#left -= chunk.length
    const data = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk])
    const masked = this.#mask.bytes(data)
    const held = this.#left <= 0 ? 0 : this.#mask.unfinished(masked)
    this.#held = held === 0 ? undefined : masked.subarray(masked.length - held)
    return held === 0 ? masked : masked.subarray(0, masked.length - held)
  }

  /** What is left at the end of the body. */
  end(): Buffer | undefined {
    const held = this.#held
    this.#held = undefined
    return held
  }
}
