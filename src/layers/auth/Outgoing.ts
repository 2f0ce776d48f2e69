/**
 * What each token operation sends, beside the headers that all of them carry. Inputs that cannot be sent are refused.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { InvalidRequest } from "../../schemas/AuthError.js"
import { ExchangeRequest, IssueRequest, RefreshRequest, RevokeRequest } from "../../schemas/Requests.js"
import type { ExchangeOptions, RefreshOptions } from "../../services/NombaAuth.js"
import * as Inputs from "./Inputs.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface Outgoing {
  readonly path: `/v1/auth/token/${"issue" | "refresh" | "revoke"}`
  /** As it travels: secrets in clear. */
  readonly body: object
  readonly bearer?: Redacted.Redacted<string> | undefined
  /** All that must not come back in an error. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const issue = <E>(
  clientId: string,
  clientSecret: Effect.Effect<Redacted.Redacted<string>, E>
): Effect.Effect<Outgoing, E> =>
  Effect.map(clientSecret, (secret) => ({
    path: "/v1/auth/token/issue",
    body: encodeIssue({ grant_type: "client_credentials", client_id: clientId, client_secret: secret }),
    secrets: [secret]
  }))

/**
 * The live API wants the old access token as the bearer, though it may have expired.
 *
 * @since 0.1.0
 * @category constructors
 */
export const refresh = (options: RefreshOptions): Effect.Effect<Outgoing, InvalidRequest> => {
  const { accessToken, refreshToken } = given(options)
  return Effect.map(
    Inputs.check("refresh", text("refreshToken", refreshToken), Inputs.optional(token)("accessToken", accessToken)),
    () => ({
      path: "/v1/auth/token/refresh",
      body: encodeRefresh({ grant_type: "refresh_token", refresh_token: refreshToken }),
      bearer: accessToken,
      secrets: accessToken === undefined ? [refreshToken] : [refreshToken, accessToken]
    })
  )
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const exchange = (clientId: string, options: ExchangeOptions): Effect.Effect<Outgoing, InvalidRequest> => {
  const { code, redirectUri, verifier } = given(options)
  return Effect.map(
    Inputs.check(
      "exchange",
      text("code", code),
      text("verifier", verifier),
      Inputs.required("redirectUri", redirectUri)
    ),
    () => ({
      path: "/v1/auth/token/issue",
      body: encodeExchange({
        grant_type: "authorization_code",
        client_id: clientId,
        code,
        code_verifier: verifier,
        redirect_uri: redirectUri
      }),
      secrets: [code, verifier]
    })
  )
}

/**
 * A body for revoke.
 *
 * @since 0.1.0
 * @category models
 */
export type RevokeBody = (accessToken: Redacted.Redacted<string>, clientId: string) => object

/**
 * The bodies in the order in which they are tried: the two descriptions of the API disagree, and whether unknown members
 * are refused is not known.
 *
 * @since 0.1.0
 */
export const revokeBodies: Arr.NonEmptyReadonlyArray<RevokeBody> = [
  (token, clientId) => encodeBoth({ token, clientId, access_token: token }),
  (token) => encodeSpec({ token }),
  (token, clientId) => encodeLive({ clientId, access_token: token })
]

/**
 * @since 0.1.0
 * @category constructors
 */
export const revoke = (
  clientId: string,
  accessToken: Redacted.Redacted<string>,
  bearer: Redacted.Redacted<string> | undefined,
  body: RevokeBody
): Effect.Effect<Outgoing, InvalidRequest> =>
  Effect.map(
    Inputs.check("revoke", token("accessToken", accessToken), Inputs.optional(token)("bearer", bearer)),
    () => ({
      path: "/v1/auth/token/revoke",
      body: body(accessToken, clientId),
      bearer: bearer ?? accessToken,
      secrets: bearer === undefined ? [accessToken] : [accessToken, bearer]
    })
  )

const text = Inputs.secret(Inputs.required)
const token = Inputs.secret(Inputs.header)

/** What a caller without types left out is missing field by field. */
const given = <A extends object>(options: A): A => ({ ...options })

const encodeIssue = Schema.encodeSync(IssueRequest)
const encodeRefresh = Schema.encodeSync(RefreshRequest)
const encodeExchange = Schema.encodeSync(ExchangeRequest)
const encodeBoth = Schema.encodeSync(RevokeRequest.both)
const encodeSpec = Schema.encodeSync(RevokeRequest.spec)
const encodeLive = Schema.encodeSync(RevokeRequest.live)
