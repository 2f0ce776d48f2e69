/** The keys that callers of the proxy bring. */
import { randomBytes, timingSafeEqual } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Rules from "./Rules.js"

/** A key. Its value is in a private buffer, so that nothing shows it when it is printed. */
export interface Key {
  /** Shown in the log and in the metrics. */
  readonly name: string
  /** Whether this is the key, in a time that does not depend on either. */
  readonly matches: (given: Padded) => boolean
  /** What this key may do beside the rules for all keys. Default: everything. */
  readonly rules?: ReadonlyArray<Rules.Rule> | undefined
}

/** Longer keys are refused. */
const LONGEST = 256

/** A key in a buffer of one length for all, the rest filled with zeros, which no header can carry. */
type Padded = Buffer

const pad = (key: string, into: Buffer): Padded => {
  into.fill(0)
  into.write(key, "latin1")
  return into
}

export const make = (name: string, key: Redacted.Redacted, rules?: ReadonlyArray<Rules.Rule>): Key => {
  const padded = pad(Redacted.value(key), Buffer.alloc(LONGEST))
  return { name, matches: (given) => timingSafeEqual(padded, given), rules }
}

/** A key of 256 random bits. */
export const generate = (): Redacted.Redacted => Redacted.make(randomBytes(32).toString("base64url"))

/** Whether a text looks like one that was generated. */
export const isGenerated = (text: string): boolean => /^[\w-]{43}$/.test(text)

/** The key that a request brings: `x-nomba-key`, otherwise the bearer token. */
const presented = ({ authorization, "x-nomba-key": header }: IncomingHttpHeaders): string | undefined => {
  if (header !== undefined) return typeof header === "string" ? header : undefined
  return authorization !== undefined && /^bearer /i.test(authorization) ? authorization.slice(7).trim() : undefined
}

const presentedKey = Buffer.alloc(LONGEST)

/** The key of a request. Every key is compared, and whole, so that the time says nothing about them. */
export const find = (keys: ReadonlyArray<Key>, headers: IncomingHttpHeaders): Key | undefined => {
  const given = presented(headers)
  if (given === undefined || given.length > LONGEST) return undefined
  const padded = pad(given, presentedKey)
  let found: Key | undefined
  for (const key of keys) if (key.matches(padded)) found = key
  return found
}

/** A shorter key could be guessed. */
const SHORTEST = 16

/** What is wrong with a key, without quoting it. */
export const keyIssue = (key: string): string | undefined => {
  if (!/^[\x21-\x39\x3b-\x7e]*$/.test(key)) return "the key may have visible ASCII characters only, and no colon"
  return key.length < SHORTEST || key.length > LONGEST
    ? `the key must have ${SHORTEST} to ${LONGEST} characters`
    : undefined
}

/**
 * Reads a key file: one `name:key` or `name:key:RULE, RULE` a line (between rules a comma and a space). Empty lines and lines that begin with `#` are left out.
 * Otherwise returns every problem with its line, without quoting a key.
 */
export const parseFile = (content: string): Either.Either<ReadonlyArray<Key>, ReadonlyArray<string>> => {
  const keys: Array<Key> = []
  const issues: Array<string> = []
  for (const [index, line] of content.split(/\r?\n/).entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue
    const [name = "", key = "", ...rest] = line.trim().split(":")
    const rules = rest.join(":").trim() === "" ? [] : rest.join(":").split(/,\s+/).map(Rules.parseRule)
    const made = make(name, Redacted.make(key), rest.length === 0 ? undefined : rules.flatMap(rightOf))
    const problems = [
      /^[\w.-]{1,64}$/.test(name) ? [] : ["the name must be 1 to 64 letters, digits, dots, dashes or underscores"],
      keyIssue(key) ?? [],
      rest.length > 0 && rules.length === 0 ? ["a rule must follow the second colon"] : [],
      rules.flatMap((rule, at) => (Either.isLeft(rule) ? [`rule ${at + 1}: ${rule.left}`] : [])),
      keys.some((known) => known.name === name) ? ["the name is used twice"] : [],
      keys.some((known) => known.matches(pad(key.slice(0, LONGEST), presentedKey))) ? ["the key is used twice"] : []
    ].flat()
    issues.push(...problems.map((problem) => `line ${index + 1}: ${problem}`))
    keys.push(made)
  }
  if (keys.length === 0) issues.push("no line is name:key")
  return issues.length > 0 ? Either.left(issues) : Either.right(keys)
}

const rightOf = <A>(either: Either.Either<A, unknown>): ReadonlyArray<A> =>
  Either.isRight(either) ? [either.right] : []
