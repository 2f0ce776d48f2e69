/** Reads what the headers of a request say about who sends it. */
import * as Headers from "@effect/platform/Headers"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { BearerAuth, type Unauthorized } from "../../schemas/NombaApi.js"
import type { Switches } from "../config/Switches.js"
import * as RequestContext from "../faults/RequestContext.js"
import { unauthorized } from "../http/Envelope.js"
import type { Subject } from "../state/AccessToken.js"
import { Emulator, type EmulatorService } from "../state/Emulator.js"
import * as Sessions from "../state/Sessions.js"

/** RFC 6750 section 2.1; the scheme in any case, RFC 9110 section 11.1. */
const credentials = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i

/** A 401 that names the `Authorization` header. */
export const invalidBearer = (why: string): Unauthorized => unauthorized("Unauthorized", `Authorization: ${why}`)

const missing = invalidBearer("is missing")

/** The 401 of a token that was good once. */
export const rejectedToken = (refusal: Sessions.BearerRefusal): Unauthorized => invalidBearer(`the token is ${refusal}`)

/** The 401 of an `accountId` header that is another account's, or absent where it is required. */
export const wrongAccount: Unauthorized = unauthorized("Unauthorized", "accountId: is not the account of this client")

/** Whether the `accountId` header of a request fits a client, by the sandbox's rule for it. */
export const accountMatches =
  ({ settings }: EmulatorService, { accountHeader }: Switches, headers: Headers.Headers) =>
  (clientId: string): boolean => {
    if (accountHeader === "ignored") return true
    return Option.match(Headers.get(headers, "accountId"), {
      onNone: () => accountHeader === "optional",
      onSome: (accountId) => accountId === (settings.clients.get(clientId)?.accountId ?? accountId)
    })
  }

/** Whose bearer token a request carries, rejectedToken or alive: none where there is no header, a 401 where it is not ours. */
export const bearer = (
  emulator: EmulatorService,
  headers: Headers.Headers
): Either.Either<Option.Option<Subject>, Unauthorized> =>
  Option.match(Headers.get(headers, "authorization"), {
    onNone: () => Either.right(Option.none()),
    onSome: (header) =>
      Either.fromNullable(credentials.exec(header)?.[1], () => invalidBearer("must be Bearer and a token")).pipe(
        Either.map(emulator.verify),
        Either.filterOrLeft(Option.isSome, () => invalidBearer("the token is not from this sandbox"))
      )
  })

/** The bearer of a refresh, as far as the sandbox looks at it. */
export const bearerOfRefresh = (
  emulator: EmulatorService,
  { refreshBearer }: Switches,
  headers: Headers.Headers
): Either.Either<Option.Option<Subject>, Unauthorized> =>
  refreshBearer === "ignored"
    ? Either.right(Option.none())
    : Either.filterOrLeft(
        bearer(emulator, headers),
        (subject) => refreshBearer === "optional" || Option.isSome(subject),
        () => missing
      )

/** Lets only a live bearer token through. */
export const layer: Layer.Layer<BearerAuth, never, Emulator> = Layer.effect(
  BearerAuth,
  Effect.map(Emulator, (emulator) =>
    BearerAuth.of({
      bearerAuth: () =>
        Effect.gen(function* () {
          const { headers } = yield* HttpServerRequest.HttpServerRequest
          const subject = yield* bearer(emulator, headers)
          if (Option.isNone(subject)) return yield* missing
          yield* RequestContext.annotate({ clientId: subject.value.clientId })
          const live = Sessions.authenticate(subject.value, yield* emulator.now)((yield* emulator.state).sessions)
          yield* Either.mapLeft(live, rejectedToken)
          return subject.value
        })
    })
  )
)
