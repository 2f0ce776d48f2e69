/**
 * The token operations over an `HttpClient`.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { constTrue } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { AuthError, InvalidRequest, Unavailable } from "../schemas/AuthError.js"
import { isTransient, wasNotProcessed, withRetryAfter } from "../schemas/ErrorMeaning.js"
import { NombaAuth, type NombaAuthService } from "../services/NombaAuth.js"
import { NombaConfig, type NombaConfigService } from "../services/NombaConfig.js"
import { RetryPolicy, type RetryPolicyService } from "../services/RetryPolicy.js"
import * as Classification from "./auth/Classification.js"
import * as HttpAttempt from "./auth/HttpAttempt.js"
import * as TokenRequest from "./auth/TokenRequest.js"
import * as BaseUrl from "./config/BaseUrl.js"
import * as GuardedClient from "./http/GuardedClient.js"
import { oncePerText } from "./processMemory.js"
import * as Telemetry from "./telemetry.js"

/**
 * The token operations, each in a span (`NombaAuth.issue` …) with the outcome and the number of attempts. Each attempt has a
 * span of its own below it.
 * The `RetryPolicy` is read here, once. Redirects are not followed, and no trace header is sent. If the underlying client
 * repeats a request by itself it is stopped, because a single-use token would be sent twice.
 *
 * Logs a warning if no account id is set and the host is one of Nomba's, which require it: once for each client.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<NombaAuthService, never, NombaConfig | HttpClient.HttpClient> = Effect.gen(
  function* () {
    const config = yield* NombaConfig
    const policy = yield* RetryPolicy
    const guarded = yield* GuardedClient.make(yield* HttpClient.HttpClient)
    const client = yield* GuardedClient.applyTransform(guarded, config.transformClient)
    const clientSecret = yield* TokenRequest.makeClientSecret(config)
    const attempt = HttpAttempt.make(config, GuardedClient.singleSend(client), clientSecret.known)
    const decodeSession = HttpAttempt.makeDecodeSession(config)
    const rules = Classification.rulesOf(config)
    const tryRevokeBodies = TokenRequest.makeTryRevokeBodies()
    yield* warnOfMissingAccountId(config)

    const operation = <A, E extends AuthError>(
      name: Classification.TokenOperation,
      mayRepeat: (error: Unavailable) => boolean,
      run: (loop: RetryLoop) => Effect.Effect<A, E>
    ): Effect.Effect<A, E> =>
      startRetryLoop({ policy, needed: config.requestTimeout, mayRepeat }).pipe(
        Effect.flatMap(run),
        Effect.onExit((exit) => Effect.annotateCurrentSpan(Telemetry.outcomeOf(exit))),
        Effect.withSpan(`NombaAuth.${name}`, { captureStackTrace: false })
      )

    const requestSession = <E extends AuthError>(
      rules: Classification.Rules<E>,
      request: Effect.Effect<TokenRequest.TokenRequest, InvalidRequest | Unavailable>
    ) => attempt(rules, request, decodeSession(rules.operation))

    return NombaAuth.of({
      issue: operation("issue", constTrue, ({ run }) =>
        run(requestSession(rules.issue, TokenRequest.issue(config.clientId, clientSecret.read)))
      ),

      refresh: (options) =>
        operation("refresh", wasNotProcessed, ({ run }) =>
          run(requestSession(rules.refresh, TokenRequest.refresh(options)))
        ),

      revoke: (accessToken, options) =>
        operation("revoke", constTrue, ({ run, waitForNextAttempt }) =>
          tryRevokeBodies(
            (body) =>
              run(
                attempt(
                  rules.revoke,
                  TokenRequest.revoke(config.clientId, accessToken, options?.bearer, body),
                  () => Effect.void
                )
              ),
            waitForNextAttempt(Duration.zero)
          )
        ),

      exchange: (options) =>
        operation("exchange", wasNotProcessed, ({ run }) =>
          run(requestSession(rules.exchange, TokenRequest.exchange(config.clientId, options)))
        )
    })
  }
)

/**
 * `NombaAuth` over the `HttpClient` and the `NombaConfig` in its context.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<NombaAuth, never, NombaConfig | HttpClient.HttpClient> = Layer.effect(NombaAuth, make)

const warnOfMissingAccountId = (config: NombaConfigService): Effect.Effect<void> =>
  Option.isNone(config.accountId) && BaseUrl.isNombas(config.baseUrl)
    ? oncePerClient(
        `${config.baseUrl} ${config.clientId}`,
        Effect.logWarning(
          `The account id is not set (NOMBA_ACCOUNT_ID or options.accountId). ${BaseUrl.hostOf(config).target} answers 401 to requests without it.`
        )
      )
    : Effect.void

const oncePerClient = oncePerText("missing account id")

/**
 * Repeats the attempts of one token operation. The retry policy says whether and after what delay; a wait that the server
 * states counts if it is longer than that delay; the `AttemptGate` says whether there is time left.
 */
interface RetryLoop {
  /** Runs an attempt, and again while the policy and the gate allow it. */
  readonly run: <A, E extends AuthError, R>(attempt: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly waitForNextAttempt: HttpAttempt.WaitForNextAttempt
}

/** Retry options of one operation. */
interface RetryOptions {
  readonly policy: RetryPolicyService
  /** The time-out of one attempt. */
  readonly needed: Duration.Duration
  /** Which failures may be repeated at all. */
  readonly mayRepeat: (error: Unavailable) => boolean
}

/** Starts one operation: its retry policy starts from the beginning, and the gate of the caller's context counts its time. */
const startRetryLoop = ({ mayRepeat, needed, policy }: RetryOptions): Effect.Effect<RetryLoop> =>
  Effect.gen(function* () {
    const gate = yield* HttpAttempt.AttemptGate
    const waitForNextAttempt = yield* gate.start(needed)
    const driver = yield* Schedule.driver(delaysOf(policy))
    let attempts = 0

    const run = <A, E extends AuthError, R>(attempt: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.gen(function* () {
        while (true) {
          attempts += 1
          yield* Effect.annotateCurrentSpan(Telemetry.ATTEMPTS, attempts)
          const facts = attempts === 1 ? {} : { resendCount: attempts - 1 }
          const result = yield* Effect.either(Effect.provideService(attempt, Telemetry.RequestFacts, facts))
          if (result._tag === "Right") return result.right
          const error: E = result.left
          if (!isTransient(error) || !mayRepeat(error)) return yield* Effect.fail(error)
          const planned = yield* Effect.option(driver.next(error))
          if (planned._tag === "None") return yield* Effect.fail(error)
          // Jitter makes fractions of a millisecond, which the TestClock of effect 3.20 cannot sleep for.
          const delay = Duration.millis(Math.ceil(Duration.toMillis(planned.value)))
          // `Retry-After: 0` must not turn the retries into a burst.
          const wait = Duration.max(error.retryAfter ?? Duration.zero, delay)
          if (!(yield* waitForNextAttempt(wait))) {
            // A renewal has a gate and a backoff of its own, and states its own wait.
            return yield* Effect.fail(gate === defaultGate ? withRetryAfter(error, wait) : error)
          }
        }
      })

    return { run, waitForNextAttempt }
  })

const defaultGate = Context.get(Context.empty(), HttpAttempt.AttemptGate)

/** The policy's delays as its output, because the gate does the waiting. */
const delaysOf = (policy: RetryPolicyService): Schedule.Schedule<Duration.Duration, Unavailable> =>
  Schedule.modifyDelay(Schedule.delays(policy), () => Duration.zero)
