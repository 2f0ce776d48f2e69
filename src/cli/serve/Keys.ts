/** The keys that callers of the proxy bring. */
import { hash, randomBytes, timingSafeEqual } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Admission from "./Admission.js"

/** A key, kept as its digest. */
export interface Key {
  /** Shown in the log and in the metrics. */
  readonly name: string
  readonly digest: Buffer
  /** What this key may do beside the rules for all keys. Default: everything. */
  readonly rules?: ReadonlyArray<Admission.Rule> | undefined
}

const digestOf = (key: string): Buffer => hash("sha256", key, "buffer")

export const make = (name: string, key: Redacted.Redacted, rules?: ReadonlyArray<Admission.Rule>): Key => ({
  name,
  digest: digestOf(Redacted.value(key)),
  rules
})

/** A key of 256 random bits. */
export const generate = (): Redacted.Redacted => Redacted.make(randomBytes(32).toString("base64url"))

/** The key that a request brings: `x-nomba-key`, otherwise the bearer token. */
const presented = ({ authorization, "x-nomba-key": header }: IncomingHttpHeaders): string | undefined => {
  if (header !== undefined) return typeof header === "string" ? header : undefined
  return authorization !== undefined && /^bearer /i.test(authorization) ? authorization.slice(7).trim() : undefined
}

/** The key of a request. Every key is compared, and whole, so that the time says nothing about them. */
export const find = (keys: ReadonlyArray<Key>, headers: IncomingHttpHeaders): Key | undefined => {
  const given = presented(headers)
  if (given === undefined) return undefined
  const digest = digestOf(given)
  let found: Key | undefined
  for (const key of keys) if (timingSafeEqual(key.digest, digest)) found = key
  return found
}

/** A shorter key could be guessed. */
const SHORTEST = 16

/** What is wrong with a key, without quoting it. */
export const keyIssue = (key: string): string | undefined => {
  if (!/^[\x21-\x39\x3b-\x7e]*$/.test(key)) return "the key may have visible ASCII characters only, and no colon"
  return key.length < SHORTEST ? `the key must have at least ${SHORTEST} characters` : undefined
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
    const rules = rest.join(":").trim() === "" ? [] : rest.join(":").split(/,\s+/).map(Admission.parseRule)
    const made = make(name, Redacted.make(key), rest.length === 0 ? undefined : rules.flatMap(rightOf))
    const problems = [
      /^[\w.-]{1,64}$/.test(name) ? [] : ["the name must be 1 to 64 letters, digits, dots, dashes or underscores"],
      keyIssue(key) ?? [],
      rest.length > 0 && rules.length === 0 ? ["a rule must follow the second colon"] : [],
      rules.flatMap((rule) => (Either.isLeft(rule) ? [`the rule ${rule.left}`] : [])),
      keys.some((known) => known.name === name) ? ["the name is used twice"] : [],
      keys.some((known) => known.digest.equals(made.digest)) ? ["the key is used twice"] : []
    ].flat()
    issues.push(...problems.map((problem) => `line ${index + 1}: ${problem}`))
    keys.push(made)
  }
  if (keys.length === 0) issues.push("no line is name:key")
  return issues.length > 0 ? Either.left(issues) : Either.right(keys)
}

const rightOf = <A>(either: Either.Either<A, unknown>): ReadonlyArray<A> =>
  Either.isRight(either) ? [either.right] : []
