/** Rejections whose status the contract does not fix. */
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as RequestContext from "../faults/RequestContext.js"
import * as Envelope from "../http/Envelope.js"
import type { EmulatorService } from "../state/Emulator.js"
import * as SandboxState from "../state/SandboxState.js"

/** Ends a handler with a response. */
export class Refusal extends Data.TaggedError("Refusal")<{
  readonly response: HttpServerResponse.HttpServerResponse
}> {}

export const catchRefusals = <E, R>(
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E | Refusal, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, Exclude<E, Refusal>, R> =>
  Effect.catchAll(handler, (error) =>
    error instanceof Refusal
      ? Effect.as(RequestContext.annotate({ refused: true }), error.response)
      : Effect.fail(error as Exclude<E, Refusal>)
  )

export const refuse = (status: number, description: string, error: string): Refusal =>
  new Refusal({ response: Envelope.refusal(status, { code: String(status), description, error }) })

export const badCredentials = (status: number, error: string): Refusal =>
  new Refusal({
    response: Envelope.refusal(status, { code: "01", description: "Invalid client credentials", error })
  })

/** A 404 looks as it was seen live (wire facts). */
export const invalidRefreshToken = (status: number, error: string): Refusal =>
  new Refusal({
    response:
      status === 404
        ? Envelope.refusal(404, { code: "404", description: "Refresh Token not found", error, status: false })
        : Envelope.refusal(status, { code: "02", description: "Invalid or expired refresh token", error })
  })

/** 400 and 500 look as they were seen live (wire facts). */
export const expiredToken = (status: number, expiresAt: number): Refusal => {
  const text = `JWT expired at ${DateTime.formatIso(DateTime.unsafeMake(expiresAt))}`
  const description = { 400: text, 500: `Internal Server Error: INTERNAL: ${text}` }[status] ?? "Unauthorized"
  return refuse(status, description, "Authorization: the token is expired")
}

/** Counts a POST against the account of its client; a 429 if it has sent too many in this window. */
export const checkRateLimit = (emulator: EmulatorService, clientId: string): Effect.Effect<void, Refusal> =>
  Effect.gen(function* () {
    const account = emulator.settings.clients.get(clientId)?.accountId ?? clientId
    const quota = yield* emulator.transition(SandboxState.countRequest(account, yield* emulator.now))
    if (Option.isNone(quota)) return
    yield* RequestContext.annotate({ quota: quota.value })
    if (!quota.value.admitted) {
      const error = `the account has sent its ${quota.value.limit} POST requests of this window of ${quota.value.window}`
      return yield* refuse(429, "Too many requests", error)
    }
  })
