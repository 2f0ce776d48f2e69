import type { HttpClient, HttpClientError, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Config, type ConfigError, Effect, Layer, Redacted, type Scope, type Stream } from "effect"
import * as NombaAuthModule from "nomba-auth"
import {
  AuthError,
  type CachedSession,
  type ExchangeOptions,
  type Expired,
  type InvalidCredentials,
  Nomba,
  NombaAuth,
  type NombaAuthService,
  NombaClient,
  NombaClientHttp,
  type NombaClientService,
  NombaConfig,
  NombaConfigOptions,
  NombaResponse,
  Pkce,
  type PublicLogin,
  type PublicLoginService,
  type Remedy,
  RetryPolicy,
  type Session,
  type SessionEvent,
  type SessionStore,
  TokenCache,
  TokenCacheRef,
  type TokenCacheService,
  type TokenStore,
  TokenStoreDriver,
  TokenStoreMemory,
  type TokenStoreService,
  type Unavailable
} from "nomba-auth"
import type { NombaTestService, TokenStoreTestService } from "nomba-auth/testing"
import { expectTypeOf } from "vitest"

const options: Nomba.Options = { clientId: "id", clientSecret: Redacted.make("secret") }

describe("the public names", () => {
  it("are the documented ones, and no others", () => {
    assert.sameMembers(Object.keys(NombaAuthModule), [
      ...AuthError.members.map(({ _tag }) => _tag),
      "AuthError",
      "CredentialOrigins",
      "LeaseLost",
      "Nomba",
      "NombaAuth",
      "NombaAuthHttp",
      "NombaClient",
      "NombaClientHttp",
      "NombaConfig",
      "NombaConfigOptions",
      "NombaRequestFailed",
      "NombaResponse",
      "Operation",
      "Pkce",
      "PublicLogin",
      "RenewalHeldBack",
      "RetryPolicy",
      "Session",
      "SessionCodec",
      "SessionEvent",
      "StoreKey",
      "TokenCache",
      "TokenCacheRef",
      "TokenStore",
      "TokenStoreDriver",
      "TokenStoreMemory",
      "UnavailableReason",
      "UnexpectedReason"
    ])
    assert.deepStrictEqual(Object.keys(Nomba).sort(), [
      "defaultConfig",
      "defaultPublicConfig",
      "layer",
      "layerConfig",
      "layerPublic",
      "layerPublicConfig"
    ])
    assert.deepStrictEqual(Object.keys(NombaResponse).sort(), ["data", "result"])
    assert.deepStrictEqual(Object.keys(Pkce).sort(), [
      "PendingLogin",
      "authorizationUrl",
      "authorizationUrlConfig",
      "callback",
      "challenge",
      "state",
      "verifier"
    ])
  })
})

