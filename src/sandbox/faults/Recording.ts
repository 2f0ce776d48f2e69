/** Counts requests and logs what became of them. */
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Counted } from "../config/endpoints.js"
import type { ActiveFault } from "../config/Fault.js"
import * as Envelope from "../http/Envelope.js"
import * as httpApiRoutes from "../http/httpApiRoutes.js"
import type { ConnectionReset } from "../http/SandboxApp.js"
import type { EmulatorService } from "../state/Emulator.js"
import * as RequestLog from "../state/RequestLog.js"
import * as SandboxState from "../state/SandboxState.js"
import { describeFault } from "./FaultInjection.js"
import * as RequestContext from "./RequestContext.js"

/** Gives the answer, and what turned out about the request. */
export type Recorded = <R>(
  endpoint: Counted,
  process: (fault: ActiveFault) => Effect.Effect<HttpServerResponse.HttpServerResponse, ConnectionReset, R>
) => Effect.Effect<
  readonly [HttpServerResponse.HttpServerResponse, RequestContext.RequestContext],
  ConnectionReset,
  R | HttpServerRequest.HttpServerRequest
>

/** What became of a request, before its circumstances are added. */
type Ending = Pick<RequestLog.Entry, "status" | "outcome" | "why">

const answered = (
  fault: ActiveFault,
  response: HttpServerResponse.HttpServerResponse,
  { refused, why }: RequestContext.RequestContext
): Ending => {
  const { status } = response
  if (fault.answer !== undefined) return { status, outcome: "faulted", why: describeFault(fault) }
  return refused || status >= 400
    ? { status, outcome: "refused", why: why ?? Envelope.firstError(response) }
    : { status, outcome: "succeeded", why: describeFault(fault) }
}

const dropped = (why: string | undefined): Ending => ({ status: "dropped", outcome: "faulted", why })

/** Records what a sandbox is asked. A path is logged without a secret of its clients. */
export const make = ({ now, settings, transition }: EmulatorService): Recorded => {
  const secrets = Array.from(settings.clients.values()).flatMap(({ clientSecret }) =>
    clientSecret === undefined ? [] : [Redacted.value(clientSecret)]
  )
  return (endpoint, process) =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { method } = request
      const at = yield* now
      const arrival = yield* transition(SandboxState.recordArrival(endpoint, at))
      const record = (ending: Ending) =>
        Effect.gen(function* () {
          const { clientId } = yield* RequestContext.current
          const took = Math.max(0, (yield* now) - at)
          const path = RequestLog.kept(httpApiRoutes.pathOf(request), secrets)
          yield* transition(
            SandboxState.recordAnswer(arrival, { at, took, method, path, endpoint, clientId, ...ending })
          )
        })
      return yield* Effect.zip(process(arrival.fault), RequestContext.current).pipe(
        Effect.tap(([response, visit]) => record(answered(arrival.fault, response, visit))),
        Effect.tapError(() => record(dropped(describeFault(arrival.fault)))),
        Effect.onInterrupt(() => record(dropped("the caller left before the answer"))),
        RequestContext.scoped
      )
    })
}
