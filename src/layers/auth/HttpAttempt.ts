/**
 * One attempt of a token operation: when it may be sent, one request, its response, and what the response means.
 */
import * as Headers from "@effect/platform/Headers"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import {
  type AuthError,
  type InvalidCredentials,
  type InvalidRequest,
  type Operation,
  Unavailable,
  UnexpectedResponse
} from "../../schemas/AuthError.js"
import * as Responses from "../../schemas/Responses.js"
import { present } from "../../schemas/Responses.js"
import { withoutSecrets } from "../../schemas/SafeText.js"
import type { Session } from "../../schemas/Session.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import * as BaseUrl from "../config/BaseUrl.js"
import * as GuardedClient from "../http/GuardedClient.js"
import * as IncomingResponse from "../http/IncomingResponse.js"
import * as NetworkFailure from "../http/NetworkFailure.js"
import { userAgent } from "../http/OutgoingRequest.js"
import { oncePerText } from "../processMemory.js"
import * as Telemetry from "../telemetry.js"
import {
  hasTime,
  interruptInBackground,
  measuredSleep,
  RENEWAL_LIMIT,
  STALLED_FOR,
  stallTolerantSleep,
  systemClock
} from "../time.js"
import * as Classification from "./Classification.js"
import { checkAccountId, type TokenRequest } from "./TokenRequest.js"

