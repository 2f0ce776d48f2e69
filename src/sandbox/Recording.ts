/**
 * Counts requests and logs what became of them.
 *
 * @since 0.1.0
 */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type ConnectionDropped, named } from "./Befalling.js"
import type { EmulatorService } from "./Emulator.js"
import * as Envelope from "./Envelope.js"
import type { Counted } from "./endpoints.js"
import type { Misfortune } from "./Fault.js"
import * as SandboxState from "./SandboxState.js"
import * as RequestLog from "./state/RequestLog.js"
import * as Visit from "./Visit.js"

/** Gives the answer, and what turned out about the request. */
export type Recorded = <R>(
  endpoint: Counted,
  process: (fault: Misfortune) => Effect.Effect<HttpServerResponse.HttpServerResponse, ConnectionDropped, R>
) => Effect.Effect<
  readonly [HttpServerResponse.HttpServerResponse, Visit.Visit],
  ConnectionDropped,
  R | HttpServerRequest.HttpServerRequest
>

/** What became of a request, before its circumstances are added. */
type Ending = Pick<RequestLog.Entry, "status" | "outcome" | "why">

const answered = (
  fault: Misfortune,
  response: HttpServerResponse.HttpServerResponse,
  { refused, why }: Visit.Visit
): Ending => {
  const { status } = response
  if (fault.answer !== undefined) return { status, outcome: "faulted", why: named(fault) }
  return refused || status >= 400
    ? { status, outcome: "refused", why: why ?? Envelope.firstError(response) }
    : { status, outcome: "succeeded", why: named(fault) }
}

const dropped = (why: string | undefined): Ending => ({ status: "dropped", outcome: "faulted", why })

/** Records what a sandbox is asked. A path is logged without a secret of its clients. */
export const make = ({ now, settings, transition }: EmulatorService): Recorded => {
  const secrets = Array.from(settings.clients.values()).flatMap(({ clientSecret }) =>
    clientSecret === undefined ? [] : [Redacted.value(clientSecret)]
  )
  return (endpoint, process) =>
    Effect.gen(function* () {
      const { method, url } = yield* HttpServerRequest.HttpServerRequest
      const at = yield* now
      const arrival = yield* transition(SandboxState.arrive(endpoint, at))
      const record = (ending: Ending) =>
        Effect.gen(function* () {
          const { clientId } = yield* Visit.noted
          const took = Math.max(0, (yield* now) - at)
          const path = RequestLog.pathOf(url, secrets)
          yield* transition(SandboxState.answer(arrival, { at, took, method, path, endpoint, clientId, ...ending }))
        })
      return yield* Effect.zip(process(arrival.fault), Visit.noted).pipe(
        Effect.tap(([response, visit]) => record(answered(arrival.fault, response, visit))),
        Effect.tapError(() => record(dropped(named(arrival.fault)))),
        Effect.onInterrupt(() => record(dropped("the caller left before the answer"))),
        Visit.following
      )
    })
}
