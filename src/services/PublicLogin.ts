/**
 * The end of an end user's login: puts its session to use.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Unavailable } from "../schemas/AuthError.js"
import type { Session } from "../schemas/Session.js"

/**
 * Starts the session of an end user who has logged in.
 *
 * @since 0.1.0
 * @category models
 */
export interface PublicLoginService {
  /**
   * Puts a session into the `TokenCache` and its store, in the place of whatever is there, a logout included. Its lifetime
   * counts from this call, so make it as soon as `NombaAuth.exchange` has answered. It waits, for at most 30 s, while
   * another holder renews. If the store is down, the session is served with `saved: false` and written in the background,
   * like a renewed one. If a logout was written meanwhile, it ends the session.
   *
   * Fails with `Unavailable` if the layer is closed: the session is then stored nowhere.
   */
  readonly login: (session: Session) => Effect.Effect<void, Unavailable>
}

/**
 * Starts using the session of an end user who has logged in. Only for a public client (`Nomba.layerPublic`).
 *
 * @since 0.1.0
 * @category services
 */
export class PublicLogin extends Context.Tag("nomba-auth/PublicLogin")<PublicLogin, PublicLoginService>() {}
