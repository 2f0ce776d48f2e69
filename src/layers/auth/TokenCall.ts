/**
 * One attempt of a token operation: the request as Nomba wants it, sent once, and its answer judged.
 *
 * @since 0.1.0
 */
import type * as Headers from "@effect/platform/Headers"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import { constTrue } from "effect/Function"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { InvalidCredentials, InvalidRequest, Unavailable, UnexpectedResponse } from "../../schemas/AuthError.js"
import { AttemptGate } from "../../services/AttemptGate.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import * as Classification from "./Classification.js"
import * as Exchange from "./Exchange.js"
import * as Inputs from "./Inputs.js"
import type { Outgoing } from "./Outgoing.js"

/**
 * What Nomba granted.
 *
 * @since 0.1.0
 * @category models
 */
export interface Accepted {
  readonly json: object
  readonly status: number
  readonly headers: Headers.Headers
  readonly sentAt: number
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

/**
 * One attempt, for an operation's rules and what it sends.
 *
 * @since 0.1.0
 * @category models
 */
export type TokenCall = <E>(
  rules: Classification.Rules<E>,
  prepare: Effect.Effect<Outgoing, InvalidRequest | Unavailable>
) => Effect.Effect<Accepted, E | InvalidRequest | InvalidCredentials | Unavailable | UnexpectedResponse>

/**
 * Attempts within the configured time-out, `prepare` included; then the `AttemptGate` is asked whether it may be sent.
 * An attempt runs in a fiber of its own: its time-out fires
 * even where the caller cannot be interrupted, and an interrupted caller does not wait for a client that will not let
 * go. When it ends, so does whatever of the request is left. The client secret, where it is known, is masked in every
 * answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  config: NombaConfigService,
  client: HttpClient.HttpClient,
  clientSecret: Effect.Effect<Option.Option<Redacted.Redacted<string>>>
): TokenCall => {
  const scoped = client.pipe(HttpClient.withTracerDisabledWhen(constTrue), HttpClient.withScope)
  return (rules, prepare) =>
    Effect.gen(function* () {
      const late = yield* Exchange.timeout(config.requestTimeout)
      yield* Inputs.check(rules.operation, Inputs.header("accountId", Option.getOrUndefined(config.accountId)))
      const outgoing = yield* prepare
      yield* (yield* AttemptGate).admit
      const exchange = yield* Exchange.run(scoped, toRequest(config, outgoing), rules.operation, late)
      const { headers, status } = exchange.response
      yield* Effect.annotateCurrentSpan("http.response.status_code", status)
      const secrets = [...outgoing.secrets, ...Option.toArray(yield* clientSecret)]
      const json = yield* Classification.classify({ ...exchange, headers, status, secrets }, rules)
      return { json, headers, status, secrets, sentAt: exchange.sentAt }
    }).pipe(Effect.scoped, Effect.interruptible, Effect.disconnect)
}

const toRequest = (config: NombaConfigService, outgoing: Outgoing): HttpClientRequest.HttpClientRequest =>
  HttpClientRequest.post(`${config.baseUrl}${outgoing.path}`, {
    acceptJson: true,
    headers: {
      accountId: Option.getOrUndefined(config.accountId),
      authorization: outgoing.bearer && `Bearer ${Redacted.value(outgoing.bearer)}`
    },
    body: HttpBody.unsafeJson(outgoing.body)
  })
