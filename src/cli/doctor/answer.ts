/** What Nomba answers to a request without a token, and to one with the token of the store. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Classification from "../../layers/auth/Classification.js"
import * as BaseUrl from "../../layers/config/BaseUrl.js"
import * as GuardedClient from "../../layers/http/GuardedClient.js"
import * as IncomingResponse from "../../layers/http/IncomingResponse.js"
import * as NetworkFailure from "../../layers/http/NetworkFailure.js"
import { userAgent } from "../../layers/http/OutgoingRequest.js"
import { interruptInBackground } from "../../layers/time.js"
import { type AuthError, Unavailable } from "../../schemas/AuthError.js"
import { rejectsCredentials } from "../../schemas/ErrorMeaning.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import * as ExitCode from "../ExitCode.js"
import { type Finding, failed, ok, problem, warning } from "./Finding.js"

/** The target of a request, and what its errors say of it. */
export type Target = Pick<NombaConfigService, "baseUrl" | "origins">

/** Nomba answered 401. */
export class Rejected extends Data.TaggedError("Rejected")<{ readonly description: string }> {}

export interface Answer {
  readonly outcome: Either.Either<void, AuthError | Rejected>
  /** Nomba's clock minus this machine's, in milliseconds; none if the response has no usable `Date`. */
  readonly clockAhead: Option.Option<number>
}

/** A call that every parent account may make, and that changes nothing. */
const PATH = "/v1/accounts/balance"

const rulesOf = ({ baseUrl, origins }: Target, hasBearer: boolean): Classification.Rules<Rejected> => ({
  operation: "request",
  rejected: ({ code, description, status }) =>
    new Rejected({ description: `HTTP ${status}${description === undefined ? (code ?? "") : `, "${description}"`}` }),
  rejectedStatuses: [401],
  rejectedCodes: [],
  hasBearer,
  hasToken: false,
  origins,
  host: BaseUrl.hostOf({ baseUrl, origins })
})

/** Sends one GET, and says what the answer means. Fails if there is none. */
export const ask = (
  target: Target,
  {
    accountId = Option.none(),
    stepTimeout,
    token
  }: {
    readonly accountId?: Option.Option<string>
    readonly stepTimeout: Duration.Duration
    readonly token?: Redacted.Redacted<string>
  }
): Effect.Effect<Answer, AuthError, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const rules = rulesOf(target, token !== undefined)
    const guarded = yield* GuardedClient.make(yield* HttpClient.HttpClient)
    const request = GuardedClient.hidden(
      HttpClientRequest.get(`${target.baseUrl}${PATH}`, {
        acceptJson: true,
        headers: {
          ...userAgent,
          accountId: Option.getOrUndefined(accountId),
          authorization: token && `Bearer ${Redacted.value(token)}`
        }
      })
    )
    const sentAt = yield* Clock.currentTimeMillis
    const { body, response } = yield* HttpClient.withScope(guarded)
      .execute(request)
      .pipe(
        Effect.catchTag("ResponseError", (error) =>
          error.reason === "StatusCode" ? Effect.succeed(error.response) : Effect.fail(error)
        ),
        Effect.catchAllCause((cause) =>
          Effect.fail(
            Either.match(Cause.failureOrCause(cause), {
              onLeft: (error) => NetworkFailure.fromHttpClientError("request", rules.host, error),
              onRight: (cause) => NetworkFailure.fromCause("request", rules.host, Cause.squash(cause))
            })
          )
        ),
        Effect.flatMap((response) =>
          Effect.map(IncomingResponse.readUntil(response, Effect.sleep(stepTimeout)), (body) => ({ body, response }))
        ),
        interruptInBackground,
        Effect.timeoutFail({
          duration: stepTimeout,
          onTimeout: () => new Unavailable({ ...rules.host, operation: "request", reason: "Timeout" })
        })
      )
    const receivedAt = yield* Clock.currentTimeMillis
    const { headers, status } = response
    const secrets = token === undefined ? [] : [token]
    return {
      outcome: Either.map(Classification.classify({ body, headers, status, secrets, receivedAt }, rules), () => {}),
      // Date counts whole seconds, so on average it is half a second behind.
      clockAhead: Option.map(IncomingResponse.date(headers), (date) => date + 500 - (sentAt + receivedAt) / 2)
    }
  }).pipe(Effect.scoped)

