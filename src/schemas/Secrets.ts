/**
 * The schemas of what must never be printed. Their messages name what is wrong and never show the value.
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
