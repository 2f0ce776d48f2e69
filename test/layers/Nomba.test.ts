import { FetchHttpClient, HttpApiClient, type HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Fiber, Layer, ManagedRuntime, Redacted, Schedule, TestClock } from "effect"
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

const { accountId, clientId, clientSecret } = Sandbox.defaultClient
const variables = {
  NOMBA_CLIENT_ID: clientId,
  NOMBA_CLIENT_SECRET: Redacted.value(clientSecret),
  NOMBA_ACCOUNT_ID: accountId
}

const balance = Effect.flatMap(NombaClient, (nomba) => nomba.get("/v1/accounts/balance"))
const counts = Effect.flatMap(Sandbox, (sandbox) => sandbox.counts)

const sandboxed = (options: Partial<Nomba.Options> = {}) =>
  Nomba.layer({ ...Sandbox.defaultClient, ...options }).pipe(Layer.provideMerge(Sandbox.layer()))

describe("the composed layer", () => {
  it.effect("reaches a resource with one session, however many ask at once", () =>
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

  it.effect("recovers when somebody else logs in, all requests with one renewal", () =>
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

  it.effect("tells where the credentials came from that Nomba refuses", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(balance)
      assert.strictEqual(error._tag, "InvalidCredentials")
      for (const origin of ["options.clientId", "options.clientSecret", "options.accountId", "options.environment"]) {
        assert.include(error.message, origin)
      }
    }).pipe(Effect.provide(sandboxed({ clientSecret: Redacted.make("not the secret at all"), environment: "sandbox" })))
  )

  it.effect("gives its session back when it closes, if it is told to", () =>
    Effect.gen(function* () {
      for (const [revokeOnClose, revoked] of [
        [false, 0],
        [true, 1]
      ] as const) {
        yield* Effect.gen(function* () {
          yield* balance.pipe(Effect.provide(Nomba.layer({ ...Sandbox.defaultClient, revokeOnClose })))
          assert.strictEqual((yield* counts).revoked, revoked)
        }).pipe(Effect.provide(Sandbox.layer()))
      }
    })
  )

  class One extends Context.Tag("test/One")<One, TokenCacheService>() {}
  class Two extends Context.Tag("test/Two")<Two, TokenCacheService>() {}
  const twice = (one: typeof NombaLive, two: typeof NombaLive) =>
    Effect.all([One, Two]).pipe(
      Effect.provide([
        Layer.provide(Layer.effect(One, TokenCache), one),
        Layer.provide(Layer.effect(Two, TokenCache), two)
      ]),
      Effect.provide(Sandbox.layer())
    )
  const NombaLive = Nomba.layer(Sandbox.defaultClient)

  it.effect("is one client where its value is one", () =>
    Effect.map(twice(NombaLive, NombaLive), ([one, two]) => assert.strictEqual(one, two))
  )

  it.effect("is two clients where the function was called twice, which still share their session", () =>
    Effect.gen(function* () {
      const [one, two] = yield* twice(NombaLive, Nomba.layer(Sandbox.defaultClient))
      assert.notStrictEqual(one, two)
      yield* Effect.provide(balance, NombaLive)
      yield* Effect.provide(balance, Nomba.layer(Sandbox.defaultClient))
      assert.strictEqual((yield* counts).issued, 1)
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("is configured by its own options where there are two in one program", () =>
    Effect.gen(function* () {
      const other = { ...Sandbox.defaultClient, clientId: "0a3c2c4e-6c3e-4d0f-9d9c-0d3f6f0e7b11" }
      const http = Sandbox.layer({ clients: [Sandbox.defaultClient, other] })
      const [one, two] = yield* Effect.all([One, Two]).pipe(
        Effect.flatMap(([one, two]) => Effect.all([one.get, two.get])),
        Effect.provide([
          Layer.provide(Layer.effect(One, TokenCache), NombaLive),
          Layer.provide(Layer.effect(Two, TokenCache), Nomba.layer(other))
        ]),
        Effect.provide(http)
      )
      assert.notStrictEqual(Redacted.value(one), Redacted.value(two))
    })
  )

  it.effect("does not reach for Nomba before somebody asks", () =>
    Effect.gen(function* () {
      yield* NombaAuth
      yield* NombaClient
      assert.deepInclude(yield* counts, { issued: 0 })
    }).pipe(Effect.provide(sandboxed()))
  )
})

describe("the composed layer by the environment", () => {
  const refusal = (changes: Readonly<Record<string, string>>, overrides?: Nomba.Overrides) =>
    Effect.scoped(Layer.build(Nomba.layerConfig(overrides))).pipe(
      withEnvironment({ ...variables, ...changes }),
      Effect.provide(Sandbox.layer()),
      Effect.flip,
      Effect.map(String)
    )

  it.effect("is configured by variables alone", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.provide(balance, Nomba.layerConfig())).status, 200)
    }).pipe(withEnvironment({ ...variables, NOMBA_TOKEN_STORE: " memory " }), Effect.provide(Sandbox.layer()))
  )

  it.effect("is configured by variables and what the code says instead", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.provide(balance, Nomba.layerConfig({ clientSecret }))).status, 200)
    }).pipe(withEnvironment({ ...variables, NOMBA_CLIENT_SECRET: "changeme" }), Effect.provide(Sandbox.layer()))
  )

  for (const [store, subpath, layer] of [
    ["file:/var/lib/hunter2", "nomba-auth/file", "TokenStoreFile"],
    ["redis://me:hunter2@redis.example", "nomba-auth/redis", "TokenStoreRedis"],
    ["rediss://:hunter2@redis.example", "nomba-auth/redis", "TokenStoreRedis"]
  ] as const) {
    it.effect(`fails for ${store}, and names what serves it`, () =>
      Effect.gen(function* () {
        const message = yield* refusal({ NOMBA_TOKEN_STORE: store })
        for (const part of ["NOMBA_TOKEN_STORE", subpath, layer, "Nomba.layerWithoutStoreConfig"]) {
          assert.include(message, part)
        }
        assert.notInclude(message, "hunter2")
      })
    )
  }

  for (const store of ["", "hunter2", "MEMORY", "postgres://me:hunter2@db"]) {
    it.effect(`fails for ${store || "an empty text"} without printing it`, () =>
      Effect.gen(function* () {
        const message = yield* refusal({ NOMBA_TOKEN_STORE: store })
        assert.include(message, "NOMBA_TOKEN_STORE")
        assert.notInclude(message, "hunter2")
      })
    )
  }

  it.effect("tells of the store and of all the rest at once", () =>
    Effect.gen(function* () {
      const message = yield* refusal({ NOMBA_TOKEN_STORE: "?", NOMBA_CLIENT_ID: "" }, { accountId: " " })
      for (const name of ["NOMBA_TOKEN_STORE", "NOMBA_CLIENT_ID", "options.accountId"]) assert.include(message, name)
    })
  )
})

