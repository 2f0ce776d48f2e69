/**
 * What Nomba grants: an access token, the means to renew it, and how long it lives.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { AccessToken, Secret } from "./Secrets.js"

/** For the type, the transformation and the encoded side: the default message of each would print the value. */
const quiet = { message: () => ({ message: "is not a session", override: true }) }

/**
 * A session with Nomba. One client has one session: issuing another ends this one.
 *
 * Encoding it with the schema yields the secrets as plaintext. Everything else (`inspect`, `JSON.stringify`, logs) prints
 * `<redacted>`. Token stores do not use this schema but `StoredSession`.
 *
 * @since 0.1.0
 * @category models
 */
export class Session extends Schema.Class<Session>("nomba-auth/Session")(
  {
    /** Goes into `Authorization: Bearer …`. A JWT that carries an e-mail address: secret and personal. */
    accessToken: AccessToken,
    /**
     * A refresh spends it and grants the next one. If it grants none, this one may still be good (RFC 6749, section 6): a public
     * client keeps it.
     */
    refreshToken: Schema.Option(Secret),
    /** Counted from the moment the request was sent. To decide about expiry, use `remaining` of `TokenCache.session`. */
    lifetime: Schema.Duration,
    /** When it was issued, on the clock that `clock` names. */
    issuedAt: Schema.DateTimeUtc,
    /** Whose clock `issuedAt` was read from: Nomba's (`Date` header or the token's `iat`) or this machine's. */
    clock: Schema.Literal("server", "local"),
    /** `Bearer`, unless Nomba said otherwise. */
    tokenType: Schema.String,
    /** The business the token acts for, where Nomba names it. */
    businessId: Schema.Option(Schema.String)
  },
  [quiet, quiet, quiet]
) {
  /** `issuedAt` plus `lifetime`: for people to read, on the clock that `clock` names. */
  get expiresAt(): DateTime.Utc {
    return DateTime.addDuration(this.issuedAt, this.lifetime)
  }
}
