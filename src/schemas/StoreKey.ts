/**
 * The name of a session in a token store.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Names one session. Processes with the same key share the session, its lease and its tombstone. Opaque, printable, and free
 * of secrets.
 *
 * @since 0.1.0
 * @category models
 */
export const StoreKey = Schema.String.pipe(Schema.brand("nomba-auth/StoreKey"))

/**
 * The name of one session in a token store.
 *
 * @since 0.1.0
 * @category models
 */
export type StoreKey = typeof StoreKey.Type

/**
 * Makes a key. The account id is not part of it: one client has one session, whichever account header is sent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (parts: {
  /** Normalised: no trailing slash, no `/v1`. */
  readonly baseUrl: string
  readonly clientId: string
  readonly grant: "client_credentials" | "authorization_code"
  /** The end user or installation that logged in; empty for client credentials. */
  readonly subject: string
}): StoreKey => StoreKey.make([parts.baseUrl, parts.clientId, parts.grant, parts.subject].map(encodePart).join("|"))

/** JSON first, because `encodeURIComponent` throws on a lone surrogate. */
const encodePart = (part: string): string => encodeURIComponent(JSON.stringify(part).slice(1, -1))