describe("the layers", () => {
  type Client<R> = Layer.Layer<NombaAuth | TokenCache | NombaClient, ConfigError.ConfigError, R>

  it("require a platform and a store", () => {
    expectTypeOf(Nomba.layer).returns.toEqualTypeOf<Client<HttpClient.HttpClient | TokenStore>>()
    expectTypeOf(Nomba.layerConfig).returns.toEqualTypeOf<Client<HttpClient.HttpClient | TokenStore>>()
  })

  it("of a public client also provide its login", () => {
    type PublicClient = Layer.Layer<
      NombaAuth | TokenCache | NombaClient | PublicLogin,
      ConfigError.ConfigError,
      HttpClient.HttpClient | TokenStore
    >
    expectTypeOf(Nomba.layerPublic).returns.toEqualTypeOf<PublicClient>()
    expectTypeOf(Nomba.layerPublicConfig).returns.toEqualTypeOf<PublicClient>()
    expectTypeOf(TokenCacheRef.layerPublic).toEqualTypeOf<
      Layer.Layer<TokenCache | PublicLogin, never, NombaAuth | TokenStore | NombaConfig>
    >()
  })

  it("of one service each require what they are built on", () => {
    expectTypeOf(NombaClientHttp.layer).toEqualTypeOf<
      Layer.Layer<NombaClient, never, NombaConfig | TokenCache | HttpClient.HttpClient>
    >()
    expectTypeOf(NombaAuthModule.NombaAuthHttp.layer).toEqualTypeOf<
      Layer.Layer<NombaAuth, never, NombaConfig | HttpClient.HttpClient>
    >()
    expectTypeOf(TokenCacheRef.layer).toEqualTypeOf<
      Layer.Layer<TokenCache, never, NombaAuth | TokenStore | NombaConfig>
    >()
    expectTypeOf(TokenStoreMemory.layer).toEqualTypeOf<Layer.Layer<TokenStore>>()
    expectTypeOf(TokenStoreDriver.layer).returns.toEqualTypeOf<Layer.Layer<TokenStore>>()
    expectTypeOf(NombaConfigOptions.layer).returns.toEqualTypeOf<Layer.Layer<NombaConfig, ConfigError.ConfigError>>()
  })

  it("need no RetryPolicy, and take one", () => {
    const NombaLive = Nomba.layerConfig().pipe(Layer.provide(RetryPolicy.layerNone))
    expectTypeOf(NombaLive).toEqualTypeOf<Client<HttpClient.HttpClient | TokenStore>>()
  })

  it("that are missing are an error before the program runs", () => {
    const program = Effect.flatMap(NombaClient, (nomba) => nomba.get("/v1/x"))
    const withoutPlatform = Effect.provide(program, Layer.provide(Nomba.layer(options), TokenStoreMemory.layer))
    expectTypeOf(withoutPlatform).toEqualTypeOf<
      Effect.Effect<
        HttpClientResponse.HttpClientResponse,
        HttpClientError.HttpClientError | AuthError | ConfigError.ConfigError,
        HttpClient.HttpClient
      >
    >()
    const withoutStore = Effect.provide(program, Nomba.layer(options))
    expectTypeOf(program).not.toExtend<Effect.Effect<unknown, unknown>>()
    expectTypeOf(withoutPlatform).not.toExtend<Effect.Effect<unknown, unknown>>()
    expectTypeOf(withoutStore).not.toExtend<Effect.Effect<unknown, unknown, HttpClient.HttpClient>>()
    expectTypeOf(withoutStore).toExtend<Effect.Effect<unknown, unknown, HttpClient.HttpClient | TokenStore>>()
  })
})

describe("the services", () => {
  it("need nothing where they are used", () => {
    type Requirements<S> = {
      [K in keyof S]: S[K] extends Effect.Effect<infer _A, infer _E, infer R>
        ? R
        : S[K] extends (...args: infer _Args) => Effect.Effect<infer _A, infer _E, infer R>
          ? R
          : never
    }[keyof S]
    expectTypeOf<Requirements<NombaAuthService>>().toBeNever()
    expectTypeOf<Requirements<TokenCacheService>>().toBeNever()
    expectTypeOf<Requirements<Omit<SessionStore, "changes">>>().toBeNever()
    expectTypeOf<
      Requirements<Pick<TokenStoreService, "open"> & Pick<SessionStore, "changes">>
    >().toEqualTypeOf<Scope.Scope>()
    expectTypeOf<Requirements<NombaTestService>>().toBeNever()
    expectTypeOf<Requirements<TokenStoreTestService>>().toBeNever()
    expectTypeOf<Requirements<Pick<NombaClientService, "execute" | "get" | "post" | "del">>>().toBeNever()
  })

  it("fail with these and nothing else", () => {
    type IssueError = Exclude<AuthError, Expired>
    expectTypeOf<NombaAuthService["issue"]>().toEqualTypeOf<Effect.Effect<Session, IssueError>>()
    expectTypeOf<NombaAuthService["refresh"]>().returns.toEqualTypeOf<Effect.Effect<Session, IssueError | Expired>>()
    expectTypeOf<NombaAuthService["revoke"]>().returns.toEqualTypeOf<Effect.Effect<void, IssueError | Expired>>()
    expectTypeOf<NombaAuthService["exchange"]>().returns.toEqualTypeOf<Effect.Effect<Session, IssueError | Expired>>()
    expectTypeOf<TokenCacheService["get"]>().toEqualTypeOf<Effect.Effect<Redacted.Redacted<string>, AuthError>>()
    expectTypeOf<TokenCacheService["session"]>().toEqualTypeOf<Effect.Effect<CachedSession, AuthError>>()
    expectTypeOf<TokenCacheService["invalidate"]>().returns.toEqualTypeOf<Effect.Effect<Remedy>>()
    expectTypeOf<PublicLoginService["login"]>().toEqualTypeOf<(session: Session) => Effect.Effect<void, Unavailable>>()
    expectTypeOf(Pkce.authorizationUrl).returns.toEqualTypeOf<
      Effect.Effect<Pkce.AuthorizationRequest, ConfigError.ConfigError>
    >()
    expectTypeOf(Pkce.callback).returns.toEqualTypeOf<Effect.Effect<ExchangeOptions, AuthError>>()
    expectTypeOf<TokenCacheService["changes"]>().toEqualTypeOf<Stream.Stream<SessionEvent>>()
    expectTypeOf<NombaClientService["get"]>().returns.toEqualTypeOf<
      Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError | AuthError>
    >()
  })

  it("let failures be caught one by one", () => {
    const program = Effect.gen(function* () {
      const auth = yield* NombaAuth
      return yield* auth.issue
    }).pipe(
      Effect.catchTags({
        InvalidCredentials: () => Effect.succeed("fix the credentials" as const),
        Unavailable: () => Effect.succeed("wait" as const)
      })
    )
    expectTypeOf(program).toEqualTypeOf<
      Effect.Effect<
        Session | "fix the credentials" | "wait",
        Exclude<AuthError, Expired | InvalidCredentials | Unavailable>,
        NombaAuth
      >
    >()
    // @ts-expect-error issue cannot fail with Expired
    const impossible = Effect.catchTag(program, "Expired", () => Effect.void)
    assert.isObject(impossible)
  })

  it("are known by these tags", () => {
    expectTypeOf(TokenCache.Service).toEqualTypeOf<TokenCacheService>()
    expectTypeOf(NombaClient.Service).toEqualTypeOf<NombaClientService>()
    assert.strictEqual(NombaConfig.key, "nomba-auth/NombaConfig")
  })

  it("fail with errors that are told apart by their tag", () => {
    for (const Class of AuthError.members) assert.strictEqual(Class._tag, Class.name)
  })
})

