/** One process of a fleet: a Nomba client over the shared store, driven by messages of the test. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Nomba from "../../src/layers/Nomba.js"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import * as Driver from "../../src/layers/store/redis/Driver.js"
import * as RedisConnection from "../../src/layers/store/redis/RedisConnection.js"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import * as TokenStoreFile from "../../src/layers/TokenStoreFile.js"
import * as TokenStoreMemory from "../../src/layers/TokenStoreMemory.js"
import { defaultClient } from "../../src/sandbox/config/Options.js"
import type { NombaClient } from "../../src/services/NombaClient.js"
import type { TokenCache } from "../../src/services/TokenCache.js"
import { TokenStore } from "../../src/services/TokenStore.js"
import * as acts from "./acts.js"
import type { Answer, Command, Event, Result, WorkerOptions } from "./protocol.js"
import { makeTraffic } from "./Traffic.js"
import { makeWaiting } from "./Waiting.js"

const options = JSON.parse(process.argv[2] ?? "") as WorkerOptions
const machineTime = Date.now
let { clockOffset } = options
Date.now = () => machineTime() + clockOffset

const say = (message: Answer | Event): void => void process.send?.(message)

const waiting = makeWaiting(
  options.waitAt,
  (point) => say({ event: "at", point }),
  Effect.sync(() => process.kill(process.pid, "SIGSTOP"))
)

const codec =
  options.keys === undefined
    ? SessionCodec.plain
    : SessionCodec.encrypted(options.keys.map(([id, key]) => ({ id, key: Redacted.make(key) })))

/** As `TokenStoreRedis.make` does, with its default time-out, and with `waiting` between the steps. */
const redisStore = (port: number) =>
  Layer.scoped(
    TokenStore,
    Effect.gen(function* () {
      const connection = yield* RedisConnection.fromUrl(Redacted.make(`redis://127.0.0.1:${port}`))
      const settings = { codec: yield* SessionCodec.fromInput(codec), commandTimeout: Duration.seconds(1) }
      return SessionStore.fromDriver(waiting.store(yield* Driver.make(connection, settings)))
    })
  )

const storeLayer = () => {
  const { directory, redis } = options
  if (directory !== undefined) return TokenStoreFile.layer({ directory, codec })
  return redis === undefined ? TokenStoreMemory.layer : redisStore(redis)
}

const logged: Array<string> = []
const collected = Logger.make<unknown, void>(({ logLevel, message }) => {
  if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) logged.push([message].flat().map(String).join(" "))
})
const logger = Logger.replace(Logger.defaultLogger, collected)

const storeRuntime = ManagedRuntime.make(Layer.provideMerge(storeLayer(), logger))

const startClient = () =>
  ManagedRuntime.make(
    Nomba.layer({
      ...defaultClient,
      baseUrl: options.baseUrl,
      requestTimeout: options.requestTimeout,
      transformClient: waiting.client
    }).pipe(
      Layer.provide(
        Layer.effect(
          TokenStore,
          Effect.promise(() => storeRuntime.runPromise(TokenStore))
        )
      ),
      Layer.provide(FetchHttpClient.layer),
      Layer.provideMerge(logger)
    )
  )

let client = startClient()

const rebuild = async (): Promise<void> => {
  await client.dispose()
  client = startClient()
  await client.runPromise(Effect.void)
}

const traffic = makeTraffic(String(process.pid), machineTime)

const actOf = (
  command: Exclude<Command, { readonly do: "rebuild" }>
): Effect.Effect<Result, unknown, TokenCache | NombaClient> => {
  switch (command.do) {
    case "get":
      return acts.get
    case "renew":
      return acts.renew
    case "outlive":
      return acts.outlive((millis) => {
        clockOffset += millis
      })
    case "call":
      return acts.call
    case "try":
      return acts.tryGet
    case "peek":
      return acts.peek
    case "logged":
      return Effect.sync(() => logged)
    case "logout":
      return Effect.as(acts.logout, null)
    case "load":
      return Effect.as(traffic.begin(command.every), null)
    case "report":
      return traffic.end
    case "go on":
      return Effect.as(Effect.sync(waiting.goOn), null)
  }
}

/** Not run in the client's runtime, which it closes. */
const run = (command: Command): Promise<Result> =>
  command.do === "rebuild" ? rebuild().then(() => null) : client.runPromise(actOf(command))

process.on("message", ({ id, ...command }: Command & { readonly id: number }) => {
  run(command as Command).then(
    (ok) => say({ id, ok }),
    (error: unknown) => say({ id, failed: failureOf(error) })
  )
})

/** The tests have ended, however that came. */
process.on("disconnect", () => process.exit())

/** An `Effect` that fails rejects its promise with a `FiberFailure`, whose name says what it failed with. */
const failureOf = (error: unknown): string => {
  const { message, name } = error as Error
  return `${name}: ${message}`
}

client.runPromise(Effect.void).then(() => say({ event: "ready" }))
