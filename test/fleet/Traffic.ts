/** The traffic of one process: requests for resources, and their outcomes. */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { NombaClient } from "../../src/services/NombaClient.js"
import type { Report } from "./protocol.js"

export interface Traffic {
  /** Starts to send requests, one in this many milliseconds. */
  readonly begin: (every: number) => Effect.Effect<void, never, NombaClient>
  /** Ends the load and waits for the requests under way. */
  readonly end: Effect.Effect<Report>
}

const streamed = (): HttpBody.HttpBody =>
  HttpBody.stream(Stream.make(new TextEncoder().encode("{}")), "application/json")

/** The one request whose body cannot be replayed. */
const STREAMED = 7

/** `name` is the process's and has no dash. `now` is the machine's time, also if the process's clock is off. */
export const makeTraffic = (name: string, now: () => number): Traffic => {
  const failed: Record<string, number> = {}
  const unauthorized: Array<string> = []
  const report = {
    ok: 0,
    streamed: undefined as number | undefined,
    firstFailure: undefined as number | undefined,
    lastFailure: undefined as number | undefined
  }
  const underWay = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
  let load: Fiber.RuntimeFiber<unknown, unknown> | undefined
  let sent = 0

  const requestOf = (number: number): HttpClientRequest.HttpClientRequest => {
    if (number === STREAMED) return HttpClientRequest.post("/v1/transfers", { body: streamed() })
    if (number % 5 === 0) return HttpClientRequest.post("/v1/transfers", { body: HttpBody.unsafeJson({ amount: 1 }) })
    return HttpClientRequest.get("/v1/accounts/balance")
  }

  const send = (number: number): Effect.Effect<void, never, NombaClient> =>
    Effect.gen(function* () {
      const nomba = yield* NombaClient
      const id = `${name}-${number}`
      const headers = { "idempotency-key": id, "x-request-id": id }
      const outcome = yield* nomba.execute(HttpClientRequest.setHeaders(requestOf(number), headers)).pipe(
        Effect.tap(({ text }) => text),
        Effect.scoped,
        Effect.map(({ status }) => status),
        Effect.catchAll((error) =>
          Effect.succeed(
            error._tag === "Unavailable" && error.reason === "SessionContested" ? error.reason : error._tag
          )
        )
      )
      if (number === STREAMED) report.streamed = typeof outcome === "number" ? outcome : 0
      else if (outcome === 200) report.ok += 1
      else if (outcome === 401) unauthorized.push(id)
      else {
        failed[outcome] = (failed[outcome] ?? 0) + 1
        report.firstFailure ??= now()
        report.lastFailure = now()
      }
    })

  const sendNext = Effect.suspend(() => {
    sent += 1
    return Effect.map(Effect.forkDaemon(send(sent)), (fiber) => {
      underWay.add(fiber)
      fiber.addObserver(() => underWay.delete(fiber))
    })
  })

  return {
    begin: (every) =>
      Effect.map(Effect.forkDaemon(Effect.forever(Effect.delay(sendNext, every))), (fiber) => {
        load = fiber
      }),
    end: Effect.gen(function* () {
      if (load !== undefined) yield* Fiber.interrupt(load)
      yield* Fiber.awaitAll(underWay)
      return { ...report, failed, unauthorized }
    })
  }
}
