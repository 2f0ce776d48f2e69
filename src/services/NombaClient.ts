/**
 * An HTTP client for Nomba's resources.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as Context from "effect/Context"
import type { AuthError } from "../schemas/AuthError.js"

/**
 * An `HttpClient` that knows the base URL, carries the bearer token and the account id, and on a 401 renews the token and
 * replays the request once. It works wherever an `HttpClient` does, for instance under `HttpApiClient.makeWith`.
 *
 * Beside the errors of every `HttpClient` it fails with `AuthError`: what getting a token failed with; `InvalidRequest`
 * for a path that leaves the configured base URL; `UnexpectedResponse` for a redirect. A status is not an error here.
 *
 * @since 0.1.0
 * @category models
 */
export type NombaClientService = HttpClient.HttpClient.With<HttpClientError.HttpClientError | AuthError>

/**
 * An `HttpClient` for Nomba's API: it adds the base URL, the access token and the account id, and on a 401 renews the token
 * and sends the request once more.
 *
 * @since 0.1.0
 * @category services
 */
export class NombaClient extends Context.Tag("nomba-auth/NombaClient")<NombaClient, NombaClientService>() {}
