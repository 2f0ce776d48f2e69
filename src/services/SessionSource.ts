/**
 * Where a first session comes from.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { AuthError } from "../schemas/AuthError.js"
import type { Session } from "../schemas/Session.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface SessionSourceService {
  /**
   * Starts a session: by client credentials that is `NombaAuth.issue`. For a public client it always fails with
   * `Expired`, because a person has to log in.
   */
  readonly start: Effect.Effect<Session, AuthError>
  /** Whether a person is needed, so that a refresh token of doubtful worth is tried before giving up. */
  readonly interactive: boolean
}

/**
 * Starts a session: by client credentials, or for a public client not at all.
 *
 * @since 0.1.0
 * @category services
 */
export class SessionSource extends Context.Tag("nomba-auth/SessionSource")<SessionSource, SessionSourceService>() {}
