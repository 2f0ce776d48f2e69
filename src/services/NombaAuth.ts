/**
 * The token operations of the Nomba Authentication API, one call each.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ExchangeError, IssueError, RefreshError, RevokeError } from "../schemas/AuthError.js"
import type { Session } from "../schemas/Session.js"

/**
 * What `refresh` needs.
 *
 * @since 0.1.0
 * @category models
 */
export interface RefreshOptions {
  /**
   * Do not send it again unless the error's `processed` is `no`: Nomba may have spent it. If the response contains no new
   * one, this one may still be valid (RFC 6749, section 6).
   */
  readonly refreshToken: Redacted.Redacted<string>
  /** The access token of the same session, expired or not: the live API requires it as the bearer. */
  readonly accessToken?: Redacted.Redacted<string> | undefined
}

/**
 * What `exchange` needs (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
 *
 * @since 0.1.0
 * @category models
 */
export interface ExchangeOptions {
  readonly code: Redacted.Redacted<string>
  readonly verifier: Redacted.Redacted<string>
  readonly redirectUri: string
}

/**
 * Each operation is retried by the `RetryPolicy`, for as long as it has time: 30 seconds in all. None of them touches
 * a cached session: programs that want a valid token use `TokenCache` or `NombaClient`.
 *
 * @since 0.1.0
 * @category models
 */
export interface NombaAuthService {
  /**
   * Starts a session with the client credentials (`POST /v1/auth/token/issue`). Nomba keeps one session per client: this
   * ends every other one.
   */
  readonly issue: Effect.Effect<Session, IssueError>
  /**
   * Renews a session (`POST /v1/auth/token/refresh`). The refresh token is single-use, so the call is repeated only after
   * a failure that certainly was not processed. `Expired` when Nomba refuses the refresh token.
   */
  readonly refresh: (options: RefreshOptions) => Effect.Effect<Session, RefreshError>
  /**
   * Ends a session (`POST /v1/auth/token/revoke`), with the token itself as the bearer unless another is given.
   * `Expired` when Nomba refuses the bearer: the token has ended already, or the account id is missing or wrong.
   */
  readonly revoke: (
    accessToken: Redacted.Redacted<string>,
    options?: { readonly bearer?: Redacted.Redacted<string> | undefined }
  ) => Effect.Effect<void, RevokeError>
  /**
   * Starts a session with an authorization code (PKCE). Fails with `Expired` if Nomba rejects the code. Nomba has not
   * released PKCE yet.
   */
  readonly exchange: (options: ExchangeOptions) => Effect.Effect<Session, ExchangeError>
}

/**
 * The four token requests: `issue`, `refresh`, `revoke` and `exchange`. It holds no token; `TokenCache` does.
 *
 * @since 0.1.0
 * @category services
 */
export class NombaAuth extends Context.Tag("nomba-auth/NombaAuth")<NombaAuth, NombaAuthService>() {}
