/** A refusal whose status the contract does not fix. */
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as RequestContext from "../faults/RequestContext.js"
import * as Envelope from "../http/Envelope.js"
import type { EmulatorService } from "../state/Emulator.js"
import * as SandboxState from "../state/SandboxState.js"

/** The answer that a handler breaks off with. */
export class Refusal extends Data.TaggedError("Refusal")<{
  readonly response: HttpServerResponse.HttpServerResponse
}> {}

/** A handler that may break off. */
export const catchRefusals = <E, R>(
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E | Refusal, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, Exclude<E, Refusal>, R> =>
  Effect.catchAll(handler, (error) =>
    error instanceof Refusal
      ? Effect.as(RequestContext.annotate({ refused: true }), error.response)
      : Effect.fail(error as Exclude<E, Refusal>)
  )

/** Wrong client credentials. */
export const badCredentials = (status: number, error: string): Refusal =>
  new Refusal({
    response: Envelope.refusal(status, { code: "01", description: "Invalid client credentials", error })
  })

/** A refresh token that is no good. */
export const invalidRefreshToken = (status: number, error: string): Refusal =>
  new Refusal({
    response: Envelope.refusal(status, { code: "02", description: "Invalid or expired refresh token", error })
  })

/** A POST of a client counts against its account; a 429 where it had too many in this window. */
export const checkRateLimit = (emulator: EmulatorService, clientId: string): Effect.Effect<void, Refusal> =>
  Effect.gen(function* () {
    const account = emulator.settings.clients.get(clientId)?.accountId ?? clientId
    const quota = yield* emulator.transition(SandboxState.countRequest(account, yield* emulator.now))
    if (Option.isNone(quota)) return
    yield* RequestContext.annotate({ quota: quota.value })
    if (!quota.value.admitted) {
      const error = `the account has had its ${quota.value.limit} in this window of ${quota.value.window}`
      return yield* new Refusal({
        response: Envelope.refusal(429, { code: "429", description: "Too many requests", error })
      })
    }
  })
