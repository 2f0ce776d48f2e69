/**
 * The three operations of the contract, as the live API plays them, and as the switches say where nobody knows how it does.
 */
import type * as Headers from "@effect/platform/Headers"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Bearer, type BearerAuth, IssuePayload, RefreshPayload, type Unauthorized } from "../../schemas/NombaApi.js"
import * as RequestContext from "../faults/RequestContext.js"
import { badRequest, unauthorized } from "../http/Envelope.js"
import * as JsonBody from "../http/JsonBody.js"
import { Emulator, type EmulatorService } from "../state/Emulator.js"
import * as SandboxState from "../state/SandboxState.js"
import type { RefreshRefusal } from "../state/Sessions.js"
import * as Sessions from "../state/Sessions.js"
import * as bearerMiddleware from "./bearerMiddleware.js"
import * as codeExchange from "./codeExchange.js"
import { badCredentials, catchRefusals, checkRateLimit, invalidRefreshToken, type Refusal } from "./Refusal.js"
import * as RevokeBody from "./RevokeBody.js"
import { SandboxApi } from "./SandboxApi.js"
import { tokenResponse } from "./tokenResponse.js"

const issue = Effect.fnUntraced(function* (emulator: EmulatorService, headers: Headers.Headers) {
  if (codeExchange.isCodeExchange(yield* JsonBody.JsonBody)) return yield* codeExchange.exchange(emulator, headers)
  const switches = yield* emulator.switches
  const refused = (error: string) => badCredentials(switches.badCredentials, error)
  const body = yield* JsonBody.decode(IssuePayload)
  const client = emulator.settings.clients.get(body.client_id)
  if (client === undefined) return yield* refused("client_id: is not known to this sandbox")
  yield* RequestContext.annotate({ clientId: client.clientId })
  yield* checkRateLimit(emulator, client.clientId)
  if (client.clientSecret === undefined) return yield* refused("client_secret: this client has none")
  if (Redacted.value(client.clientSecret) !== Redacted.value(body.client_secret)) {
    return yield* refused("client_secret: is not that of this client_id")
  }
  if (!bearerMiddleware.accountMatches(emulator, switches, headers)(client.clientId))
    return yield* bearerMiddleware.wrongAccount
  const newTokens = yield* emulator.newTokens
  const session = yield* emulator.transition(SandboxState.issue(newTokens(client.clientId)))
  return tokenResponse(emulator, switches, session, { withRefreshToken: true })
})

const deadBecause = {
  unknown: "refresh_token: is not from this sandbox, or long gone",
  used: "refresh_token: was used before; it works once",
  reused: "refresh_token: its session ended when a refresh token was used twice",
  replaced: "refresh_token: a newer session of the client replaced its session",
  revoked: "refresh_token: its session was revoked",
  expired: "refresh_token: has expired"
} satisfies Partial<Record<RefreshRefusal, string>>

const refused = (refusal: RefreshRefusal, status: number): Refusal | Unauthorized => {
  switch (refusal) {
    case "foreign bearer":
      return bearerMiddleware.invalidBearer("the token is not the session's own")
    case "expired bearer":
      return bearerMiddleware.rejectedToken("expired")
    case "account":
      return bearerMiddleware.wrongAccount
    default:
      return invalidRefreshToken(status, deadBecause[refusal])
  }
}

const refresh = Effect.fnUntraced(function* (emulator: EmulatorService, headers: Headers.Headers) {
  const switches = yield* emulator.switches
  const body = yield* JsonBody.decode(RefreshPayload)
  const presented = {
    refreshToken: body.refresh_token,
    bearer: yield* bearerMiddleware.bearerOfRefresh(emulator, switches, headers),
    admits: bearerMiddleware.accountMatches(emulator, switches, headers),
    now: yield* emulator.now
  }
  const clientId = Sessions.refreshTokenOwner((yield* emulator.state).sessions, presented)
  if (Option.isSome(clientId)) {
    yield* RequestContext.annotate({ clientId: clientId.value })
    yield* checkRateLimit(emulator, clientId.value)
  }
  const session = yield* emulator.transition(SandboxState.refresh(presented, yield* emulator.newTokens))
  return yield* Either.match(session, {
    onLeft: (refusal) => Effect.fail(refused(refusal, switches.deadRefreshToken)),
    onRight: (session) =>
      Effect.succeed(tokenResponse(emulator, switches, session, { withRefreshToken: switches.refreshRotation }))
  })
})

const revoke = Effect.fnUntraced(function* (emulator: EmulatorService, headers: Headers.Headers) {
  const bearer = yield* Bearer
  const switches = yield* emulator.switches
  yield* checkRateLimit(emulator, bearer.clientId)
  const named = yield* RevokeBody.read(switches)
  const token = emulator.verify(Redacted.value(named.token))
  if (Option.isNone(token)) return yield* badRequest("token: is not from this sandbox")
  if (token.value.clientId !== bearer.clientId || (named.clientId ?? bearer.clientId) !== bearer.clientId) {
    return yield* unauthorized("Unauthorized", "clientId: the bearer token is another client's")
  }
  if (!bearerMiddleware.accountMatches(emulator, switches, headers)(bearer.clientId))
    return yield* bearerMiddleware.wrongAccount
  const ended = yield* emulator.transition(SandboxState.revoke(bearer, token.value.tokenId, yield* emulator.now))
  yield* Either.mapLeft(ended, bearerMiddleware.rejectedToken)
  return HttpServerResponse.unsafeJson({ code: "00", description: "Success" })
})

/**
 * The handlers of issue, refresh and revoke. They read their bodies themselves: revoke takes the live API's members
 * beside the contract's, and no complaint may repeat a value.
 */
export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"sandbox", "Authentication">,
  never,
  Emulator | BearerAuth | JsonBody.ReadJson
> = HttpApiBuilder.group(SandboxApi, "Authentication", (handlers) =>
  Effect.map(Emulator, (emulator) =>
    handlers
      .handleRaw("obtainAccessToken", ({ request }) => catchRefusals(issue(emulator, request.headers)), {
        uninterruptible: true
      })
      .handleRaw("refreshAccessToken", ({ request }) => catchRefusals(refresh(emulator, request.headers)), {
        uninterruptible: true
      })
      .handleRaw("revokeAccessToken", ({ request }) => catchRefusals(revoke(emulator, request.headers)), {
        uninterruptible: true
      })
  )
)
