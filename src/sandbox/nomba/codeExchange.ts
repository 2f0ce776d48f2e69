/** The authorization code grant of issue. */
import type * as Headers from "@effect/platform/Headers"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as RequestContext from "../faults/RequestContext.js"
import { unauthorized } from "../http/Envelope.js"
import * as JsonBody from "../http/JsonBody.js"
import type { EmulatorService } from "../state/Emulator.js"
import type { CodeRefusal } from "../state/Logins.js"
import * as SandboxState from "../state/SandboxState.js"
import * as bearerMiddleware from "./bearerMiddleware.js"
import { badCredentials, checkRateLimit } from "./Refusal.js"
import { tokenResponse } from "./tokenResponse.js"

const secret = Schema.Redacted(Schema.String)

/** RFC 6749 section 4.1.3 and RFC 7636 section 4.5. */
const ExchangePayload = Schema.Struct({
  grant_type: Schema.Literal("authorization_code"),
  client_id: Schema.String,
  code: secret,
  code_verifier: secret,
  redirect_uri: Schema.String
})

export const isCodeExchange: (body: unknown) => boolean = Schema.is(
  Schema.Struct({ grant_type: ExchangePayload.fields.grant_type })
)

const refusals: Readonly<Record<CodeRefusal, string>> = {
  unknown: "code: is not from this sandbox, or was forgotten",
  used: "code: was used before; a session that it started has ended",
  expired: "code: has expired; it lives for 60 seconds",
  client: "client_id: the code is another client's",
  redirect: "redirect_uri: is not the one that the code was sent to",
  verifier: "code_verifier: does not fit the challenge"
}

export const exchange = Effect.fnUntraced(function* (emulator: EmulatorService, headers: Headers.Headers) {
  const switches = yield* emulator.switches
  const body = yield* JsonBody.decode(ExchangePayload)
  const { client_id: clientId, code, code_verifier: verifier, redirect_uri: redirectUri } = body
  if (!emulator.settings.clients.has(clientId)) {
    return yield* badCredentials(switches.badCredentials, "client_id: is not known to this sandbox")
  }
  yield* RequestContext.annotate({ clientId })
  yield* checkRateLimit(emulator, clientId)
  yield* bearerMiddleware.checkAccount(emulator, switches, headers, clientId)
  const newTokens = yield* emulator.newTokens
  const session = yield* emulator.transition(
    SandboxState.exchange({ clientId, code, verifier, redirectUri }, newTokens(clientId), yield* emulator.now)
  )
  return yield* Either.match(session, {
    onLeft: (refusal) => Effect.fail(unauthorized("Invalid or expired authorization code", refusals[refusal])),
    onRight: (session) => Effect.succeed(tokenResponse(emulator, switches, session, { withRefreshToken: true }))
  })
})
