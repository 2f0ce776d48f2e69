/**
 * The token operations over an `HttpClient`.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constTrue } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import {
  type AuthError,
  type InvalidRequest,
  type RevokeError,
  type Unavailable,
  wasNotProcessed
} from "../schemas/AuthError.js"
import { NombaAuth, type NombaAuthService } from "../services/NombaAuth.js"
import { NombaConfig } from "../services/NombaConfig.js"
import { RetryPolicy } from "../services/RetryPolicy.js"
import * as Attempts from "./auth/Attempts.js"
import * as Classification from "./auth/Classification.js"
import * as ClientSecret from "./auth/ClientSecret.js"
import { toSession } from "./auth/Grant.js"
import * as Outgoing from "./auth/Outgoing.js"
import * as TokenCall from "./auth/TokenCall.js"
import * as GuardedClient from "./http/GuardedClient.js"

/**
 * The operations, each in a span of its own (`NombaAuth.issue` …) that carries the outcome, the number of attempts and
 * the last status. The `RetryPolicy` is read here, once. Redirects are not followed and no trace header is sent.
 * A client beneath that repeats an attempt is stopped, because a single-use token would be spent twice.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<NombaAuthService, never, NombaConfig | HttpClient.HttpClient> = Effect.gen(
  function* () {
    const config = yield* NombaConfig
    const policy = yield* RetryPolicy
    const guarded = yield* GuardedClient.make(yield* HttpClient.HttpClient)
    const client = yield* GuardedClient.transformed(guarded, config.transformClient)
    const clientSecret = yield* ClientSecret.make(config)
    const call = TokenCall.make(config, GuardedClient.withoutRepeats(client), clientSecret.known)
    const rules = Classification.rulesOf(config.origins)
    const revokeBodies = yield* Ref.make(Outgoing.revokeBodies)

    const operation = <A, E extends AuthError>(
      name: Classification.TokenOperation,
      mayRepeat: (error: Unavailable) => boolean,
      run: (attempts: Attempts.Attempts) => Effect.Effect<A, E>
    ): Effect.Effect<A, E> =>
      Attempts.open({ policy, needed: config.requestTimeout, mayRepeat }).pipe(
        Effect.flatMap(run),
        Effect.onExit((exit) => Effect.annotateCurrentSpan("nomba.outcome", outcome(exit))),
        Effect.withSpan(`NombaAuth.${name}`, { kind: "client", captureStackTrace: false })
      )

    const grant = <E extends AuthError>(
      rules: Classification.Rules<E>,
      outgoing: Effect.Effect<Outgoing.Outgoing, InvalidRequest | Unavailable>
    ) => Effect.flatMap(call(rules, outgoing), toSession(rules.operation))

    return NombaAuth.of({
      issue: operation("issue", constTrue, ({ run }) =>
        run(grant(rules.issue, Outgoing.issue(config.clientId, clientSecret.read)))
      ),

      refresh: (options) =>
        operation("refresh", wasNotProcessed, ({ run }) => run(grant(rules.refresh, Outgoing.refresh(options)))),

      revoke: (accessToken, options) =>
        operation("revoke", constTrue, ({ passage, run }) =>
          firstAccepted(
            revokeBodies,
            (body) =>
              Effect.asVoid(
                run(call(rules.revoke, Outgoing.revoke(config.clientId, accessToken, options?.bearer, body)))
              ),
            passage(Duration.zero)
          )
        ),

      exchange: (options) =>
        operation("exchange", wasNotProcessed, ({ run }) =>
          run(grant(rules.exchange, Outgoing.exchange(config.clientId, options)))
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

type RevokeBodies = Arr.NonEmptyReadonlyArray<Outgoing.RevokeBody>

/**
 * Sends the body in front, and one after the other for as long as the server says that it is the body which is wrong. A
 * refused body goes to the back at once: where a rate limit lets one request through, the next attempt has to go on from
 * there.
 */
const firstAccepted = (
  bodies: Ref.Ref<RevokeBodies>,
  send: (body: Outgoing.RevokeBody) => Effect.Effect<void, RevokeError>,
  hasTime: Effect.Effect<boolean>,
  left: number = Outgoing.revokeBodies.length
): Effect.Effect<void, RevokeError> =>
  Effect.flatMap(Ref.get(bodies), ([body]) =>
    Effect.catchIf(send(body), isRefusedBody, (error) =>
      Effect.zipRight(
        Ref.update(bodies, toTheBack(body)),
        Effect.if(left > 1 ? hasTime : Effect.succeed(false), {
          onTrue: () => firstAccepted(bodies, send, hasTime, left - 1),
          onFalse: () => Effect.fail(error)
        })
      )
    )
  )

const toTheBack =
  (refused: Outgoing.RevokeBody) =>
  ([body, ...others]: RevokeBodies): RevokeBodies =>
    body === refused && Arr.isNonEmptyArray(others) ? [...others, body] : [body, ...others]

const isRefusedBody = (error: RevokeError): error is InvalidRequest =>
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
