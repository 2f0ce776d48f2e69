/**
 * The bodies of the token operations (spec: `paths./v1/auth/token/*`), with their secrets redacted until the moment
 * they are encoded.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Secret } from "./Secrets.js"

/**
 * `POST /v1/auth/token/issue` with client credentials.
 *
 * @since 0.1.0
 * @category schemas
 */
export const IssueRequest = Schema.Struct({
  grant_type: Schema.Literal("client_credentials"),
  client_id: Schema.String,
  client_secret: Secret
})

/**
 * `POST /v1/auth/token/issue` with an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5). Ahead of the
 * live API, whose pages name PKCE as not yet available.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ExchangeRequest = Schema.Struct({
  grant_type: Schema.Literal("authorization_code"),
  client_id: Schema.String,
  code: Secret,
  code_verifier: Secret,
  redirect_uri: Schema.String
})

/**
 * `POST /v1/auth/token/refresh`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RefreshRequest = Schema.Struct({
  grant_type: Schema.Literal("refresh_token"),
  refresh_token: Secret
})

/**
 * `POST /v1/auth/token/revoke`: the spec wants `token`, the live API `clientId` and `access_token`. One body with all
 * three satisfies both, unless unknown members are refused.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RevokeRequest = {
  both: Schema.Struct({ token: Secret, clientId: Schema.String, access_token: Secret }),
  spec: Schema.Struct({ token: Secret }),
  live: Schema.Struct({ clientId: Schema.String, access_token: Secret })
} as const
