/**
 * The strict contract of Nomba's authentication API: three operations, as their OpenAPI description states them.
 * The sandbox serves it and `openapi.json` is generated from it. The client does not decode with it, because the live
 * API answers in a second dialect.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as HttpApiSecurity from "@effect/platform/HttpApiSecurity"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { malformed, withoutPlatformExtras } from "./NombaApiDocument.js"

const text = (description: string) => Schema.String.annotations({ description })
const secret = (description: string) => Schema.Redacted(Schema.String).annotations({ description })

const envelope = {
  code: Schema.optional(text("`00` when the call succeeded.").annotations({ examples: ["00"] })),
  description: Schema.optional(text("The outcome in a few words, for people."))
}

/** What issue and refresh answer (spec: `components.schemas.TokenResponse`, where no member is required). */
export const TokenResponse = Schema.Struct({
  ...envelope,
  data: Schema.optional(
    Schema.Struct({
      access_token: Schema.optional(secret("The bearer token to send with every other call.")),
      refresh_token: Schema.optional(secret("Buys the next access token, once.")),
      token_type: Schema.optional(text("How the token is presented.").annotations({ examples: ["Bearer"] })),
      expires_in: Schema.optional(
        Schema.Number.pipe(
          Schema.filter(Number.isSafeInteger, {
            jsonSchema: { type: "integer", description: "Seconds that the access token has left.", examples: [3600] }
          })
        )
      )
    })
  )
}).annotations({ identifier: "TokenResponse", description: "A session: an access token and what renews it." })

/** What revoke answers (spec: `components.schemas.SuccessResponse`). */
export const SuccessResponse = Schema.Struct(envelope).annotations({
  identifier: "SuccessResponse",
  description: "The call succeeded and has nothing else to say."
})

/**
 * The envelope of every failure (spec: `components.schemas.ErrorResponse`).
 *
 * @since 0.1.0
 * @category schemas
 */
export const ErrorResponse = Schema.Struct({
  code: Schema.optional(text("What went wrong, as a short code.")),
  description: Schema.optional(text("What went wrong in a few words, for people.")),
  errors: Schema.optional(Schema.Array(Schema.String).annotations({ description: "Each thing that is wrong." }))
}).annotations({ identifier: "ErrorResponse", description: "The call failed, and why." })

/** What issue takes (spec: `paths./v1/auth/token/issue`). */
export const IssuePayload = Schema.Struct({
  grant_type: Schema.Literal("client_credentials").annotations({
    description: "How the caller proves who it is; a server does so with its own credentials.",
    examples: ["client_credentials"]
  }),
  client_id: text("The client id shown on the dashboard."),
  client_secret: secret("The client secret; the dashboard calls it the private key.")
})

/** What refresh takes (spec: `paths./v1/auth/token/refresh`). */
export const RefreshPayload = Schema.Struct({
  grant_type: Schema.Literal("refresh_token").annotations({
    description: "Always a refresh.",
    examples: ["refresh_token"]
  }),
  refresh_token: secret("The refresh token of the session that goes on.")
})

/** What revoke takes (spec: `paths./v1/auth/token/revoke`). */
export const RevokePayload = Schema.Struct({ token: secret("The access token to end.") })

/**
 * A 400: the request is not what the operation takes.
 *
 * @since 0.1.0
 * @category errors
 */
export class BadRequest extends Data.TaggedError("BadRequest")<typeof ErrorResponse.Type> {
  override get message(): string {
    return "the request is not what the operation takes (400)"
  }
}

/**
 * A 401: the credentials, the refresh token or the bearer token are not, or no longer, good.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unauthorized extends Data.TaggedError("Unauthorized")<typeof ErrorResponse.Type> {
  override get message(): string {
    return "the credentials or the token are not good (401)"
  }
}

/**
 * The schema of a failure that travels as the envelope: a class on our side, so that HttpApi, which encodes a failure
 * with the first schema that takes it, does not take one for another.
 */
export const failure = <Failure extends typeof ErrorResponse.Type>(
  constructor: new (fields: typeof ErrorResponse.Type) => Failure,
  options: { readonly status: number; readonly description: string }
): Schema.transform<typeof ErrorResponse, Schema.instanceOf<Failure>> =>
  Schema.transform(ErrorResponse, Schema.instanceOf(constructor, { description: options.description }), {
    strict: true,
    decode: (fields) => new constructor(fields),
    encode: (error) => Struct.pick(error, "code", "description", "errors")
  }).annotations(HttpApiSchema.annotations({ status: options.status, identifier: "ErrorResponse" }))

