/**
 * What the layers are configured with, validated and complete.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { CredentialOrigins, InvalidRequest, Unavailable } from "../schemas/AuthError.js"
import type { StoreKey } from "../schemas/StoreKey.js"

/**
 * The validated settings of a client, and where each came from.
 *
 * @since 0.1.0
 * @category models
 */
export interface NombaConfigService {
  /** Where Nomba is, normalised: no trailing slash, no `/v1`. */
  readonly baseUrl: string
  readonly clientId: string
  /** Read at each issue, so that a rotated secret needs no restart. A public client has none, and cannot issue. */
  readonly clientSecret: Effect.Effect<Redacted.Redacted<string>, Unavailable | InvalidRequest>
  /** The UUID of the parent account. Not in the spec; the live API requires it on every call. */
  readonly accountId: Option.Option<string>
  /** How long before its expiry a token is renewed in the background; at most a fifth of its lifetime. */
  readonly renewAhead: Duration.Duration
  /** The time-out of one attempt of a token operation, the answer's body included. */
  readonly requestTimeout: Duration.Duration
  /** Whether the session is revoked when the last layer that holds it closes. */
  readonly revokeOnClose: boolean
  /** The session's name in the token store. */
  readonly storeKey: StoreKey
  /** Where each part came from, for the message of `InvalidCredentials`. */
  readonly origins: typeof CredentialOrigins.Type
  /** The user's own changes to the HTTP client under both the token operations and `NombaClient`. */
  readonly transformClient: (client: HttpClient.HttpClient) => HttpClient.HttpClient
}

/**
 * The validated settings of a client. `Nomba.layer` and `Nomba.layerConfig` build it.
 *
 * @since 0.1.0
 * @category services
 */
export class NombaConfig extends Context.Tag("nomba-auth/NombaConfig")<NombaConfig, NombaConfigService>() {}
