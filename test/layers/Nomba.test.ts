import { createRequire } from "node:module"
import { FetchHttpClient, HttpApiClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import {
  Config,
  type ConfigError,
  ConfigProvider,
  Context,
  Effect,
  Exit,
  Fiber,
  identity,
  Layer,
  ManagedRuntime,
  Redacted,
  Schedule,
  TestClock
} from "effect"
import {
  Nomba,
  NombaAuth,
  NombaClient,
  RetryPolicy,
  TokenCache,
  type TokenCacheService,
  TokenStore,
  TokenStoreMemory
} from "nomba-auth"
import { AccountsApi, Sandbox } from "nomba-auth/sandbox"
import { recordVariables, withEnvironment } from "../support/environment.js"
import { fake, json } from "../support/http.js"

const { accountId, clientId, clientSecret } = Sandbox.defaultClient
const variables = {
  NOMBA_CLIENT_ID: clientId,
  NOMBA_CLIENT_SECRET: Redacted.value(clientSecret),
  NOMBA_ACCOUNT_ID: accountId
}

const balance = Effect.flatMap(NombaClient, (nomba) => nomba.get("/v1/accounts/balance"))
const counts = Effect.flatMap(Sandbox, (sandbox) => sandbox.counts)

const inMemory = (options: Partial<Nomba.Options> = {}) =>
  Layer.provide(Nomba.layer({ ...Sandbox.defaultClient, ...options }), TokenStoreMemory.layer)

const sandboxed = (options: Partial<Nomba.Options> = {}) => Layer.provideMerge(inMemory(options), Sandbox.layer())

/** Stands for a store that other processes share. */
const shared = Layer.map(TokenStoreMemory.layer, (context) =>
  Context.make(TokenStore, { open: Context.get(context, TokenStore).open, isShared: true })
)

class One extends Context.Tag("test/One")<One, TokenCacheService>() {}
class Two extends Context.Tag("test/Two")<Two, TokenCacheService>() {}

describe("Nomba.layer", () => {
  it.effect("reaches a resource with one session for 200 concurrent callers", () =>
    Effect.gen(function* () {
      const responses = yield* Effect.all(
        Array.from({ length: 200 }, () => balance),
        { concurrency: "unbounded" }
      )
      assert.isTrue(responses.every(({ status }) => status === 200))
      assert.strictEqual((yield* counts).issued, 1)
    }).pipe(Effect.provide(sandboxed()))
  )

  it.effect("has one cache: the client sends the token that TokenCache holds, and sees its logout", () =>
    Effect.gen(function* () {
      const cache = yield* TokenCache
      yield* balance
      yield* cache.logout
      yield* balance
      assert.deepInclude(yield* counts, { issued: 2, revoked: 1 })
    }).pipe(Effect.provide(sandboxed()))
  )

  it.effect("recovers with one renewal if another program logs in", () =>
    Effect.gen(function* () {
      yield* balance
      yield* Effect.flatMap(Sandbox, (sandbox) => sandbox.steal())
      const responses = yield* Effect.all(
        Array.from({ length: 200 }, () => balance),
        { concurrency: "unbounded" }
      )
      assert.isTrue(responses.every(({ status }) => status === 200))
      assert.strictEqual((yield* counts).issued, 2)
    }).pipe(Effect.provide(sandboxed()))
  )

  it.effect("renews ahead of expiry while requests go on", () =>
    Effect.gen(function* () {
      yield* balance
      yield* TestClock.adjust("26 minutes")
      assert.strictEqual((yield* balance).status, 200)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* balance).status, 200)
      assert.deepInclude(yield* counts, { issued: 1, refreshed: 1 })
    }).pipe(Effect.provide(sandboxed()))
  )

  it.effect("serves a client derived from an HttpApi", () =>
    Effect.gen(function* () {
      const api = yield* HttpApiClient.makeWith(AccountsApi, { httpClient: yield* NombaClient })
      assert.strictEqual((yield* api.getBalance({})).code, "00")
    }).pipe(Effect.provide(sandboxed()))
  )

  it.effect("names where rejected credentials came from", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(balance)
      assert.strictEqual(error._tag, "InvalidCredentials")
      for (const origin of ["options.clientId", "options.clientSecret", "options.accountId", "options.environment"]) {
        assert.include(error.message, origin)
      }
    }).pipe(Effect.provide(sandboxed({ clientSecret: Redacted.make("not the secret at all"), environment: "sandbox" })))
  )

  it.effect("revokes its session when it closes if revokeOnClose is set", () =>
    Effect.gen(function* () {
      for (const [revokeOnClose, revoked] of [
        [false, 0],
        [true, 1]
      ] as const) {
        yield* Effect.gen(function* () {
          yield* balance.pipe(Effect.provide(inMemory({ revokeOnClose })))
          assert.strictEqual((yield* counts).revoked, revoked)
        }).pipe(Effect.provide(Sandbox.layer()))
      }
    })
  )

  const twice = (one: typeof NombaLive, two: typeof NombaLive) =>
    Effect.all([One, Two]).pipe(
      Effect.provide([
        Layer.provide(Layer.effect(One, TokenCache), one),
        Layer.provide(Layer.effect(Two, TokenCache), two)
      ]),
      Effect.provide(Sandbox.layer())
    )
  const NombaLive = inMemory()

  it.effect("is one client if the layer is one value", () =>
    Effect.map(twice(NombaLive, NombaLive), ([one, two]) => assert.strictEqual(one, two))
  )

  it.effect("is two clients that share their session if the function is called twice", () =>
    Effect.gen(function* () {
      const [one, two] = yield* twice(NombaLive, inMemory())
      assert.notStrictEqual(one, two)
      yield* Effect.provide(balance, NombaLive)
      yield* Effect.provide(balance, inMemory())
      assert.strictEqual((yield* counts).issued, 1)
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("keeps the options of two clients in one program apart", () =>
    Effect.gen(function* () {
      const other = { ...Sandbox.defaultClient, clientId: "0a3c2c4e-6c3e-4d0f-9d9c-0d3f6f0e7b11" }
      const http = Sandbox.layer({ clients: [Sandbox.defaultClient, other] })
      const [one, two] = yield* Effect.all([One, Two]).pipe(
        Effect.flatMap(([one, two]) => Effect.all([one.get, two.get])),
        Effect.provide([
          Layer.provide(Layer.effect(One, TokenCache), NombaLive),
          Layer.provide(Layer.effect(Two, TokenCache), inMemory(other))
        ]),
        Effect.provide(http)
      )
      assert.notStrictEqual(Redacted.value(one), Redacted.value(two))
    })
  )

  it.effect("sends nothing before the first call", () =>
    Effect.gen(function* () {
      yield* NombaAuth
      yield* NombaClient
      assert.deepInclude(yield* counts, { issued: 0 })
    }).pipe(Effect.provide(sandboxed()))
  )
})

describe("Nomba.layerConfig", () => {
  const build = (
    changes: Readonly<Record<string, string>>,
    config?: Parameters<typeof Nomba.layerConfig>[0],
    options?: Nomba.ConfigOptions,
    store: Layer.Layer<TokenStore, ConfigError.ConfigError> = TokenStoreMemory.layer
  ) =>
    Effect.scoped(Layer.build(Layer.provide(Nomba.layerConfig(config, options), store))).pipe(
      withEnvironment({ ...variables, ...changes }),
      Effect.provide(Sandbox.layer())
    )
  const refusal = (...args: Parameters<typeof build>) => Effect.map(Effect.flip(build(...args)), String)
  const status = (layer: ReturnType<typeof Nomba.layerConfig>, changes: Readonly<Record<string, string>> = {}) =>
    Effect.map(balance, (response) => response.status).pipe(
      Effect.provide(Layer.provide(layer, TokenStoreMemory.layer)),
      withEnvironment({ ...variables, ...changes }),
      Effect.provide(Sandbox.layer())
    )

  it.effect("reads NOMBA_* by default", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* status(Nomba.layerConfig(), { NOMBA_TOKEN_STORE: " memory " }), 200)
    })
  )

  it.effect("reads what the spread default replaces, and not the variable", () =>
    Effect.gen(function* () {
      const shop = Nomba.layerConfig({ ...Nomba.defaultConfig, clientId: Config.string("SHOP_ID") })
      assert.strictEqual(yield* status(shop, { SHOP_ID: clientId, NOMBA_CLIENT_ID: "changeme" }), 200)
      const literal = Nomba.layerConfig({ ...Nomba.defaultConfig, clientSecret: Config.succeed(clientSecret) })
      assert.strictEqual(yield* status(literal, { NOMBA_CLIENT_SECRET: "changeme" }), 200)
    })
  )

  it.effect("takes one Config of all settings", () =>
    Effect.gen(function* () {
      const shop = Config.nested(
        Config.all({
          clientId: Config.string("ID"),
          clientSecret: Config.redacted("SECRET"),
          accountId: Config.string("ACCOUNT")
        }),
        "SHOP"
      )
      const read = { "SHOP.ID": clientId, "SHOP.SECRET": Redacted.value(clientSecret), "SHOP.ACCOUNT": accountId }
      assert.strictEqual(yield* status(Nomba.layerConfig(shop), read), 200)
    })
  )

  it.effect("reads a secret at each issue from the options, and not the variable", () =>
    Effect.gen(function* () {
      let reads = 0
      const vault = Effect.sync(() => {
        reads += 1
        return clientSecret
      })
      const layer = Nomba.layerConfig(undefined, { clientSecret: vault })
      assert.strictEqual(yield* status(layer, { NOMBA_CLIENT_SECRET: "changeme" }), 200)
      assert.strictEqual(reads, 1)
    })
  )

  it.effect("names the variable that it looked for if it is not set", () =>
    Effect.gen(function* () {
      const message = yield* refusal({}, { ...Nomba.defaultConfig, clientId: Config.string("SHOP_ID") })
      assert.include(message, "SHOP_ID is not set")
      assert.notInclude(message, "NOMBA_CLIENT_ID")
    })
  )

  it.effect("names the variable that is wrong, without its value, whatever the Config says", () =>
    Effect.gen(function* () {
      for (const requestTimeout of [Config.duration("SHOP_TIMEOUT"), Config.string("SHOP_TIMEOUT")]) {
        const config = { ...Nomba.defaultConfig, requestTimeout } as Parameters<typeof Nomba.layerConfig>[0]
        const message = yield* refusal({ SHOP_TIMEOUT: "hunter2" }, config)
        assert.include(message, "SHOP_TIMEOUT")
        assert.notInclude(message, "hunter2")
      }
    })
  )

  for (const [store, layer] of [
    ["file:/var/lib/hunter2", "TokenStoreFile.layerConfig() of nomba-auth/file"],
    ["redis://me:hunter2@redis.example", "TokenStoreRedis.layerConfig() of nomba-auth/redis"],
    ["rediss://:hunter2@redis.example", "TokenStoreRedis.layerConfig() of nomba-auth/redis"]
  ] as const) {
    it.effect(`refuses TokenStoreMemory while NOMBA_TOKEN_STORE=${store}, and names the layer to provide`, () =>
      Effect.gen(function* () {
        const messages = [
          yield* refusal({ NOMBA_TOKEN_STORE: store }),
          yield* Effect.map(
            Effect.flip(
              Effect.scoped(
                Layer.build(
                  Nomba.layerPublicConfig(undefined, { subject: "ada" }).pipe(Layer.provide(TokenStoreMemory.layer))
                )
              ).pipe(withEnvironment({ ...variables, NOMBA_TOKEN_STORE: store }), Effect.provide(Sandbox.layer()))
            ),
            String
          )
        ]
        for (const message of messages) {
          for (const part of ["NOMBA_TOKEN_STORE", layer, "TokenStoreEnv.layer"]) assert.include(message, part)
          assert.notInclude(message, "hunter2")
        }
      })
    )
  }

  it.effect("does not read NOMBA_TOKEN_STORE if the store that is provided is shared", () =>
    Effect.gen(function* () {
      const { provider, read } = recordVariables({ ...variables, NOMBA_TOKEN_STORE: "redis://redis.example" })
      yield* balance.pipe(
        Effect.provide(Layer.provide(Nomba.layerConfig(), shared)),
        Effect.withConfigProvider(provider),
        Effect.provide(Sandbox.layer())
      )
      assert.isFalse(read.has("NOMBA_TOKEN_STORE"))
    })
  )

  for (const store of ["", "hunter2", "MEMORY", "postgres://me:hunter2@db"]) {
    it.effect(`refuses NOMBA_TOKEN_STORE=${store || "an empty text"} without printing it`, () =>
      Effect.gen(function* () {
        const message = yield* refusal({ NOMBA_TOKEN_STORE: store })
        assert.include(message, "NOMBA_TOKEN_STORE")
        assert.notInclude(message, "hunter2")
      })
    )
  }

  it.effect("reports the store and all other errors at once", () =>
    Effect.gen(function* () {
      const config = { ...Nomba.defaultConfig, accountId: Config.succeed(" ") }
      const message = yield* refusal({ NOMBA_TOKEN_STORE: "?", NOMBA_CLIENT_ID: "" }, config)
      for (const name of ["NOMBA_TOKEN_STORE", "NOMBA_CLIENT_ID", "config.accountId"]) assert.include(message, name)
    })
  )
})

