/**
 * One request to a token endpoint and its answer, within one time-out.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { type InvalidRequest, type Operation, Unavailable } from "../../schemas/AuthError.js"
import * as Body from "../http/Body.js"
import * as NetworkFailure from "../http/NetworkFailure.js"

/**
 * A client whose requests end with their scope (`HttpClient.withScope`).
 *
 * @since 0.1.0
 * @category models
 */
export type ScopedClient = HttpClient.HttpClient.With<HttpClientError.HttpClientError, Scope.Scope>

/**
 * What came back, with this machine's clock before and after, in milliseconds since 1970.
 *
 * @since 0.1.0
 * @category models
 */
export interface Exchange {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly body: Body.Body
  readonly sentAt: number
  readonly receivedAt: number
}

/**
 * Sends a request and reads the answer, until `late` is done. Time that runs out before there is a status is
 * `Unavailable`; after that the status counts, with as much of the body as arrived.
 *
 * @since 0.1.0
 */
export const run = (
  client: ScopedClient,
  request: HttpClientRequest.HttpClientRequest,
  operation: Operation,
  late: Effect.Effect<void>
): Effect.Effect<Exchange, InvalidRequest | Unavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const sentAt = yield* Clock.currentTimeMillis
    const response = yield* client.execute(request).pipe(
      Effect.catchTag("ResponseError", (error) =>
        error.reason === "StatusCode" ? Effect.succeed(error.response) : Effect.fail(error)
      ),
      Effect.catchAllCause((cause) => Effect.fail(failure(operation, cause))),
      Effect.disconnect,
      Effect.raceFirst(Effect.zipRight(late, Effect.fail(new Unavailable({ operation, reason: "Timeout" }))))
    )
    const body = yield* Body.readUntil(response, late)
    return { response, body, sentAt, receivedAt: yield* Clock.currentTimeMillis }
  })

/**
 * A time-out that begins now, for several steps: it is done when the time is over, however often it is awaited.
 *
 * It has no patience with a process that stands still: a lease lasts for longer than this, so that whoever lost it meanwhile
 * wakes to a time-out that is due, and what has not left the machine by then is not sent.
 *
 * @since 0.1.0
 */
export const timeout = (duration: Duration.Duration): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.map(Effect.forkScoped(Effect.sleep(duration)), Fiber.join)

/** A client that dies, or interrupts itself, is a client that could not reach Nomba. */
const failure = (
  operation: Operation,
  cause: Cause.Cause<HttpClientError.HttpClientError>
): InvalidRequest | Unavailable =>
  Either.match(Cause.failureOrCause(cause), {
    onLeft: (error) => NetworkFailure.fromHttpClientError(operation, error),
    onRight: (cause) => NetworkFailure.fromCause(operation, Cause.squash(cause))
  })
