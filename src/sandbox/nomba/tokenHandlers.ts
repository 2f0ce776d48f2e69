/** Issue, refresh and revoke. Where the descriptions of the API disagree, the switches decide. */
import type * as Headers from "@effect/platform/Headers"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import {
  type BadRequest,
  type BearerAuth,
  IssuePayload,
  RefreshPayload,
  RevokePayload
} from "../../schemas/NombaApi.js"
import type { Switches } from "../config/Switches.js"
import * as RequestContext from "../faults/RequestContext.js"
import { badRequest } from "../http/Envelope.js"
import * as JsonBody from "../http/JsonBody.js"
import { Emulator, type EmulatorService } from "../state/Emulator.js"
import * as SandboxState from "../state/SandboxState.js"
import * as Sessions from "../state/Sessions.js"
import * as bearerMiddleware from "./bearerMiddleware.js"
import * as codeExchange from "./codeExchange.js"
import { badCredentials, catchRefusals, checkRateLimit, invalidRefreshToken, refuse } from "./Refusal.js"
import { SandboxApi } from "./SandboxApi.js"
import { tokenResponse } from "./tokenResponse.js"

const issue = Effect.fnUntraced(function* (emulator: EmulatorService, headers: Headers.Headers) {
  const switches = yield* emulator.switches
  if (switches.callerAddress === "refused") {
    return yield* refuse(403, "Forbidden", "the caller's IP address is not on the allow-list")
  }
  if (codeExchange.isCodeExchange(yield* JsonBody.JsonBody)) return yield* codeExchange.exchange(emulator, headers)
  const invalid = (error: string) => badCredentials(switches.badCredentials, error)
  const body = yield* JsonBody.decode(IssuePayload)
  const client = emulator.settings.clients.get(body.client_id)
  if (client === undefined) return yield* invalid("client_id: is not known to this sandbox")
  yield* RequestContext.annotate({ clientId: client.clientId })
  yield* checkRateLimit(emulator, client.clientId)
  if (client.clientSecret === undefined) return yield* invalid("client_secret: this client has none")
  if (Redacted.value(client.clientSecret) !== Redacted.value(body.client_secret)) {
    return yield* invalid("client_secret: is not that of this client_id")
  }
  yield* bearerMiddleware.checkAccount(emulator, switches, headers, client.clientId)
  const newTokens = yield* emulator.newTokens
  const session = yield* emulator.transition(SandboxState.issue(newTokens(client.clientId)))
  return tokenResponse(emulator, switches, session, { withRefreshToken: true })
})

const refreshRefusals = {
  unknown: "refresh_token: is not from this sandbox, or was forgotten",
  used: "refresh_token: was used before; it works once",
  reused: "refresh_token: its session ended because a refresh token was used twice",
  replaced: "refresh_token: a newer session of the client replaced its session",
  revoked: "refresh_token: its session was revoked",
  expired: "refresh_token: has expired"
} satisfies Partial<Record<Sessions.RefreshRefusal, string>>

const refresh = Effect.fnUntraced(function* (emulator: EmulatorService, headers: Headers.Headers) {
  const switches = yield* emulator.switches
  const body = yield* JsonBody.decode(RefreshPayload)
  const accountProblem = bearerMiddleware.accountProblem(emulator, switches, headers)
  const request = {
    refreshToken: body.refresh_token,
    bearer: yield* bearerMiddleware.bearerOfRefresh(emulator, switches, headers),
    admits: (clientId: string) => accountProblem(clientId) === undefined,
    now: yield* emulator.now
  }
  const clientId = Sessions.refreshTokenOwner((yield* emulator.state).sessions, request)
  if (Option.isSome(clientId)) {
    yield* RequestContext.annotate({ clientId: clientId.value })
    yield* checkRateLimit(emulator, clientId.value)
  }
  const refreshed = yield* emulator.transition(SandboxState.refresh(request, yield* emulator.newTokens))
  if (Either.isRight(refreshed)) {
    return tokenResponse(emulator, switches, refreshed.right, { withRefreshToken: switches.refreshRotation })
  }
  switch (refreshed.left) {
    case "foreign bearer":
      return yield* bearerMiddleware.invalidBearer("the token is not the session's own")
    case "expired bearer":
      return yield* bearerMiddleware.expiredBearer(switches, (yield* emulator.state).sessions, request.bearer)
    case "account": {
      const problem = Option.match(clientId, { onNone: () => undefined, onSome: accountProblem })
      return yield* bearerMiddleware.accountRefusal(switches, problem ?? "wrong")
    }
    default:
      return yield* invalidRefreshToken(switches.invalidRefreshToken, refreshRefusals[refreshed.left])
  }
})