describe("the token store of Nomba.layer", () => {
  it.effect("is built once for two clients, and holds the session of each", () =>
    Effect.gen(function* () {
      const other = { ...Sandbox.defaultClient, clientId: "0a3c2c4e-6c3e-4d0f-9d9c-0d3f6f0e7b11" }
      const opened: Array<string> = []
      let built = 0
      const store = Layer.map(TokenStoreMemory.layer, (context) => {
        built += 1
        const { open } = Context.get(context, TokenStore)
        return Context.make(TokenStore, {
          isShared: false,
          open: (key, requestTimeout) => {
            opened.push(key)
            return open(key, requestTimeout)
          }
        })
      })
      const clients = Layer.mergeAll(
        Layer.provide(Layer.effect(One, TokenCache), Nomba.layer(Sandbox.defaultClient)),
        Layer.provide(Layer.effect(Two, TokenCache), Nomba.layer(other))
      ).pipe(Layer.provide(store))
      yield* Effect.all([One, Two]).pipe(
        Effect.flatMap(([one, two]) => Effect.all([one.get, two.get])),
        Effect.provide(clients),
        Effect.provide(Sandbox.layer({ clients: [Sandbox.defaultClient, other] }))
      )
      assert.strictEqual(built, 1)
      assert.strictEqual(new Set(opened).size, 2)
    })
  )

  it.effect("must not be shared if revokeOnClose is set", () =>
    Effect.gen(function* () {
      const build = (layer: ReturnType<typeof Nomba.layer>, store: Layer.Layer<TokenStore>) =>
        Effect.exit(Effect.scoped(Layer.build(Layer.provide(layer, store)))).pipe(
          withEnvironment(variables),
          Effect.provide(Sandbox.layer())
        )
      for (const layer of [
        Nomba.layer({ ...Sandbox.defaultClient, revokeOnClose: true }),
        Nomba.layerConfig({ ...Nomba.defaultConfig, revokeOnClose: Config.succeed(true) }),
        Nomba.layerPublic({ clientId, subject: "ada", revokeOnClose: true })
      ]) {
        const exit = yield* build(layer, shared)
        assert.include(String(exit), "revokeOnClose")
        assert.include(String(exit), "TokenStoreMemory")
        assert.isTrue(Exit.isSuccess(yield* build(layer, TokenStoreMemory.layer)))
      }
      assert.isTrue(Exit.isSuccess(yield* build(Nomba.layer(Sandbox.defaultClient), shared)))
    })
  )
})