/** A response that reports a success. Times are milliseconds since 1970 by this machine's clock. */
export interface SuccessResponse {
  readonly json: object
  readonly status: number
  readonly headers: Headers.Headers
  readonly sentAt: number
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

/** One attempt, for an operation's rules, its request, and what is read from its success. */
export type HttpAttempt = <A, E extends AuthError>(
  rules: Classification.Rules<E>,
  prepare: Effect.Effect<TokenRequest, InvalidRequest | Unavailable>,
  decode: (response: SuccessResponse) => Effect.Effect<A, UnexpectedResponse>
) => Effect.Effect<A, E | InvalidRequest | InvalidCredentials | Unavailable | UnexpectedResponse>

/** Asked before an operation is repeated and before each of its requests is sent. */
export interface AttemptGateService {
  /** The last step before each request is sent, after everything that it carries was read. Fails if it must not be sent. */
  readonly beforeSend: Effect.Effect<void, Unavailable>
  /** Called once for each operation. `needed` is the time-out of one attempt. */
  readonly start: (needed: Duration.Duration) => Effect.Effect<WaitForNextAttempt>
}

/**
 * Waits and succeeds with whether another attempt may begin. Succeeds with `false` at once if the wait would leave too
 * little time.
 */
export type WaitForNextAttempt = (wait: Duration.Duration) => Effect.Effect<boolean>

/**
 * By default an operation has 30 s in all. A renewal provides its own gate, which knows its deadline, whether its lease is
 * still held and whether its scope is closing.
 */
export class AttemptGate extends Context.Reference<AttemptGate>()("nomba-auth/AttemptGate", {
  defaultValue: (): AttemptGateService => ({
    beforeSend: Effect.void,
    start: Effect.fnUntraced(function* (needed) {
      const deadline = (yield* Clock.currentTimeMillis) + Duration.toMillis(RENEWAL_LIMIT)
      return Effect.fnUntraced(function* (wait) {
        if (!hasTime(deadline, yield* Clock.currentTimeMillis, wait, needed)) return false
        yield* Effect.sleep(wait)
        return true
      })
    })
  })
}) {}

/**
 * Makes attempts within the configured time-out, `prepare` included. `AttemptGate.beforeSend` is asked last. The client
 * secret is masked in every response, because Nomba knows it.
 *
 * An attempt runs in a fiber of its own: its time-out fires also if the caller cannot be interrupted, and an interrupted
 * caller does not wait for a client that cannot be.
 */
export const make = (
  config: NombaConfigService,
  client: HttpClient.HttpClient,
  clientSecret: Effect.Effect<Option.Option<Redacted.Redacted<string>>>
): HttpAttempt => {
  const scoped = HttpClient.withScope(client)
  const host = BaseUrl.hostOf(config)
  return (rules, prepare, decode) =>
    Effect.gen(function* () {
      const timedOut = yield* startTimeout(config.requestTimeout)
      yield* checkAccountId(rules.operation, config.accountId)
      const request = yield* prepare
      yield* (yield* AttemptGate).beforeSend
      return yield* Effect.gen(function* () {
        const facts = { ...(yield* Telemetry.RequestFacts), template: request.path }
        const options = { operation: rules.operation, host, timedOut }
        const sent = yield* send(scoped, toHttpRequest(config, request), options).pipe(
          Effect.provideService(Telemetry.RequestFacts, facts)
        )
        const { headers, status } = sent.response
        const secrets = [...request.secrets, ...Option.toArray(yield* clientSecret)]
        const json = yield* Classification.classify({ ...sent, headers, status, secrets }, rules)
        return yield* decode({ json, headers, status, secrets, sentAt: sent.sentAt })
      }).pipe(Effect.onExit((exit) => Telemetry.countTokenRequest(rules.operation, Telemetry.outcomeOf(exit))))
    }).pipe(Effect.scoped, Effect.interruptible, interruptInBackground)
}

const toHttpRequest = (
  config: NombaConfigService,
  { bearer, body, path }: TokenRequest
): HttpClientRequest.HttpClientRequest => {
  const request = HttpClientRequest.post(`${config.baseUrl}${path}`, {
    acceptJson: true,
    headers: {
      ...userAgent,
      accountId: Option.getOrUndefined(config.accountId),
      authorization: bearer && `Bearer ${Redacted.value(bearer)}`
    },
    body: HttpBody.unsafeJson(body)
  })
  // `fetch` states the length itself, and undici refuses the two together.
  return GuardedClient.hidden(request, { headers: Headers.remove(request.headers, "content-length") })
}

type ScopedClient = HttpClient.HttpClient.With<HttpClientError.HttpClientError, Scope.Scope>

interface SendOptions {
  readonly operation: Operation
  readonly host: BaseUrl.Host
  readonly timedOut: TimedOut
}

interface Sent {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly body: IncomingResponse.Body
  readonly sentAt: number
  readonly receivedAt: number
}

/**
 * Sends a request and reads the response. If time runs out before there is a status the error is `Unavailable`; after that
 * the status counts, with as much of the body as arrived.
 */
const send = (
  client: ScopedClient,
  request: HttpClientRequest.HttpClientRequest,
  { host, operation, timedOut }: SendOptions
): Effect.Effect<Sent, InvalidRequest | Unavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const sentAt = yield* Clock.currentTimeMillis
    const late = yield* unlessAnswered(timedOut)
    const timeout = Effect.suspend(() => new Unavailable({ ...host, operation, reason: "Timeout" }))
    const response = yield* client.execute(request).pipe(
      Effect.catchTag("ResponseError", (error) =>
        error.reason === "StatusCode" ? Effect.succeed(error.response) : Effect.fail(error)
      ),
      // A client that dies, or interrupts itself, is a client that could not reach Nomba.
      Effect.catchAllCause((cause) =>
        Effect.fail(
          Either.match(Cause.failureOrCause(cause), {
            onLeft: (error) => NetworkFailure.fromHttpClientError(operation, host, error),
            onRight: (cause) => NetworkFailure.fromCause(operation, host, Cause.squash(cause))
          })
        )
      ),
      interruptInBackground,
      Effect.raceFirst(Effect.zipRight(late, timeout))
    )
    const body = yield* IncomingResponse.readUntil(response, late, IncomingResponse.readAtOnce)
    return { response, body, sentAt, receivedAt: yield* Clock.currentTimeMillis }
  })

