/**
 * The token operations over an `HttpClient`.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constTrue } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import {
  type AuthError,
  type InvalidRequest,
  type RevokeError,
  type Unavailable,
  wasNotProcessed
} from "../schemas/AuthError.js"
import { NombaAuth, type NombaAuthService } from "../services/NombaAuth.js"
import { NombaConfig, type NombaConfigService } from "../services/NombaConfig.js"
import { RetryPolicy } from "../services/RetryPolicy.js"
import * as Classification from "./auth/Classification.js"
import * as ClientSecret from "./auth/ClientSecret.js"
import * as HttpAttempt from "./auth/HttpAttempt.js"
import * as RetryLoop from "./auth/RetryLoop.js"
import * as TokenRequest from "./auth/TokenRequest.js"
import * as BaseUrl from "./config/BaseUrl.js"
import * as GuardedClient from "./http/GuardedClient.js"

/**
 * The token operations, each in a span (`NombaAuth.issue` …) with the outcome, the number of attempts and the last status.
 * The `RetryPolicy` is read here, once. Redirects are not followed, and no trace header is sent. If the client beneath
 * repeats a request by itself it is stopped, because a single-use token would be sent twice.
 *
 * Logs a warning if no account id is set and the host is one of Nomba's, which require it.
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
    const clientSecret = yield* ClientSecret.make(config)
    const attempt = HttpAttempt.make(config, GuardedClient.singleSend(client), clientSecret.known)
    const rules = Classification.rulesOf(config)
    const revokeBodies = makeRevokeBodies()
    yield* warnOfMissingAccountId(config)

    const operation = <A, E extends AuthError>(
      name: Classification.TokenOperation,
      mayRepeat: (error: Unavailable) => boolean,
      run: (loop: RetryLoop.RetryLoop) => Effect.Effect<A, E>
    ): Effect.Effect<A, E> =>
      RetryLoop.start({ policy, needed: config.requestTimeout, mayRepeat }).pipe(
        Effect.flatMap(run),
        Effect.onExit((exit) => Effect.annotateCurrentSpan("nomba.outcome", outcome(exit))),
        Effect.withSpan(`NombaAuth.${name}`, { kind: "client", captureStackTrace: false })
      )

    const requestSession = <E extends AuthError>(
      rules: Classification.Rules<E>,
      request: Effect.Effect<TokenRequest.TokenRequest, InvalidRequest | Unavailable>
    ) => Effect.flatMap(attempt(rules, request), HttpAttempt.decodeSession(rules.operation))

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
          revokeBodies.tryBodies(
            (body) =>
              Effect.asVoid(
                run(attempt(rules.revoke, TokenRequest.revoke(config.clientId, accessToken, options?.bearer, body)))
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
    ? Effect.logWarning(
        `The account id is not set (NOMBA_ACCOUNT_ID or options.accountId). ${BaseUrl.hostOf(config).target} answers 401 to requests without it.`
      )
    : Effect.void

/**
 * Tries the bodies of revoke until Nomba accepts one. A body that it refuses goes to the back at once, so that the next
 * revoke begins with another one even if the rate limit allowed a single request.
 */
const makeRevokeBodies = () => {
  let bodies: ReadonlyArray<TokenRequest.RevokeBody> = TokenRequest.revokeBodies

  const rotate = (refused: TokenRequest.RevokeBody): void => {
    if (bodies[0] === refused) bodies = [...bodies.slice(1), refused]
  }

  const tryBodies = (
    send: (body: TokenRequest.RevokeBody) => Effect.Effect<void, RevokeError>,
    hasTime: Effect.Effect<boolean>
  ): Effect.Effect<void, RevokeError> =>
    Effect.gen(function* () {
      for (let left = TokenRequest.revokeBodies.length; ; left--) {
        const [body = TokenRequest.revokeBodies[0]] = bodies
        const error = yield* Effect.match(send(body), { onFailure: (error) => error, onSuccess: () => undefined })
        if (error === undefined) return
        if (!isRefusedBody(error)) return yield* error
        rotate(body)
        if (left <= 1 || !(yield* hasTime)) return yield* error
      }
    })

  return { tryBodies }
}

const isRefusedBody = (error: RevokeError): boolean =>
  error._tag === "InvalidRequest" && [400, 422].includes(Classification.effectiveStatus(error) ?? 0)

const outcome = (exit: Exit.Exit<unknown, AuthError>): string =>
  Exit.match(exit, {
    onSuccess: () => "ok",
    onFailure: (cause) =>
      Option.match(Cause.failureOption(cause), {
        onSome: (error) => error._tag,
        onNone: () => (Cause.isInterrupted(cause) ? "interrupted" : "defect")
      })
  })