describe("RetryPolicy and Nomba.layer", () => {
  const attempts = <E>(program: Effect.Effect<unknown, E, Sandbox | HttpClient.HttpClient>) =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      yield* sandbox.fault("issue", { times: 10, answer: { status: 503 } })
      const fiber = yield* Effect.fork(Effect.exit(program))
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(fiber)
      return (yield* sandbox.counts).issue.requests
    }).pipe(Effect.provide(Sandbox.layer()))

  const NombaLive = inMemory()
  const issue = Effect.flatMap(NombaAuth, (auth) => auth.issue)

  it.effect("retries four times by default", () =>
    Effect.map(attempts(Effect.provide(issue, NombaLive)), (n) => assert.strictEqual(n, 5))
  )

  it.effect("applies if it is provided under the layer", () =>
    Effect.map(attempts(Effect.provide(issue, Layer.provide(NombaLive, RetryPolicy.layer(Schedule.recurs(1))))), (n) =>
      assert.strictEqual(n, 2)
    )
  )

  it.effect("can be made of the default schedule", () =>
    Effect.gen(function* () {
      const two = RetryPolicy.layerWith((schedule) => Schedule.intersect(schedule, Schedule.recurs(2)))
      assert.strictEqual(yield* attempts(Effect.provide(issue, Layer.provide(NombaLive, two))), 3)
      const same = RetryPolicy.layer(RetryPolicy.defaultSchedule)
      assert.strictEqual(yield* attempts(Effect.provide(issue, Layer.provide(NombaLive, same))), 5)
    })
  )

  it.effect("applies if it is provided around the whole program", () =>
    Effect.map(attempts(issue.pipe(Effect.provide(NombaLive), Effect.provide(RetryPolicy.layerNone))), (n) =>
      assert.strictEqual(n, 1)
    )
  )

  it.effect("does not apply if it is merged beside the layer", () =>
    Effect.map(attempts(Effect.provide(issue, Layer.merge(NombaLive, RetryPolicy.layerNone))), (n) =>
      assert.strictEqual(n, 5)
    )
  )

  it.effect("does not apply if it is provided nearer to the call", () =>
    Effect.map(attempts(issue.pipe(Effect.provide(RetryPolicy.layerNone), Effect.provide(NombaLive))), (n) =>
      assert.strictEqual(n, 5)
    )
  )
})

