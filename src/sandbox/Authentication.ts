/**
 * The three operations of the contract, as the live API plays them: one session for each client.
 *
 * @since 0.1.0
 */
import type * as Headers from "@effect/platform/Headers"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Bearer, type BearerAuth, IssuePayload, RefreshPayload, RevokePayload } from "../schemas/NombaApi.js"
import * as Authorization from "./Authorization.js"
import { Emulator, type EmulatorService } from "./Emulator.js"
import { badRequest, unauthorized } from "./Envelope.js"
import * as JsonBody from "./JsonBody.js"
import { SandboxApi } from "./SandboxApi.js"
import * as SandboxState from "./SandboxState.js"
import { granted } from "./TokenAnswer.js"

const issue = Effect.fnUntraced(function* (emulator: EmulatorService, headers: Headers.Headers) {
  const body = yield* JsonBody.decode(IssuePayload)
  const client = emulator.settings.clients.get(body.client_id)
  if (client === undefined) {
    return yield* unauthorized("Invalid client credentials", "client_id: is not known to this sandbox")
  }
  if (Redacted.value(client.clientSecret) !== Redacted.value(body.client_secret)) {
    return yield* unauthorized("Invalid client credentials", "client_secret: is not that of this client_id")
  }
  if (!Authorization.admits(emulator, headers)(client.clientId)) return yield* Authorization.wrongAccount
  const mint = yield* emulator.mint
  const session = yield* emulator.transition(SandboxState.issue(mint(client.clientId)))
  return granted(emulator, session)
})

const refreshRefusals: Readonly<Record<SandboxState.RefreshRefusal, string>> = {
  unknown: "refresh_token: is not from this sandbox, or long gone",
  used: "refresh_token: was used before; it works once",
  replaced: "refresh_token: a newer session of the client replaced its session",
  revoked: "refresh_token: its session was revoked",
  expired: "refresh_token: has expired",
  "foreign bearer": "Authorization: the token is not the session's own",
  account: "accountId: is not the account of this client"
}

const refresh = Effect.fnUntraced(function* (emulator: EmulatorService, headers: Headers.Headers) {
  const body = yield* JsonBody.decode(RefreshPayload)
  const presented = {
    refreshToken: body.refresh_token,
    bearer: yield* Authorization.bearer(emulator, headers),
    admits: Authorization.admits(emulator, headers),
    now: yield* emulator.now
  }
  const session = yield* emulator.transition(SandboxState.refresh(presented, yield* emulator.mint))
  if (Either.isLeft(session)) {
    return yield* unauthorized("Invalid or expired refresh token", refreshRefusals[session.left])
  }
  return granted(emulator, session.right)
})

const AnyRevokePayload = Schema.Struct({
  token: Schema.optional(RevokePayload.fields.token),
  clientId: Schema.optional(Schema.String),
  access_token: Schema.optional(RevokePayload.fields.token)
})

const tokenToRevoke = (
  body: typeof AnyRevokePayload.Type
): Either.Either<Redacted.Redacted, ReturnType<typeof badRequest>> => {
  const { access_token, clientId, token } = body
  if (token === undefined && access_token === undefined) return Either.left(badRequest("token: is missing"))
  if (token === undefined && clientId === undefined) return Either.left(badRequest("clientId: is missing"))
  if (token !== undefined && access_token !== undefined && Redacted.value(token) !== Redacted.value(access_token)) {
    return Either.left(badRequest("access_token: has to be the same as token"))
  }
  return Either.fromNullable(token ?? access_token, () => badRequest("token: is missing"))
}

const revoke = Effect.fnUntraced(function* (emulator: EmulatorService, headers: Headers.Headers) {
  const bearer = yield* Bearer
  const body = yield* JsonBody.decode(AnyRevokePayload)
  const token = emulator.verify(Redacted.value(yield* tokenToRevoke(body)))
  if (Option.isNone(token)) return yield* badRequest("token: is not from this sandbox")
  if (token.value.clientId !== bearer.clientId || (body.clientId ?? bearer.clientId) !== bearer.clientId) {
    return yield* unauthorized("Unauthorized", "clientId: the bearer token is another client's")
  }
  if (!Authorization.admits(emulator, headers)(bearer.clientId)) return yield* Authorization.wrongAccount
  const ended = yield* emulator.transition(SandboxState.revoke(bearer, token.value.tokenId, yield* emulator.now))
  yield* Either.mapLeft(ended, Authorization.dead)
  return { code: "00", description: "Success" }
})

/**
 * The handlers of issue, refresh and revoke. They read their bodies themselves: revoke takes the live API's
 * `{ clientId, access_token }` beside the contract's `{ token }`, and no complaint may repeat a value.
 */
export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"sandbox", "Authentication">,
  never,
  Emulator | BearerAuth | JsonBody.ReadJson
> = HttpApiBuilder.group(SandboxApi, "Authentication", (handlers) =>
  Effect.map(Emulator, (emulator) =>
    handlers
      .handleRaw("obtainAccessToken", ({ request }) => issue(emulator, request.headers), { uninterruptible: true })
      .handleRaw("refreshAccessToken", ({ request }) => refresh(emulator, request.headers), { uninterruptible: true })
      .handleRaw("revokeAccessToken", ({ request }) => revoke(emulator, request.headers), { uninterruptible: true })
  )
)
