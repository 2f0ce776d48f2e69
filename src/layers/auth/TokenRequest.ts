/**
 * The path, body and bearer of each token request. Inputs that cannot be sent are refused.
 */
import type * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { InvalidRequest } from "../../schemas/AuthError.js"
import { ExchangeRequest, IssueRequest, RefreshRequest, RevokeRequest } from "../../schemas/Requests.js"
import type { ExchangeOptions, RefreshOptions } from "../../services/NombaAuth.js"
import * as validate from "./validate.js"

export interface TokenRequest {
  readonly path: `/v1/auth/token/${"issue" | "refresh" | "revoke"}`
  /** Contains secrets in plaintext. */
  readonly body: object
  readonly bearer?: Redacted.Redacted<string> | undefined
  /** No error may contain these. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

export const issue = <E>(
  clientId: string,
  clientSecret: Effect.Effect<Redacted.Redacted<string>, E>
): Effect.Effect<TokenRequest, E> =>
  Effect.map(clientSecret, (secret) => ({
    path: "/v1/auth/token/issue",
    body: encodeIssue({ grant_type: "client_credentials", client_id: clientId, client_secret: secret }),
    secrets: [secret]
  }))

/** The live API wants the old access token as the bearer, although it may have expired. */
export const refresh = (options: RefreshOptions): Effect.Effect<TokenRequest, InvalidRequest> => {
  const { accessToken, refreshToken } = given(options)
  return Effect.map(
    validate.all("refresh", text("refreshToken", refreshToken), validate.optional(token)("accessToken", accessToken)),
    () => ({
      path: "/v1/auth/token/refresh",
      body: encodeRefresh({ grant_type: "refresh_token", refresh_token: refreshToken }),
      bearer: accessToken,
      secrets: accessToken === undefined ? [refreshToken] : [refreshToken, accessToken]
    })
  )
}

export const exchange = (clientId: string, options: ExchangeOptions): Effect.Effect<TokenRequest, InvalidRequest> => {
  const { code, redirectUri, verifier } = given(options)
  return Effect.map(
    validate.all(
      "exchange",
      text("code", code),
      text("verifier", verifier),
      validate.required("redirectUri", redirectUri)
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

export type RevokeBody = (accessToken: Redacted.Redacted<string>, clientId: string) => object

/**
 * In the order in which they are tried: the two descriptions of the API disagree, and whether Nomba refuses unknown members
 * is not known.
 */
export const revokeBodies: Arr.NonEmptyReadonlyArray<RevokeBody> = [
  (token, clientId) => encodeBoth({ token, clientId, access_token: token }),
  (token) => encodeSpec({ token }),
  (token, clientId) => encodeLive({ clientId, access_token: token })
]

export const revoke = (
  clientId: string,
  accessToken: Redacted.Redacted<string>,
  bearer: Redacted.Redacted<string> | undefined,
  body: RevokeBody
): Effect.Effect<TokenRequest, InvalidRequest> =>
  Effect.map(
    validate.all("revoke", token("accessToken", accessToken), validate.optional(token)("bearer", bearer)),
    () => ({
      path: "/v1/auth/token/revoke",
      body: body(accessToken, clientId),
      bearer: bearer ?? accessToken,
      secrets: bearer === undefined ? [accessToken] : [accessToken, bearer]
    })
  )

const text = validate.secret(validate.required)
const token = validate.secret(validate.header)

/** Reports each missing field also for a caller without types who passed nothing. */
const given = <A extends object>(options: A): A => ({ ...options })

const encodeIssue = Schema.encodeSync(IssueRequest)
const encodeRefresh = Schema.encodeSync(RefreshRequest)
const encodeExchange = Schema.encodeSync(ExchangeRequest)
const encodeBoth = Schema.encodeSync(RevokeRequest.both)
const encodeSpec = Schema.encodeSync(RevokeRequest.spec)
const encodeLive = Schema.encodeSync(RevokeRequest.live)
