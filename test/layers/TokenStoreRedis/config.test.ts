/** How the store is configured, and what it says of a configuration that is wrong. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Layer, Logger, Redacted } from "effect"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import type { RedisClient } from "../../../src/layers/store/redis/RedisClient.js"
import * as TokenStoreRedis from "../../../src/layers/TokenStoreRedis.js"
import { withEnvironment } from "../../support/environment.js"

const secret = "the-redis-password"
const key = Buffer.alloc(32, 5).toString("base64")
const codec = SessionCodec.plain

const outcome = (layer: Layer.Layer<never, unknown>, variables: Readonly<Record<string, string>> = {}) =>
  Effect.scoped(Layer.build(layer)).pipe(withEnvironment(variables), Effect.either)

const refuses = (layer: Layer.Layer<never, unknown>, variables: Readonly<Record<string, string>>, what: string) =>
  Effect.gen(function* () {
    const said = String(Either.getOrThrow(Either.flip(yield* outcome(layer, variables))))
    assert.include(said, what)
    assert.notInclude(said, secret)
  })

describe("TokenStoreRedis.layerConfig", () => {
  const layerConfig = TokenStoreRedis.layerConfig()

  for (const url of [
    "redis://127.0.0.1:6379",
    `rediss://user:${secret}@redis.example:6380/3`,
    ` redis://127.0.0.1\n`,
    "redis://127.0.0.1/0?family=6"
  ]) {
    it.effect(`takes ${JSON.stringify(url)}, and connects to no server`, () =>
      Effect.gen(function* () {
        assert.isTrue(Either.isRight(yield* outcome(layerConfig, { NOMBA_TOKEN_STORE: url })))
      })
    )
  }

  const refused: ReadonlyArray<readonly [value: string, what: string]> = [
    ["memory", "TokenStoreMemory.layer of nomba-auth"],
    ["file:/var/lib/nomba", "TokenStoreFile.layerConfig() of nomba-auth/file"],
    [`http://user:${secret}@redis.example`, "is none of memory, file:PATH and redis://…"],
    [`redis:user:${secret}@redis.example`, "is not a URL like redis://host:6379"],
    [`redis://user:${secret}@redis.example:port`, "is not a URL like redis://host:6379"],
    [`redis://user:${secret}@redis.example/orders`, "names a database that is not a number"],
    [`redis://user:${secret}@redis.example/3/4`, "names a database that is not a number"],
    [`"redis://user:${secret}@redis.example"`, "has quotation marks around it"],
    ["", "is empty"]
  ]
  for (const [value, what] of refused) {
    it.effect(`rejects ${JSON.stringify(value)} without quoting it`, () =>
      refuses(layerConfig, { NOMBA_TOKEN_STORE: value }, what)
    )
    it.effect(`names the variable that says ${JSON.stringify(value)}`, () =>
      refuses(layerConfig, { NOMBA_TOKEN_STORE: value }, "NOMBA_TOKEN_STORE")
    )
  }

  it.effect("says that nothing is set", () => refuses(layerConfig, {}, "NOMBA_TOKEN_STORE"))

  it.effect("rejects invalid encryption keys", () =>
    refuses(
      layerConfig,
      { NOMBA_TOKEN_STORE: "redis://127.0.0.1", NOMBA_TOKEN_STORE_KEYS: "one:short" },
      "NOMBA_TOKEN_STORE_KEYS"
    )
  )

  it.effect("encrypts if keys are set", () =>
    Effect.gen(function* () {
      const variables = { NOMBA_TOKEN_STORE: "redis://127.0.0.1", NOMBA_TOKEN_STORE_KEYS: `one:${key}` }
      assert.isTrue(Either.isRight(yield* outcome(layerConfig, variables)))
    })
  )

  it.effect("prefers options to the environment", () =>
    Effect.gen(function* () {
      const overridden = TokenStoreRedis.layerConfig({ url: Redacted.make("redis://127.0.0.1"), codec })
      const variables = { NOMBA_TOKEN_STORE: "memory", NOMBA_TOKEN_STORE_KEYS: "one:short" }
      assert.isTrue(Either.isRight(yield* outcome(overridden, variables)))
    })
  )
})

describe("TokenStoreRedis.layerFromClient", () => {
  const client = { options: {}, eval: () => Promise.resolve(), duplicate: () => client }
  const strangers: Readonly<Record<string, unknown>> = {
    "the options of a client": { url: `redis://user:${secret}@127.0.0.1` },
    nothing: undefined,
    "a URL": `redis://user:${secret}@127.0.0.1`,
    "a client of node-redis": { ...client, isOpen: true },
    "a client that cannot listen": { options: {}, eval: client.eval }
  }
  for (const [name, stranger] of Object.entries(strangers)) {
    it.effect(`rejects ${name}`, () =>
      refuses(
        TokenStoreRedis.layerFromClient({ client: stranger as RedisClient, codec }),
        {},
        "options.client is not a client of ioredis"
      )
    )
  }

  it.effect("takes a client, and sends it no command", () =>
    Effect.gen(function* () {
      const layer = TokenStoreRedis.layerFromClient({ client: client as unknown as RedisClient, codec })
      assert.isTrue(Either.isRight(yield* outcome(layer)))
    })
  )
})

describe("TokenStoreRedis.layerConfig without a setting for encryption", () => {
  const remote = `redis://user:${secret}@redis.example/3`
  const keys = { NOMBA_TOKEN_STORE_KEYS: `one:${key}` }

  const warningsOf = (overrides: TokenStoreRedis.Overrides, variables: Readonly<Record<string, string>>) =>
    Effect.gen(function* () {
      const warnings: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel._tag === "Warning") warnings.push(String(message))
      })
      yield* Effect.scoped(TokenStoreRedis.makeConfig(overrides)).pipe(
        withEnvironment(variables),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      return warnings
    })

  for (const url of [remote, `rediss://redis.example`, "redis://10.0.0.7:6379", "redis://127.0.0.1.example"]) {
    it.effect(`warns once that sessions go to ${url} as plaintext`, () =>
      Effect.gen(function* () {
        const [warning = "", ...others] = yield* warningsOf({}, { NOMBA_TOKEN_STORE: url })
        assert.isEmpty(others)
        for (const part of ["NOMBA_TOKEN_STORE_KEYS", "plaintext"]) assert.include(warning, part)
        for (const part of [secret, "example", "10.0.0.7", "SessionCodec"]) assert.notInclude(warning, part)
        assert.isEmpty(yield* warningsOf({ url: Redacted.make(url) }, {}), "the layer was built again")
        assert.strictEqual((yield* warningsOf({ url: Redacted.make(`redis://other.example`) }, {})).length, 1)
      })
    )
  }

  const silent: ReadonlyArray<readonly [string, TokenStoreRedis.Overrides, Readonly<Record<string, string>>]> = [
    ["where there are keys", {}, { NOMBA_TOKEN_STORE: remote, ...keys }],
    ["if the code says plaintext", { codec }, { NOMBA_TOKEN_STORE: remote }],
    ["on this machine", {}, { NOMBA_TOKEN_STORE: "redis://127.0.0.1" }],
    ["on this machine by its name", {}, { NOMBA_TOKEN_STORE: "redis://localhost:6379/3" }],
    ["on this machine over IPv6", {}, { NOMBA_TOKEN_STORE: "redis://[::1]:6379" }]
  ]
  for (const [where, overrides, variables] of silent) {
    it.effect(`says nothing ${where}`, () =>
      Effect.gen(function* () {
        assert.isEmpty(yield* warningsOf(overrides, variables))
      })
    )
  }
})

describe("TokenStoreRedis.layer", () => {
  const url = Redacted.make("redis://127.0.0.1")

  it.effect("rejects a URL that is not redacted, because it would be printed", () =>
    refuses(TokenStoreRedis.layer({ url: `redis://user:${secret}@redis.example` as never, codec }), {}, "options.url")
  )

  for (const other of ["memory", "file:/var/lib/nomba", `http://user:${secret}@redis.example`]) {
    it.effect(`says what a URL looks like, in place of ${JSON.stringify(other)}`, () =>
      Effect.forEach([TokenStoreRedis.layer, TokenStoreRedis.layerConfig], (layer) =>
        refuses(layer({ url: Redacted.make(other), codec }), {}, "options.url is not a URL like redis://host:6379")
      )
    )
  }

  for (const commandTimeout of [0, "2001 millis", "soon", Number.NaN]) {
    it.effect(`rejects a command time-out of ${commandTimeout}`, () =>
      refuses(
        TokenStoreRedis.layer({ url, codec, commandTimeout: commandTimeout as never }),
        {},
        "options.commandTimeout"
      )
    )
  }

  it.effect("reads nothing from the environment", () =>
    refuses(TokenStoreRedis.layer({ codec } as never), { NOMBA_TOKEN_STORE: "redis://127.0.0.1" }, "options.url")
  )
})
