/**
 * The authorization code grant of issue.
 *
 * @since 0.1.0
 */
import type * as Headers from "@effect/platform/Headers"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Authorization from "../Authorization.js"
import type { EmulatorService } from "../Emulator.js"
import { unauthorized } from "../Envelope.js"
import * as JsonBody from "../JsonBody.js"
import { badCredentials, countAgainst } from "../Refused.js"
import * as SandboxState from "../SandboxState.js"
import { granted } from "../TokenAnswer.js"
import * as Visit from "../Visit.js"
import type { CodeRefusal } from "./Logins.js"

const secret = Schema.Redacted(Schema.String)

/** RFC 6749 section 4.1.3 and RFC 7636 section 4.5. */
const ExchangePayload = Schema.Struct({
  grant_type: Schema.Literal("authorization_code"),
  client_id: Schema.String,
  code: secret,
  code_verifier: secret,
  redirect_uri: Schema.String
})

/** Whether a body asks for this grant. */
export const isFor: (body: unknown) => boolean = Schema.is(
  Schema.Struct({ grant_type: ExchangePayload.fields.grant_type })
)

const refusals: Readonly<Record<CodeRefusal, string>> = {
  unknown: "code: is not from this sandbox, or long gone",
  used: "code: was used before; the session that came of it, if one did, has ended",
  expired: "code: has expired; it lives for 60 seconds",
  client: "client_id: the code is another client's",
  redirect: "redirect_uri: is not the one that the code was sent to",
  verifier: "code_verifier: does not fit the challenge"
}

/** A session for whoever brings a code and the verifier of its challenge. There is no secret in it. */
export const exchange = Effect.fnUntraced(function* (emulator: EmulatorService, headers: Headers.Headers) {
  const switches = yield* emulator.switches
  const body = yield* JsonBody.decode(ExchangePayload)
  const { client_id: clientId, code, code_verifier: verifier, redirect_uri: redirectUri } = body
  if (!emulator.settings.clients.has(clientId)) {
    return yield* badCredentials(switches.badCredentials, "client_id: is not known to this sandbox")
  }
  yield* Visit.note({ clientId })
  yield* countAgainst(emulator, clientId)
  if (!Authorization.admits(emulator, switches, headers)(clientId)) return yield* Authorization.wrongAccount
  const mint = yield* emulator.mint
  const session = yield* emulator.transition(
    SandboxState.exchange({ clientId, code, verifier, redirectUri }, mint(clientId), yield* emulator.now)
  )
  return yield* Either.match(session, {
    onLeft: (refusal) => Effect.fail(unauthorized("Invalid or expired authorization code", refusals[refusal])),
    onRight: (session) => Effect.succeed(granted(emulator, switches, session, { withRefreshToken: true }))
  })
})
