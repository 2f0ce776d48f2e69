/** A login for which the end user was sent to Nomba. */
import * as Schema from "effect/Schema"
import { Secret } from "./Session.js"

/** For the type, the transformation and what it is encoded to: any of them would print what it got. */
const quiet = { message: () => ({ message: "is not a pending login", override: true }) }

/**
 * What a program keeps until the end user comes back, where only it and that user's browser can read it: in memory,
 * `sessionStorage`, or an encrypted cookie. Encoding it with the schema (`Schema.encode(Schema.parseJson(PendingLogin))`)
 * yields its secrets as plaintext; everything else prints `<redacted>`.
 *
 * @since 0.1.0
 * @category models
 */
export class PendingLogin extends Schema.Class<PendingLogin>("nomba-auth/PendingLogin")(
  {
    /** Comes back with the callback, which shows that it answers this login (RFC 6749 section 10.12). */
    state: Secret,
    /** Shows Nomba that the program that sends the code also started the login (RFC 7636). */
    verifier: Secret,
    /** Where the end user comes back to. */
    redirectUri: Schema.String,
    /** What an `iss` in the callback has to say (RFC 9207). */
    issuer: Schema.String,
    /** Whether the callback has to have an `iss`. */
    issuerRequired: Schema.Boolean
  },
  [quiet, quiet, quiet]
) {}