/** The body of revoke: `{ token }` in the contract, `{ clientId, access_token }` in the live API. */
interface RevokeBody {
  readonly token: Redacted.Redacted
  readonly clientId?: string | undefined
}

const RevokeMembers = Schema.Struct({
  token: Schema.optional(RevokePayload.fields.token),
  clientId: Schema.optional(Schema.String),
  access_token: Schema.optional(RevokePayload.fields.token)
})

const revokeMembers: Readonly<Record<Switches["revokeMembers"], ReadonlyArray<keyof typeof RevokeMembers.Type>>> = {
  any: ["token", "clientId", "access_token"],
  spec: ["token"],
  live: ["clientId", "access_token"]
}

const revokeBody = (
  body: typeof RevokeMembers.Type,
  form: Switches["revokeMembers"]
): Effect.Effect<RevokeBody, BadRequest> => {
  const { access_token, clientId, token } = body
  if (form === "live" && access_token === undefined) return Effect.fail(badRequest("access_token: is missing"))
  if (token === undefined && access_token === undefined) return Effect.fail(badRequest("token: is missing"))
  if (token === undefined && clientId === undefined) return Effect.fail(badRequest("clientId: is missing"))
  if (token !== undefined && access_token !== undefined && Redacted.value(token) !== Redacted.value(access_token)) {
    return Effect.fail(badRequest("access_token: must be the same as token"))
  }
  return Effect.mapBoth(Effect.fromNullable(token ?? access_token), {
    onFailure: () => badRequest("token: is missing"),
    onSuccess: (found) => ({ token: found, clientId })
  })
}

const readRevokeBody = (switches: Switches): Effect.Effect<RevokeBody, BadRequest, JsonBody.JsonBody> =>
  Effect.gen(function* () {
    const members = revokeMembers[switches.revokeMembers]
    const body = yield* JsonBody.JsonBody
    const given = Predicate.isRecord(body) ? Object.entries(body) : []
    const taken = given.filter(([member]) => (members as ReadonlyArray<string>).includes(member))
    if (switches.revokeUnknownMembers === "refused" && taken.length < given.length) {
      return yield* badRequest(`body: must be ${members.join(", ")} and nothing else`)
    }
    const decoded = yield* Effect.provideService(
      JsonBody.decode(RevokeMembers),
      JsonBody.JsonBody,
      Predicate.isRecord(body) ? Object.fromEntries(taken) : body
    )
    return yield* revokeBody(decoded, switches.revokeMembers)
  })

const revoke = Effect.fnUntraced(function* (emulator: EmulatorService, headers: Headers.Headers) {
  const switches = yield* emulator.switches
  const bearer = yield* bearerMiddleware.senderOfRevoke(emulator, headers)
  const named = yield* readRevokeBody(switches)
  const token = Option.getOrUndefined(emulator.verify(Redacted.value(named.token)))
  const sender = Option.getOrElse(bearer, () => token)
  if (sender !== undefined) {
    yield* RequestContext.annotate({ clientId: sender.clientId })
    yield* checkRateLimit(emulator, sender.clientId)
  }
  if (sender === undefined || token === undefined) return yield* badRequest("token: is not from this sandbox")
  if (token.clientId !== sender.clientId || (named.clientId ?? sender.clientId) !== sender.clientId) {
    return yield* refuse(401, "Unauthorized", "clientId: the token is another client's")
  }
  yield* bearerMiddleware.checkAccount(emulator, switches, headers, sender.clientId)
  const ended = yield* emulator.transition(SandboxState.revoke(sender, token.tokenId, yield* emulator.now))
  // RFC 7009 section 2.2: a token that has ended already is no error. A bearer that has is.
  if (Either.isLeft(ended) && Option.isSome(bearer)) {
    return yield* bearerMiddleware.invalidBearer(`the token is ${ended.left}`)
  }
  return HttpServerResponse.unsafeJson({ code: "00", description: "Success" })
})

/**
 * The handlers read their bodies themselves: revoke takes the members of both descriptions, and no message may contain a
 * value.
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