const badRequest = failure(BadRequest, { status: 400, description: malformed })

/**
 * Whose bearer token a request carries, as the server that verified it knows.
 *
 * @since 0.1.0
 * @category services
 */
export class Bearer extends Context.Tag("nomba-auth/Bearer")<
  Bearer,
  {
    readonly clientId: string
    /** The token's own name, its `jti` (RFC 7519 section 4.1.7). */
    readonly tokenId: string
  }
>() {}

/**
 * Lets only a live bearer token through (spec: `components.securitySchemes.bearerAuth`). An implementation has to parse
 * the `Authorization` header by itself: what `HttpApiSecurity.bearer` hands over is the header less seven characters,
 * whatever its scheme.
 *
 * @since 0.1.0
 * @category middleware
 */
export class BearerAuth extends HttpApiMiddleware.Tag<BearerAuth>()("nomba-auth/BearerAuth", {
  failure: failure(Unauthorized, { status: 401, description: "The bearer token is missing, expired or revoked." }),
  provides: Bearer,
  security: {
    bearerAuth: HttpApiSecurity.bearer.pipe(
      HttpApiSecurity.annotateContext(
        OpenApi.annotations({ format: "JWT", description: "The access token that issue or refresh answered." })
      )
    )
  }
}) {}

const obtainAccessToken = HttpApiEndpoint.post("obtainAccessToken", "/v1/auth/token/issue")
  .setPayload(IssuePayload)
  .addSuccess(TokenResponse)
  .addError(badRequest)
  .addError(
    failure(Unauthorized, { status: 401, description: "The client id and secret are not a pair that Nomba knows." })
  )
  .annotateContext(
    OpenApi.annotations({
      summary: "Start a session",
      description: "Trades the client's credentials for an access token, to be sent as bearer with every other call."
    })
  )

const refreshAccessToken = HttpApiEndpoint.post("refreshAccessToken", "/v1/auth/token/refresh")
  .setPayload(RefreshPayload)
  .addSuccess(TokenResponse)
  .addError(badRequest)
  .addError(failure(Unauthorized, { status: 401, description: "The refresh token is unknown, used up or too old." }))
  .annotateContext(
    OpenApi.annotations({
      summary: "Carry a session on",
      description: "Trades a refresh token for a new access token without the client's credentials."
    })
  )

const revokeAccessToken = HttpApiEndpoint.post("revokeAccessToken", "/v1/auth/token/revoke")
  .setPayload(RevokePayload)
  .addSuccess(SuccessResponse)
  .addError(badRequest)
  .middleware(BearerAuth)
  .annotateContext(
    OpenApi.annotations({
      summary: "End a session",
      description:
        "Ends the session of an access token, because its user logged out or because the token may have leaked."
    })
  )

/**
 * The three operations.
 *
 * @since 0.1.0
 * @category contract
 */
export class Authentication extends HttpApiGroup.make("Authentication", { topLevel: true })
  .add(obtainAccessToken)
  .add(refreshAccessToken)
  .add(revokeAccessToken)
  .annotateContext(OpenApi.annotations({ description: "Starts, carries on and ends the session of a client." })) {}

/**
 * The three operations, both servers and the bearer on revoke. `OpenApi.fromApi(NombaApi)` is the document in
 * `openapi.json`; an annotation takes out what platform adds to every document and Nomba's has not (its decode error in
 * every 400, `additionalProperties`, empty lists).
 *
 * ```ts
 * import { HttpApiClient } from "@effect/platform"
 * import { Effect, Redacted } from "effect"
 * import { NombaApi } from "nomba-auth/sandbox"
 *
 * const issue = (client_id: string, client_secret: Redacted.Redacted) =>
 *   Effect.gen(function* () {
 *     const nomba = yield* HttpApiClient.make(NombaApi, { baseUrl: "https://sandbox.nomba.com" })
 *     return yield* nomba.obtainAccessToken({ payload: { grant_type: "client_credentials", client_id, client_secret } })
 *   })
 * ```
 *
 * @since 0.1.0
 * @category contract
 */
export class NombaApi extends HttpApi.make("nomba")
  .add(Authentication)
  .annotateContext(
    OpenApi.annotations({
      title: "Nomba Authentication API",
      version: "1.0.0",
      description:
        "How a client of Nomba gets, renews and gives up the bearer token that every other Nomba API asks for.",
      servers: [
        { url: "https://api.nomba.com", description: "Production: real money." },
        { url: "https://sandbox.nomba.com", description: "Sandbox: test credentials, no money." }
      ],
      transform: withoutPlatformExtras
    })
  ) {}
