/** What Nomba answers: without a token, to the token in the store, and to the credentials. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { constFalse } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Classification from "../../layers/auth/Classification.js"
import * as BaseUrl from "../../layers/config/BaseUrl.js"
import * as GuardedClient from "../../layers/http/GuardedClient.js"
import * as IncomingResponse from "../../layers/http/IncomingResponse.js"
import * as NetworkFailure from "../../layers/http/NetworkFailure.js"
import * as OutgoingRequest from "../../layers/http/OutgoingRequest.js"
import * as NombaAuthHttp from "../../layers/NombaAuthHttp.js"
import * as TokenCacheRef from "../../layers/TokenCacheRef.js"
import { type AuthError, Unavailable } from "../../schemas/AuthError.js"
import { rejectsCredentials } from "../../schemas/ErrorMeaning.js"
import type { Session } from "../../schemas/Session.js"
import { NombaAuth } from "../../services/NombaAuth.js"
import { NombaConfig, type NombaConfigService } from "../../services/NombaConfig.js"
import { RetryPolicy } from "../../services/RetryPolicy.js"
import { type CachedSession, TokenCache } from "../../services/TokenCache.js"
import { TokenStore, type TokenStoreService } from "../../services/TokenStore.js"
import * as ExitCode from "../ExitCode.js"
import { type Finding, ok, problem, warning } from "./Finding.js"

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
    const request = OutgoingRequest.hidden(
      HttpClientRequest.get(`${target.baseUrl}${PATH}`, {
        acceptJson: true,
        headers: {
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
        Effect.disconnect,
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

// What a failure means

const remedyOf = (error: AuthError): string => {
  switch (error._tag) {
    case "InvalidRequest":
      return error.status === 404
        ? "check the base URL: nothing answers under its path"
        : "report it: the request is one that Nomba documents"
    case "InvalidCredentials":
      return "compare each of them with the Nomba dashboard"
    case "Expired":
      return "run `nomba-auth issue` for a new session"
    case "Unavailable":
      return error.hint ?? remedyOfOutage(error)
    case "UnexpectedResponse":
      return error.reason === "HtmlResponse" || error.reason === "NotJson"
        ? "something answers in Nomba's place: let requests to this host through your firewall or portal"
        : error.reason === "Redirect"
          ? "check the base URL: it must be the address that answers itself"
          : "report it to Nomba"
  }
}

const remedyOfOutage = ({ reason, target = "the server" }: Unavailable): string => {
  switch (reason) {
    case "Network":
      return `check this machine's network, and whether ${target} is up`
    case "Timeout":
      return `try again; if it lasts, ask who runs ${target}`
    case "RateLimited":
      return "wait; let all programs with these credentials share a token store, so that they send fewer requests"
    case "ServerError":
      return "wait; if it lasts, report it to Nomba"
    case "SessionContested":
      return "find the other program that logs in with these credentials"
    case "Store":
      return "check that the token store is up and that NOMBA_TOKEN_STORE names it"
    case "StoreUnreadable":
      return "nothing: the next renewal replaces the entry"
    case "StoreCodec":
      return "give this program the keys that the others have (NOMBA_TOKEN_STORE_KEYS)"
    case "Secret":
      return "check where the client secret is read from"
    case "Closed":
      return "try again"
  }
}

/** A failure as a finding. The hint of an error says what to change, and is not shown twice. */
export const failed = (error: AuthError, change: string = remedyOf(error)): Finding =>
  problem(
    ExitCode.of(Cause.fail(error)),
    error.hint === undefined ? error.message : error.message.replace(` ${error.hint}`, ""),
    change
  )

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

/** What the answers to the stored token say, with the account id and, if that was rejected, without it. */
export const tokenOutcome = (
  withAccount: Answer["outcome"],
  withoutAccount: Answer["outcome"] | undefined,
  accountId: string
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
        `Nomba rejects the stored token (${description}), although its lifetime is not over`,
        `another program logs in with these credentials: let it use the same token store, or give it another client id; otherwise the account id (${accountId}) is wrong`
      )
}