// Without a token

/** Whether Nomba's API answers there, as far as that can be told without a token. */
export const answerWithoutToken = ({ outcome }: Pick<Answer, "outcome">): Finding => {
  if (Either.isRight(outcome)) {
    return warning(
      "a request without a token succeeded, which Nomba's API rejects",
      "check the base URL: another server answers there"
    )
  }
  const error = outcome.left
  if (error._tag === "Rejected") return ok("Nomba's API answers (HTTP 401 without a token, as it should)")
  if (rejectsCredentials(error)) {
    return warning(
      "answers HTTP 403 already to a request without a token",
      "this machine's IP address may not be on the allow-list in the Nomba dashboard: add it"
    )
  }
  return failed(error)
}

/** A difference that the resolution of a `Date` header and the way of the response do not explain. */
const SKEW = Duration.toMillis("30 seconds")

const duration = (millis: number): string =>
  Duration.format(Duration.seconds(Math.round(Math.abs(millis) / 1000))) || "0s"

export const clock = (ahead: number): Finding =>
  Math.abs(ahead) < SKEW
    ? ok(`within ${Math.ceil(Math.abs(ahead) / 1000)} s of the server's`)
    : warning(
        `this machine's clock is ${duration(ahead)} ${ahead > 0 ? "behind" : "ahead of"} the server's`,
        "turn on time synchronisation (NTP): certificates, logs and other programs depend on it"
      )

// With the token of the store

/** Whether Nomba refused the token or the account id. */
export const isRefused = (outcome: Answer["outcome"]): boolean =>
  Either.isLeft(outcome) && (outcome.left._tag === "Rejected" || rejectsCredentials(outcome.left))

/**
 * What the answers to the stored token say, with the account id and, if that was rejected, without it. `issued` says when its
 * session began and which program stored it.
 */
export const tokenOutcome = (
  withAccount: Answer["outcome"],
  withoutAccount: Answer["outcome"] | undefined,
  accountId: string,
  issued = "issued just now"
): Finding => {
  if (Either.isRight(withAccount)) return ok("Nomba accepts the stored token")
  const error = withAccount.left
  if (error._tag !== "Rejected" && !rejectsCredentials(error)) return failed(error)
  const description = error._tag === "Rejected" ? error.description : `HTTP ${error.status}`
  if (withoutAccount !== undefined && Either.isRight(withoutAccount)) {
    return problem(
      ExitCode.INVALID_CREDENTIALS,
      `Nomba accepts the stored token, but not with this account id (${description})`,
      `correct the account id (${accountId}): it must be the parent account's, and not a sub-account's`
    )
  }
  if (error._tag !== "Rejected") {
    return problem(
      ExitCode.INVALID_CREDENTIALS,
      `Nomba denies access with the stored token (${description})`,
      `check the account id (${accountId}), which must be the parent account's, and whether this machine's IP address is allowed`
    )
  }
  return accountId === "not set"
    ? problem(
        ExitCode.INVALID_CREDENTIALS,
        `Nomba rejects the stored token (${description}); the account id is not set, which is the likeliest cause`,
        "set NOMBA_ACCOUNT_ID to the parent account's id"
      )
    : problem(
        ExitCode.EXPIRED,
        `Nomba rejects the stored token (${description}), although its lifetime is not over (${issued})`,
        `another program has logged in with these credentials since then. It does not use this token store, which therefore cannot name it: let it use this store, or give it another client id; otherwise the account id (${accountId}) is wrong`
      )
}