describe("the User-Agent of Nomba.layer", () => {
  const granted = { code: "00", data: { access_token: "a.b.c", refresh_token: "r", expires_in: 3600 } }
  const agents = (
    call: Effect.Effect<unknown, unknown, NombaClient | TokenCache>,
    options: Partial<Nomba.Options> = {},
    underlying: (client: HttpClient.HttpClient) => HttpClient.HttpClient = identity
  ) =>
    Effect.gen(function* () {
      const upstream = fake(() => json(200, granted))
      const http = Layer.succeed(HttpClient.HttpClient, underlying(upstream.client))
      const client = inMemory({ ...options, clientId: globalThis.crypto.randomUUID() })
      yield* call.pipe(Effect.provide(client), Effect.provide(http))
      return upstream.sent.map(({ headers }) => headers["user-agent"])
    })
  const all = Effect.zipRight(
    balance,
    Effect.flatMap(TokenCache, (cache) => cache.logout)
  )
  const named = `nomba-auth/${createRequire(import.meta.url)("../../package.json").version}`

  it.effect("names this package and its version on token requests and on calls", () =>
    Effect.map(agents(all), (sent) => assert.deepStrictEqual(sent, [named, named, named]))
  )

  it.effect("is the caller's if the request, transformClient or the client below sets one", () =>
    Effect.gen(function* () {
      const own = HttpClientRequest.setHeader("User-Agent", "shop/1.0")
      const call = Effect.flatMap(NombaClient, (nomba) => nomba.execute(own(HttpClientRequest.get("/v1/x"))))
      assert.deepStrictEqual(yield* agents(call), [named, "shop/1.0"])
      const mine = ["shop/1.0", "shop/1.0", "shop/1.0"]
      assert.deepStrictEqual(yield* agents(all, { transformClient: HttpClient.mapRequest(own) }), mine)
      assert.deepStrictEqual(yield* agents(all, {}, HttpClient.mapRequest(own)), mine)
    })
  )
})

describe("Nomba.layerConfig over sockets", () => {
  it.scopedLive("runs the first example of the README in a runtime", () =>
    Effect.gen(function* () {
      const { url } = yield* Sandbox
      const runtime = ManagedRuntime.make(
        Nomba.layerConfig().pipe(
          Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]),
          Layer.provide(
            Layer.setConfigProvider(
              ConfigProvider.fromMap(new Map(Object.entries({ ...variables, NOMBA_BASE_URL: `${url}/v1/` })))
            )
          )
        )
      )
      const program = Effect.gen(function* () {
        const nomba = yield* NombaClient
        const response = yield* nomba.get("/v1/accounts/balance")
        return yield* response.json
      })
      const body = yield* Effect.promise(() => runtime.runPromise(program))
      assert.propertyVal(body, "code", "00")
      yield* Effect.promise(() => runtime.dispose())
    }).pipe(Effect.provide(Sandbox.layerServer()))
  )
})
