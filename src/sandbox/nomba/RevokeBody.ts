/** What revoke takes: the contract says `{ token }`, the live API says `{ clientId, access_token }`. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type BadRequest, RevokePayload } from "../../schemas/NombaApi.js"
import type { Switches } from "../config/Switches.js"
import { badRequest } from "../http/Envelope.js"
import * as JsonBody from "../http/JsonBody.js"

/** The token to end, and whose it is said to be. */
export interface Named {
  readonly token: Redacted.Redacted
  readonly clientId?: string | undefined
}

const Members = Schema.Struct({
  token: Schema.optional(RevokePayload.fields.token),
  clientId: Schema.optional(Schema.String),
  access_token: Schema.optional(RevokePayload.fields.token)
})

const known: Readonly<Record<Switches["revokeMembers"], ReadonlyArray<keyof typeof Members.Type>>> = {
  any: ["token", "clientId", "access_token"],
  spec: ["token"],
  live: ["clientId", "access_token"]
}

const named = (body: typeof Members.Type, form: Switches["revokeMembers"]): Effect.Effect<Named, BadRequest> => {
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

/** The members that the sandbox takes at the moment, or a 400 that names those that are wrong. */
export const read = (switches: Switches): Effect.Effect<Named, BadRequest, JsonBody.JsonBody> =>
  Effect.gen(function* () {
    const members = known[switches.revokeMembers]
    const body = yield* JsonBody.JsonBody
    const given = Predicate.isRecord(body) ? Object.entries(body) : []
    const taken = given.filter(([member]) => (members as ReadonlyArray<string>).includes(member))
    if (switches.revokeUnknownMembers === "refused" && taken.length < given.length) {
      return yield* badRequest(`body: must be ${members.join(", ")} and nothing else`)
    }
    const decoded = yield* Effect.provideService(
      JsonBody.decode(Members),
      JsonBody.JsonBody,
      Predicate.isRecord(body) ? Object.fromEntries(taken) : body
    )
    return yield* named(decoded, switches.revokeMembers)
  })