describe("the options", () => {
  it("of a public client have a subject and no secret", () => {
    expectTypeOf<{ clientId: string; subject: string }>().toExtend<Nomba.PublicOptions>()
    expectTypeOf<{ clientId: string }>().not.toExtend<Nomba.PublicOptions>()
    expectTypeOf<Nomba.PublicOptions>().not.toHaveProperty("clientSecret")
    expectTypeOf<{ subject: string }>().toExtend<Nomba.PublicConfigOptions>()
    expectTypeOf<Nomba.PublicConfigOptions>().not.toHaveProperty("clientSecret")
  })

  it("accept undefined for a setting that is left out", () => {
    expectTypeOf<{
      clientId: string
      clientSecret: Redacted.Redacted
      accountId: undefined
      environment: undefined
      baseUrl: undefined
      renewAhead: undefined
      requestTimeout: undefined
      revokeOnClose: undefined
      transformClient: undefined
    }>().toExtend<Nomba.Options>()
    expectTypeOf<{ clientSecret: undefined; transformClient: undefined }>().toExtend<Nomba.ConfigOptions>()
  })

  it("of layerConfig are a Config for each setting, or one for all", () => {
    type Given = NonNullable<Parameters<typeof Nomba.layerConfig>[0]>
    expectTypeOf(Nomba.defaultConfig).toExtend<Given>()
    const shop = {
      ...Nomba.defaultConfig,
      clientId: Config.string("SHOP_ID"),
      renewAhead: Config.duration("SHOP_RENEW_AHEAD"),
      requestTimeout: Config.succeed("5 seconds" as const),
      revokeOnClose: Config.boolean("SHOP_REVOKE")
    }
    expectTypeOf(shop).toExtend<Given>()
    expectTypeOf(Config.all(shop)).toExtend<Given>()
    expectTypeOf<{ clientId: string }>().not.toExtend<Given>()
    expectTypeOf<Omit<typeof shop, "clientSecret">>().not.toExtend<Given>()
  })

  it("take a secret that is redacted, or an effect that can only be unavailable", () => {
    expectTypeOf<Nomba.Options["clientSecret"]>().toEqualTypeOf<
      Redacted.Redacted | Effect.Effect<Redacted.Redacted, Unavailable>
    >()
    expectTypeOf<string>().not.toExtend<Nomba.Options["clientSecret"]>()
    expectTypeOf<Effect.Effect<Redacted.Redacted, Error>>().not.toExtend<Nomba.Options["clientSecret"]>()
  })
})