describe("the composed layer without a store", () => {
  /** The memory store, and how often a place in it was opened. */
  const counting = () => {
    const opened: Array<string> = []
    const layer = Layer.map(TokenStoreMemory.layer, (context) => {
      const store = Context.get(context, TokenStore)
      return Context.make(TokenStore, {
        open: (key, requestTimeout) => {
          opened.push(key)
          return store.open(key, requestTimeout)
        }
      })
    })
    return { opened, layer }
  }

  it.effect("keeps its session in the store that it is given", () =>
    Effect.gen(function* () {
      const { layer, opened } = counting()
      yield* balance.pipe(Effect.provide(Nomba.layerWithoutStore(Sandbox.defaultClient)), Effect.provide(layer))
      assert.strictEqual(opened.length, 1)
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("does not ask the environment for a store", () =>
    Effect.gen(function* () {
      const { layer, opened } = counting()
      const { provider, read } = recordVariables({ ...variables, NOMBA_TOKEN_STORE: "redis://redis.example" })
      yield* balance.pipe(
        Effect.provide(Nomba.layerWithoutStoreConfig()),
        Effect.provide(layer),
        Effect.withConfigProvider(provider)
      )
      assert.strictEqual(opened.length, 1)
      assert.isFalse(read.has("NOMBA_TOKEN_STORE"))
    }).pipe(Effect.provide(Sandbox.layer()))
  )
})

describe("the RetryPolicy", () => {
  const attempts = <E>(program: Effect.Effect<unknown, E, Sandbox | HttpClient.HttpClient>) =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      yield* sandbox.fault("issue", { times: 10, answer: { status: 503 } })
      const fiber = yield* Effect.fork(Effect.exit(program))
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(fiber)
      return (yield* sandbox.counts).issue.requests
    }).pipe(Effect.provide(Sandbox.layer()))

  const NombaLive = Nomba.layer(Sandbox.defaultClient)
  const issue = Effect.flatMap(NombaAuth, (auth) => auth.issue)

  it.effect("by default repeats four times", () =>
    Effect.map(attempts(Effect.provide(issue, NombaLive)), (n) => assert.strictEqual(n, 5))
  )

  it.effect("governs when it is provided under the layer", () =>
    Effect.map(attempts(Effect.provide(issue, Layer.provide(NombaLive, RetryPolicy.layer(Schedule.recurs(1))))), (n) =>
      assert.strictEqual(n, 2)
    )
  )

  it.effect("governs when it is provided around the whole program", () =>
    Effect.map(attempts(issue.pipe(Effect.provide(NombaLive), Effect.provide(RetryPolicy.layerNone))), (n) =>
      assert.strictEqual(n, 1)
    )
  )

  it.effect("has no effect merged beside the layer", () =>
    Effect.map(attempts(Effect.provide(issue, Layer.merge(NombaLive, RetryPolicy.layerNone))), (n) =>
      assert.strictEqual(n, 5)
    )
  )

  it.effect("has no effect nearer to the call", () =>
    Effect.map(attempts(issue.pipe(Effect.provide(RetryPolicy.layerNone), Effect.provide(NombaLive))), (n) =>
      assert.strictEqual(n, 5)
    )
  )
})

describe("over sockets", () => {
  it.scopedLive("the first example of the page runs, in a runtime", () =>
    Effect.gen(function* () {
      const { url } = yield* Sandbox
      const runtime = ManagedRuntime.make(
        Nomba.layerConfig().pipe(
          Layer.provide(FetchHttpClient.layer),
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