/** Done when the time is over, however often it is awaited: with how many milliseconds it was late. */
type TimedOut = Effect.Effect<number>

/**
 * Starts a time-out for several steps. A lease lasts longer than this, so a process that lost it while it was stalled wakes to
 * a time-out that is due, and does not send what it has not sent by then.
 */
const startTimeout = (duration: Duration.Duration): Effect.Effect<TimedOut, never, Scope.Scope> =>
  Effect.map(Effect.forkScoped(measuredSleep(duration)), Fiber.join)

/** A request counts as sent once the process ran for so long after it was handed to the client. */
const SENT_WITHIN: Duration.Duration = Duration.millis(1)
/** It did not run, or not enough, if that timer is so many milliseconds late. */
const BUSY = 100
/** How long an answer that arrived during a stall takes to be read. */
const READ_WITHIN: Duration.Duration = Duration.millis(100)

/**
 * The time-out of a request that is about to be sent. After a stall the answer may lie in the socket, so it is read before
 * the request counts as late. Not so if the stall may have come before the request was sent: it would be sent late.
 */
const unlessAnswered = (timedOut: TimedOut): Effect.Effect<Effect.Effect<void>, never, Scope.Scope> =>
  Effect.gen(function* () {
    // Other clocks do not stall.
    if ((yield* Effect.clock) !== systemClock) return Effect.asVoid(timedOut)
    const ranOn = Effect.repeat(measuredSleep(SENT_WITHIN), { until: (late) => late < BUSY })
    const sending = yield* Effect.forkScoped(ranOn)
    return Effect.gen(function* () {
      if ((yield* timedOut) < STALLED_FOR) return
      const wasSent = Option.isSome(yield* Fiber.poll(sending))
      if (wasSent) yield* stallTolerantSleep(READ_WITHIN)
    })
  })

const unusableTokens = new WeakMap<AuthError, Responses.UnusableTokens>()

/** The tokens of the response that this error is about. They are kept beside the error, because it must hold no secret. */
export const unusableTokensOf = (error: AuthError): Option.Option<Responses.UnusableTokens> => {
  // Inside a span each failure with the error wraps it once more.
  const original = Cause.originalError(error)
  return original === error ? Option.fromNullable(unusableTokens.get(error)) : unusableTokensOf(original)
}

export type DecodeSession = (
  operation: Operation
) => (response: SuccessResponse) => Effect.Effect<Session, UnexpectedResponse>

/**
 * Decodes the session of a success. Members that had to be skipped are logged by their paths. That an expiry is measured by
 * this machine's clock is logged once for each server.
 */
export const makeDecodeSession =
  ({ baseUrl }: Pick<NombaConfigService, "baseUrl">): DecodeSession =>
  (operation) =>
  ({ headers, json, secrets, sentAt, status }) =>
    Effect.gen(function* () {
      const decoded = Responses.decodeSession(json, { sentAt, secrets, date: IncomingResponse.date(headers) })
      if (Either.isLeft(decoded)) {
        const { tokens, ...problem } = decoded.left
        const requestId = Option.map(IncomingResponse.requestId(headers), (id) => withoutSecrets(id, secrets, 200))
        const error = new UnexpectedResponse({ operation, status, ...problem, ...present("requestId", requestId) })
        unusableTokens.set(error, tokens)
        return yield* error
      }
      const { session, usesOwnClock, warnings } = decoded.right
      if (warnings.length > 0) yield* Effect.logWarning(`NombaAuth.${operation}: skipped ${warnings.join(", ")}`)
      if (usesOwnClock) {
        yield* oncePerServer(
          baseUrl,
          Effect.logWarning(
            `NombaAuth.${operation}: the response has no Date header, so the expiry is measured by this machine's clock. If that clock is wrong, tokens are used too long or renewed too often.`
          )
        )
      }
      return session
    })

const oncePerServer = oncePerText("own clock")
