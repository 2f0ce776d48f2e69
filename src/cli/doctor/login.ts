/** Whether Nomba accepts the credentials, and if not, why. */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import { constFalse } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as BaseUrl from "../../layers/config/BaseUrl.js"
import * as NombaAuthHttp from "../../layers/NombaAuthHttp.js"
import * as TokenCacheRef from "../../layers/TokenCacheRef.js"
import type { AuthError } from "../../schemas/AuthError.js"
import { rejectsCredentials } from "../../schemas/ErrorMeaning.js"
import type { Session } from "../../schemas/Session.js"
import { NombaAuth } from "../../services/NombaAuth.js"
import { NombaConfig, type NombaConfigService } from "../../services/NombaConfig.js"
import { RetryPolicy } from "../../services/RetryPolicy.js"
import { type CachedSession, TokenCache } from "../../services/TokenCache.js"
import { TokenStore, type TokenStoreService } from "../../services/TokenStore.js"
import * as ExitCode from "../ExitCode.js"
import { type Finding, failed, problem } from "./Finding.js"

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
  open: (key, requestTimeout, memory) =>
    Effect.map(service.open(key, requestTimeout, memory), (store) => ({
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
const withoutLogs: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = Logger.withMinimumLogLevel(
  LogLevel.None
)

/** Starts a session and stores it, so that the programs that share the store use it too. */
export const login = (
  config: NombaConfigService,
  service: TokenStoreService
): Effect.Effect<CachedSession, AuthError, HttpClient.HttpClient> =>
  Effect.provide(
    Effect.flatMap(TokenCache, (cache) =>
      Effect.filterOrElse(
        cache.session,
        ({ origin }) => origin === "nomba",
        // The cache serves the stored session because the request has failed. Without that session it says why.
        ({ session }) => Effect.zipRight(cache.invalidate(session.accessToken), cache.session)
      )
    ),
    TokenCacheRef.layer.pipe(
      Layer.provide([
        authOf(config),
        Layer.succeed(NombaConfig, config),
        Layer.succeed(TokenStore, withoutAdoption(service))
      ])
    )
  ).pipe(withoutLogs)

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
  }).pipe(withoutLogs)