// A new session

/** The token operations of one client, without retries, so that each ends within its time-out. */
const authOf = (config: NombaConfigService): Layer.Layer<NombaAuth, never, HttpClient.HttpClient> =>
  NombaAuthHttp.layer.pipe(Layer.provide([Layer.succeed(NombaConfig, config), RetryPolicy.layerNone]))

const issue = (config: NombaConfigService): Effect.Effect<Session, AuthError, HttpClient.HttpClient> =>
  Effect.provide(
    Effect.flatMap(NombaAuth, (auth) => auth.issue),
    authOf(config)
  )

/** The store, for a cache that must start a session although there is one. */
const withoutAdoption = (service: TokenStoreService): TokenStoreService => ({
  ...service,
  open: (key, requestTimeout) =>
    Effect.map(service.open(key, requestTimeout), (store) => ({
      ...store,
      renew: (options) =>
        store.renew({
          ...options,
          adopt: constFalse,
          obtain: (_, lease) => options.obtain(Option.none(), lease)
        })
    }))
})

/** The report says what the library would log: why a renewal failed, and that an account id is missing. */
const quietly: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = Logger.withMinimumLogLevel(
  LogLevel.None
)

/** Starts a session and stores it, so that the programs that share the store use it too. */
export const login = (
  config: NombaConfigService,
  service: TokenStoreService
): Effect.Effect<CachedSession, AuthError, HttpClient.HttpClient> =>
  Effect.provide(
    Effect.flatMap(TokenCache, (cache) => cache.session),
    TokenCacheRef.layer.pipe(
      Layer.provide([
        authOf(config),
        Layer.succeed(NombaConfig, config),
        Layer.succeed(TokenStore, withoutAdoption(service))
      ])
    )
  ).pipe(quietly)

/** Another way of trying the credentials, and what it proves if Nomba accepts them so. */
interface Trial {
  readonly config: NombaConfigService
  readonly proves: Finding
}

const trialsOf = (config: NombaConfigService): ReadonlyArray<Trial> => {
  const { accountId, origins } = config
  const wrong = (says: string, change: string) => problem(ExitCode.INVALID_CREDENTIALS, says, change)
  const withoutAccount: ReadonlyArray<Trial> = Option.isNone(accountId)
    ? []
    : [
        {
          config: { ...config, accountId: Option.none() },
          proves: wrong(
            "Nomba accepts the client id and the secret, but not with this account id",
            `correct the account id (${origins.accountId}): it must be the parent account's, and not a sub-account's`
          )
        }
      ]
  const otherEnvironment = (["production", "sandbox"] as const).flatMap((name): ReadonlyArray<Trial> => {
    const url = BaseUrl.hosts[name]
    if (!BaseUrl.isNombas(config.baseUrl) || url === config.baseUrl) return []
    return [
      {
        config: { ...config, baseUrl: url },
        proves: wrong(
          `these credentials belong to Nomba's ${name}, and the base URL is ${origins.environment}`,
          `set NOMBA_ENVIRONMENT=${name}${origins.environment.includes("NOMBA_BASE_URL") ? " and remove NOMBA_BASE_URL" : ""}`
        )
      }
    ]
  })
  return [...withoutAccount, ...otherEnvironment]
}

/** After Nomba refused the credentials: what they are good for. Ends each session that it starts. */
export const whyRefused = (
  error: AuthError,
  config: NombaConfigService
): Effect.Effect<Finding, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    if (!rejectsCredentials(error)) return failed(error)
    for (const { config: other, proves } of trialsOf(config)) {
      const session = yield* Effect.option(issue(other))
      if (Option.isNone(session)) continue
      yield* Effect.ignore(
        Effect.provide(
          Effect.flatMap(NombaAuth, (auth) => auth.revoke(session.value.accessToken)),
          authOf(other)
        )
      )
      return proves
    }
    return failed(
      error,
      error.status === 403
        ? "add this machine's IP address to the allow-list in the Nomba dashboard; if it is there, check the account id"
        : undefined
    )
  }).pipe(quietly)
