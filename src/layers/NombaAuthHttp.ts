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
import type { AuthError, InvalidRequest, RevokeError, Unavailable } from "../schemas/AuthError.js"
import { NombaAuth, type NombaAuthService } from "../services/NombaAuth.js"
import { NombaConfig } from "../services/NombaConfig.js"
import { RetryPolicy } from "../services/RetryPolicy.js"
import * as Attempts from "./auth/Attempts.js"
import * as Classification from "./auth/Classification.js"
import * as ClientSecret from "./auth/ClientSecret.js"
import { toSession } from "./auth/Grant.js"
import * as Inputs from "./auth/Inputs.js"
import * as Outgoing from "./auth/Outgoing.js"
import * as TokenCall from "./auth/TokenCall.js"
import * as GuardedClient from "./http/GuardedClient.js"

/**
 * The operations, each in a span of its own (`NombaAuth.issue` …) that carries the outcome, the number of attempts and
 * the last status. The `RetryPolicy` is read here, once. Redirects are not followed and no trace header is sent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<NombaAuthService, never, NombaConfig | HttpClient.HttpClient> = Effect.gen(
  function* () {
    const config = yield* NombaConfig
    const policy = yield* RetryPolicy
    const client = config.transformClient(yield* GuardedClient.make(yield* HttpClient.HttpClient))
    const call = TokenCall.make(config, GuardedClient.withoutRedirects(client))
    const acceptedRevokeBody = yield* Ref.make(Arr.headNonEmpty(Outgoing.revokeBodies))
    const rules = {
      issue: Classification.issueRules(config.origins),
      refresh: Classification.renewalRules("refresh", config.origins),
      revoke: Classification.renewalRules("revoke", config.origins),
      exchange: Classification.renewalRules("exchange", config.origins)
    }

    const operation = <A, E extends AuthError>(
      name: keyof typeof rules,
      inputs: ReadonlyArray<Inputs.Problem>,
      run: (attempts: Attempts.Attempts) => Effect.Effect<A, E>
    ): Effect.Effect<A, E | InvalidRequest> =>
      Inputs.check(name, Inputs.header("accountId", Option.getOrUndefined(config.accountId)), ...inputs).pipe(
        Effect.zipRight(Attempts.open(policy, config.requestTimeout)),
        Effect.flatMap(run),
        Effect.onExit((exit) => Effect.annotateCurrentSpan("nomba.outcome", outcome(exit))),
        Effect.withSpan(`NombaAuth.${name}`, { kind: "client", captureStackTrace: false })
      )

    const issue = call(
      rules.issue,
      Effect.map(ClientSecret.read(config), (secret) => Outgoing.issue(config.clientId, secret))
    ).pipe(Effect.flatMap(toSession("issue")))

    return NombaAuth.of({
      issue: operation("issue", [], (attempts) => attempts.run(issue, constTrue)),

      refresh: (options) =>
        operation(
          "refresh",
          [Inputs.required("refreshToken", options.refreshToken), Inputs.header("accessToken", options.accessToken)],
          (attempts) =>
            attempts.run(
              call(
                rules.refresh,
                Effect.sync(() => Outgoing.refresh(options))
              ).pipe(Effect.flatMap(toSession("refresh"))),
              wasNotProcessed
            )
        ),

      revoke: (accessToken, { bearer } = {}) =>
        operation(
          "revoke",
          [Inputs.header("accessToken", accessToken), Inputs.header("bearer", bearer)],
          (attempts) => {
            const send = (body: Outgoing.RevokeBody) =>
              attempts.run(
                call(
                  rules.revoke,
                  Effect.sync(() => Outgoing.revoke(body, config.clientId, accessToken, bearer ?? accessToken))
                ),
                constTrue
              )
            const sendOneOf = ([body, ...others]: Arr.NonEmptyReadonlyArray<Outgoing.RevokeBody>): Effect.Effect<
              void,
              RevokeError
            > =>
              send(body).pipe(
                Effect.zipRight(Ref.set(acceptedRevokeBody, body)),
                Effect.catchIf(isRefusedBody, (error) =>
                  Arr.isNonEmptyArray(others)
                    ? Effect.if(attempts.passage(Duration.zero), {
                        onTrue: () => sendOneOf(others),
                        onFalse: () => Effect.fail(error)
                      })
                    : Effect.fail(error)
                )
              )
            return Effect.flatMap(acceptedRevokeBody, (first) =>
              sendOneOf([first, ...Outgoing.revokeBodies.filter((body) => body !== first)])
            )
          }
        ),

      exchange: (options) =>
        operation(
          "exchange",
          [
            Inputs.required("code", options.code),
            Inputs.required("verifier", options.verifier),
            Inputs.required("redirectUri", options.redirectUri)
          ],
          (attempts) =>
            attempts.run(
              call(
                rules.exchange,
                Effect.sync(() => Outgoing.exchange(config.clientId, options))
              ).pipe(Effect.flatMap(toSession("exchange"))),
              wasNotProcessed
            )
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

/** A refresh token and an authorization code are single-use: after a request that may have been processed, they are spent. */
const wasNotProcessed = (error: Unavailable): boolean => error.processed === "no"

const isRefusedBody = (error: RevokeError): error is InvalidRequest => {
  if (error._tag !== "InvalidRequest") return false
  const status = Classification.effectiveStatus(error)
  return status === 400 || status === 422
}

const outcome = (exit: Exit.Exit<unknown, AuthError>): string =>
  Exit.match(exit, {
    onSuccess: () => "ok",
    onFailure: (cause) =>
      Option.match(Cause.failureOption(cause), {
        onSome: (error) => error._tag,
        onNone: () => (Cause.isInterrupted(cause) ? "interrupted" : "defect")
      })
  })
