/**
 * Reads what the headers of a request say about who sends it.
 *
 * @since 0.1.0
 */
import * as Headers from "@effect/platform/Headers"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { BearerAuth, type Unauthorized } from "../schemas/NombaApi.js"
import type { Subject } from "./AccessToken.js"
import { Emulator, type EmulatorService } from "./Emulator.js"
import { unauthorized } from "./Envelope.js"
import * as SandboxState from "./SandboxState.js"

/** RFC 6750 section 2.1; the scheme in any case, RFC 9110 section 11.1. */
const credentials = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i

const refused = (why: string): Unauthorized => unauthorized("Unauthorized", `Authorization: ${why}`)

/** The 401 of a token that was good once. */
export const dead = (refusal: SandboxState.BearerRefusal): Unauthorized => refused(`the token is ${refusal}`)

/** The 401 of an `accountId` header that is another account's, or absent where it is required. */
export const wrongAccount: Unauthorized = unauthorized("Unauthorized", "accountId: is not the account of this client")

/** Whether the `accountId` header fits a client, by the sandbox's rule for it. */
export const admits = (emulator: EmulatorService, headers: Headers.Headers): ((clientId: string) => boolean) =>
  emulator.admits(Option.getOrUndefined(Headers.get(headers, "accountId")))

/** Whose bearer token a request carries, dead or alive: none where there is no header, a 401 where it is not ours. */
export const bearer = (
  emulator: EmulatorService,
  headers: Headers.Headers
): Either.Either<Option.Option<Subject>, Unauthorized> =>
  Option.match(Headers.get(headers, "authorization"), {
    onNone: () => Either.right(Option.none()),
    onSome: (header) =>
      Either.fromNullable(credentials.exec(header)?.[1], () => refused("has to be Bearer and a token")).pipe(
        Either.map(emulator.verify),
        Either.filterOrLeft(Option.isSome, () => refused("the token is not from this sandbox"))
      )
  })

/** Lets only a live bearer token through. */
export const layer: Layer.Layer<BearerAuth, never, Emulator> = Layer.effect(
  BearerAuth,
  Effect.map(Emulator, (emulator) =>
    BearerAuth.of({
      bearerAuth: () =>
        Effect.gen(function* () {
          const { headers } = yield* HttpServerRequest.HttpServerRequest
          const subject = yield* bearer(emulator, headers)
          if (Option.isNone(subject)) return yield* refused("is missing")
          const live = SandboxState.authenticate(subject.value, yield* emulator.now)(yield* emulator.state)
          yield* Either.mapLeft(live, dead)
          return subject.value
        })
    })
  )
)
