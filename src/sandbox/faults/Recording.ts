/** Counts and logs each request, and finds the fault that applies to it. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { ActiveFault } from "../config/Fault.js"
import type { Counted } from "../config/operations.js"
import * as Envelope from "../http/Envelope.js"
import { pathOf } from "../http/httpApiRoutes.js"
import type { ConnectionReset } from "../http/SandboxApp.js"
import type { EmulatorService } from "../state/Emulator.js"
import * as RequestLog from "../state/RequestLog.js"
import * as SandboxState from "../state/SandboxState.js"
import { describeFault } from "./FaultInjection.js"
import * as RequestContext from "./RequestContext.js"

export type Recorded = <R>(
  operation: Counted,
  process: (fault: ActiveFault) => Effect.Effect<HttpServerResponse.HttpServerResponse, ConnectionReset, R>
) => Effect.Effect<
  readonly [HttpServerResponse.HttpServerResponse, RequestContext.RequestContext],
  ConnectionReset,
  R | HttpServerRequest.HttpServerRequest
>

/** One line of text that a terminal shows as it is. */
const printable = (why: string | undefined): string | undefined =>
  why?.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, " ").slice(0, 200)

type Outcome = Pick<RequestLog.Entry, "status" | "outcome" | "why">

const outcomeOf = (
  fault: ActiveFault,
  response: HttpServerResponse.HttpServerResponse,
  { refused, why }: RequestContext.RequestContext
): Outcome => {
  const { status } = response
  if (fault.answer !== undefined) return { status, outcome: "faulted", why: describeFault(fault) }
  return refused || status >= 400
    ? { status, outcome: "refused", why: printable(why ?? Envelope.firstError(response)) }
    : { status, outcome: "succeeded", why: describeFault(fault) }
}

const dropped = (why: string | undefined): Outcome => ({ status: "dropped", outcome: "faulted", why })

export const make = ({ now, settings, transition }: EmulatorService): Recorded => {
  const secrets = Array.from(settings.clients.values()).flatMap(({ clientSecret }) =>
    clientSecret === undefined ? [] : [Redacted.value(clientSecret)]
  )
  return (operation, process) =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { method } = request
      const path = pathOf(request)
      const at = yield* now
      // The sandbox's clock can be set while the request is processed.
      const began = yield* Clock.currentTimeNanos
      const arrival = yield* transition(SandboxState.recordArrival({ operation, method, path }, at))
      const record = (outcome: Outcome) =>
        Effect.gen(function* () {
          const { clientId } = yield* RequestContext.current
          const took = Math.round(Number((yield* Clock.currentTimeNanos) - began) / 1e6)
          const logged = { took, method, path: RequestLog.loggedPath(path, secrets), clientId, ...outcome }
          yield* transition(SandboxState.recordAnswer(arrival, { at, operation, ...logged }))
          yield* Effect.ignore(Effect.try(() => settings.onRequest?.(logged)))
        })
      return yield* Effect.zip(process(arrival.fault), RequestContext.current).pipe(
        Effect.tap(([response, context]) => record(outcomeOf(arrival.fault, response, context))),
        Effect.tapError(() => record(dropped(describeFault(arrival.fault)))),
        Effect.onInterrupt(() => record(dropped("the client disconnected before the response"))),
        RequestContext.scoped
      )
    })
}
