/** Checks what the headers of a request say about its sender. */
import * as Headers from "@effect/platform/Headers"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { BearerAuth } from "../../schemas/NombaApi.js"
import type { Switches } from "../config/Switches.js"
import * as RequestContext from "../faults/RequestContext.js"
import type { Subject } from "../state/AccessToken.js"
import type { EmulatorService } from "../state/Emulator.js"
import * as Sessions from "../state/Sessions.js"
import { expiredToken, type Refusal, refuse } from "./Refusal.js"

/** RFC 6750 section 2.1; the scheme in any case, RFC 9110 section 11.1. */
const schemes = {
  bearer: /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i,
  any: /^(?:Bearer +)?([A-Za-z0-9\-._~+/]+=*)$/i
}

export const invalidBearer = (why: string): Refusal => refuse(401, "Unauthorized", `Authorization: ${why}`)

const missing = invalidBearer("is missing")

/** The rejection of a token that expired, was replaced or was revoked. */
const rejectedToken = (
  { expiredToken: status }: Switches,
  sessions: Sessions.Sessions,
  subject: Subject,
  refusal: Sessions.BearerRefusal
): Refusal =>
  refusal === "expired"
    ? expiredToken(status, Sessions.expiryOf(sessions, subject) ?? 0)
    : invalidBearer(`the token is ${refusal}`)

export const expiredBearer = (
  switches: Switches,
  sessions: Sessions.Sessions,
  bearer: Option.Option<Subject>
): Refusal =>
  Option.match(bearer, {
    onNone: () => missing,
    onSome: (subject) => rejectedToken(switches, sessions, subject, "expired")
  })

/** Why the `accountId` header does not fit a client. */
export type AccountProblem = "missing" | "wrong" | "sub-account"

export const accountProblem =
  ({ settings }: EmulatorService, { accountHeader }: Switches, headers: Headers.Headers) =>
  (clientId: string): AccountProblem | undefined => {
    if (accountHeader === "ignored") return undefined
    const header = Option.getOrUndefined(Headers.get(headers, "accountId"))
    const { accountId, subAccountIds = [] } = settings.clients.get(clientId) ?? {}
    if (header === undefined) return accountHeader === "required" ? "missing" : undefined
    if (subAccountIds.includes(header)) return "sub-account"
    return accountId === undefined || header === accountId ? undefined : "wrong"
  }

export const accountRefusal = ({ wrongAccount }: Switches, problem: AccountProblem): Refusal => {
  switch (problem) {
    case "missing":
      return refuse(401, "Unauthorized", "accountId: is missing")
    case "sub-account":
      return refuse(
        403,
        "Forbidden",
        "accountId: is a sub-account's; send the parent's and name the sub-account in the path"
      )
    case "wrong":
      return refuse(
        wrongAccount,
        wrongAccount === 403 ? "Forbidden" : "Unauthorized",
        "accountId: is not the account of this client"
      )
  }
}

export const checkAccount = (
  emulator: EmulatorService,
  switches: Switches,
  headers: Headers.Headers,
  clientId: string
): Either.Either<void, Refusal> => {
  const problem = accountProblem(emulator, switches, headers)(clientId)
  return problem === undefined ? Either.void : Either.left(accountRefusal(switches, problem))
}

/** The client and token of the `Authorization` header, valid or not; none without the header. */
const bearer = (
  emulator: EmulatorService,
  { bearerScheme }: Switches,
  headers: Headers.Headers
): Either.Either<Option.Option<Subject>, Refusal> =>
  Option.match(Headers.get(headers, "authorization"), {
    onNone: () => Either.right(Option.none()),
    onSome: (header) =>
      Either.fromNullable(schemes[bearerScheme].exec(header)?.[1], () =>
        invalidBearer(bearerScheme === "any" ? "must be a token, with or without Bearer" : "must be Bearer and a token")
      ).pipe(
        Either.map(emulator.verify),
        Either.filterOrLeft(Option.isSome, () => invalidBearer("the token is not from this sandbox"))
      )
  })

/** The bearer of a refresh, as far as the sandbox checks it. */
export const bearerOfRefresh = (
  emulator: EmulatorService,
  switches: Switches,
  headers: Headers.Headers
): Either.Either<Option.Option<Subject>, Refusal> =>
  switches.refreshBearer === "ignored"
    ? Either.right(Option.none())
    : Either.filterOrLeft(
        bearer(emulator, switches, headers),
        (subject) => switches.refreshBearer === "optional" || Option.isSome(subject),
        () => missing
      )

/** The sender of a request whose bearer token is valid; none without the `Authorization` header. */
const optionalSender = (emulator: EmulatorService, headers: Headers.Headers) =>
  Effect.gen(function* () {
    const switches = yield* emulator.switches
    const subject = yield* bearer(emulator, switches, headers)
    if (Option.isSome(subject)) {
      yield* RequestContext.annotate({ clientId: subject.value.clientId })
      const { sessions } = yield* emulator.state
      const valid = Sessions.authenticate(subject.value, yield* emulator.now)(sessions)
      yield* Either.mapLeft(valid, (refusal) => rejectedToken(switches, sessions, subject.value, refusal))
    }
    return subject
  })

export const sender = (emulator: EmulatorService, headers: Headers.Headers): Effect.Effect<Subject, Refusal> =>
  Effect.flatMap(optionalSender(emulator, headers), (subject) => Effect.mapError(subject, () => missing))

/** Who revokes; none if the bearer is missing and may be. */
export const senderOfRevoke = (
  emulator: EmulatorService,
  headers: Headers.Headers
): Effect.Effect<Option.Option<Subject>, Refusal> =>
  Effect.gen(function* () {
    const { revokeBearer } = yield* emulator.switches
    const subject = yield* optionalSender(emulator, headers)
    return Option.isNone(subject) && revokeBearer === "required" ? yield* missing : subject
  })

/**
 * Lets every request through to revoke. The contract knows a 401 only, but the status of a bad bearer is a switch, so
 * `nombaRoutes` checks the bearer before and the handler reads it with `senderOfRevoke`.
 */
export const layer: Layer.Layer<BearerAuth> = Layer.succeed(
  BearerAuth,
  BearerAuth.of({ bearerAuth: () => Effect.succeed({ clientId: "", tokenId: "" }) })
)
