/**
 * What must never be printed: its schemas, and the checks of texts that are sent byte for byte. Messages name what is wrong
 * and never show the value.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/** A decode message that replaces the default one, which would print the value. */
const quiet = (message: string) => ({ message: () => ({ message, override: true }) })

/**
 * Whether a token can travel in an `Authorization` header: visible ASCII only (RFC 9110 section 5.5; RFC 6750 section
 * 2.1 allows less). Anything else would be refused by `fetch` with an error that quotes the token.
 *
 * @since 0.1.0
 */
export const isHeaderSafe = (token: string): boolean => /^[\x21-\x7e]+$/.test(token)

/**
 * A non-empty secret.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Secret: Schema.Redacted<Schema.filter<typeof Schema.String>> = Schema.Redacted(
  Schema.String.annotations(quiet("is not a string")).pipe(Schema.minLength(1, quiet("is empty")))
).annotations(quiet("is not a secret"))

/**
 * A token that fits in an `Authorization` header.
 *
 * @since 0.1.0
 * @category schemas
 */
export const AccessToken: Schema.Redacted<Schema.filter<typeof Schema.String>> = Schema.Redacted(
  Schema.String.annotations(quiet("is not a string")).pipe(
    Schema.filter(isHeaderSafe, quiet("has characters that a header cannot carry"))
  )
).annotations(quiet("is not an access token"))

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
