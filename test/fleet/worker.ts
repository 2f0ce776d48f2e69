/** One process of a fleet: a client of Nomba over the shared store, which does what it is told. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Nomba from "../../src/layers/Nomba.js"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import * as Driver from "../../src/layers/store/redis/Driver.js"
import * as RedisConnection from "../../src/layers/store/redis/RedisConnection.js"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import * as TokenStoreMemory from "../../src/layers/TokenStoreMemory.js"
import { defaultClient } from "../../src/sandbox/config/Options.js"
import type { NombaClient } from "../../src/services/NombaClient.js"
import type { TokenCache } from "../../src/services/TokenCache.js"
import { TokenStore } from "../../src/services/TokenStore.js"
import * as acts from "./acts.js"
import type { Answer, Command, Event, Report, WorkerOptions } from "./protocol.js"
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

/** As `TokenStoreRedis.make` does, and with its default, with the waiting between. */
const redisStore = (port: number): Layer.Layer<TokenStore> =>
  Layer.scoped(
    TokenStore,
    Effect.gen(function* () {
      const connection = yield* RedisConnection.fromUrl(Redacted.make(`redis://127.0.0.1:${port}`))
      const connect = yield* Driver.make(connection, { codec: SessionCodec.plain, commandTimeout: Duration.seconds(1) })
      return SessionStore.fromDriver(waiting.store(connect))
    })
  )

const runtime = ManagedRuntime.make(
  Nomba.layer({
    ...defaultClient,
    baseUrl: options.baseUrl,
    requestTimeout: options.requestTimeout,
    transformClient: waiting.client
  }).pipe(
    Layer.provide(options.redis === undefined ? TokenStoreMemory.layer : redisStore(options.redis)),
    Layer.provide(FetchHttpClient.layer)
  )
)

const traffic = makeTraffic(String(process.pid), machineTime)

const actOf = (command: Command): Effect.Effect<string | Report | null, unknown, TokenCache | NombaClient> => {
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

process.on("message", ({ id, ...command }: Command & { readonly id: number }) => {
  runtime.runPromise(actOf(command as Command)).then(
    (ok) => say({ id, ok }),
    (error: unknown) => say({ id, failed: failureOf(error) })
  )
})

/** The tests have ended, however that came: so does a process that nobody tells anything any more. */
process.on("disconnect", () => process.exit())

/** An `Effect` that fails rejects its promise with a `FiberFailure`, whose name says what it failed with. */
const failureOf = (error: unknown): string => {
  const { message, name } = error as Error
  return `${name}: ${message}`
}

runtime.runPromise(Effect.void).then(() => say({ event: "ready" }))
