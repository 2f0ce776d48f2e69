/**
 * A refusal whose status the contract does not fix.
 *
 * @since 0.1.0
 */
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { EmulatorService } from "./Emulator.js"
import * as Envelope from "./Envelope.js"
import * as SandboxState from "./SandboxState.js"
import * as Visit from "./Visit.js"

/** The answer that a handler breaks off with. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly response: HttpServerResponse.HttpServerResponse
}> {}

/** A handler that may break off. */
export const answering = <E, R>(
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E | Refused, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, Exclude<E, Refused>, R> =>
  Effect.catchAll(handler, (error) =>
    error instanceof Refused
      ? Effect.as(Visit.note({ refused: true }), error.response)
      : Effect.fail(error as Exclude<E, Refused>)
  )

/** Wrong client credentials. */
export const badCredentials = (status: number, error: string): Refused =>
  new Refused({
    response: Envelope.refusal(status, { code: "01", description: "Invalid client credentials", error })
  })

/** A refresh token that is no good. */
export const deadRefreshToken = (status: number, error: string): Refused =>
  new Refused({
    response: Envelope.refusal(status, { code: "02", description: "Invalid or expired refresh token", error })
  })

/** A POST of a client counts against its account; a 429 where it had too many in this window. */
export const countAgainst = (emulator: EmulatorService, clientId: string): Effect.Effect<void, Refused> =>
  Effect.gen(function* () {
    const account = emulator.settings.clients.get(clientId)?.accountId ?? clientId
    const quota = yield* emulator.transition(SandboxState.spend(account, yield* emulator.now))
    if (Option.isNone(quota)) return
    yield* Visit.note({ quota: quota.value })
    if (!quota.value.admitted) {
      const error = `the account has had its ${quota.value.limit} in this window of ${quota.value.window}`
      return yield* new Refused({
        response: Envelope.refusal(429, { code: "429", description: "Too many requests", error })
      })
    }
  })
