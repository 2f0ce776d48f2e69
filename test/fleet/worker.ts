/** One process of a fleet: a client of Nomba over the shared store, which does what it is told. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Nomba from "../../src/layers/Nomba.js"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import * as Driver from "../../src/layers/store/redis/Driver.js"
import * as Link from "../../src/layers/store/redis/Link.js"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import type { Connect } from "../../src/layers/store/StoreDriver.js"
import * as TokenStoreMemory from "../../src/layers/TokenStoreMemory.js"
import { defaultClient } from "../../src/sandbox/Options.js"
import { NombaClient } from "../../src/services/NombaClient.js"
import { TokenCache } from "../../src/services/TokenCache.js"
import { TokenStore } from "../../src/services/TokenStore.js"
import type { Answer, Command, Event, Point, Report, WorkerOptions } from "./protocol.js"

const options = JSON.parse(process.argv[2] ?? "") as WorkerOptions
const machineTime = Date.now
Date.now = () => machineTime() + options.clockOffset

const say = (message: Answer | Event): void => void process.send?.(message)

let goOn = (): void => {}
let hasWaited = false

/** Waits the first time, where that is asked for. */
const at = (point: Point): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (hasWaited || point !== options.waitAt) return resume(Effect.void)
    hasWaited = true
    goOn = () => resume(Effect.void)
    say({ event: "at", point })
  })

/**
 * Stops itself in the middle of its work the first time, where that is asked for: no timer of its own runs between this
 * and what comes next.
 */
const stopAt = (point: Point): Effect.Effect<void> =>
  Effect.sync(() => {
    if (hasWaited || point !== options.waitAt) return
    hasWaited = true
    say({ event: "at", point })
    process.kill(process.pid, "SIGSTOP")
  })

const waiting =
  (connect: Connect): Connect =>
  (key, leaseTime) =>
    Effect.map(connect(key, leaseTime), (driver) => ({
      ...driver,
      extend: (owner) => Effect.tap(driver.extend(owner), at("before the token call")),
      mark: (owner, marked) => Effect.tap(driver.mark(owner, marked), at("before the token call")),
      commit: (owner, basis, next) => Effect.zipRight(at("before the write"), driver.commit(owner, basis, next))
    }))

/** As `TokenStoreRedis.make` does, and with its default, with the waiting between. */
const redisStore = (port: number): Layer.Layer<TokenStore> =>
  Layer.scoped(
    TokenStore,
    Effect.gen(function* () {
      const link = yield* Link.own(Redacted.make(`redis://127.0.0.1:${port}`))
      const connect = yield* Driver.make(link, { codec: SessionCodec.plain, commandTimeout: Duration.seconds(1) })
      return SessionStore.fromDriver(waiting(connect))
    })
  )

const runtime = ManagedRuntime.make(
  Nomba.layerWithoutStore({
    ...defaultClient,
    baseUrl: options.baseUrl,
    requestTimeout: options.requestTimeout,
    transformClient: HttpClient.transform((effect, request) =>
      request.url.includes("/v1/auth/")
        ? Effect.zipRight(stopAt("after the last look"), Effect.tap(effect, at("after the answer")))
        : effect
    )
  }).pipe(
    Layer.provide(options.redis === undefined ? TokenStoreMemory.layer : redisStore(options.redis)),
    Layer.provide(FetchHttpClient.layer)
  )
)

const report = {
  ok: 0,
  unauthorized: [] as Array<string>,
  streamed: undefined as number | undefined,
  failed: {} as Record<string, number>,
  firstFailure: undefined as number | undefined,
  lastFailure: undefined as number | undefined
} satisfies Report

const body = (): HttpBody.HttpBody => HttpBody.stream(Stream.make(new TextEncoder().encode("{}")), "application/json")

const send = (number: number): Effect.Effect<void, never, NombaClient> =>
  Effect.gen(function* () {
    const nomba = yield* NombaClient
    const id = `${process.pid}-${number}`
    const isStreamed = number === 7
    const request = (
      isStreamed
        ? HttpClientRequest.post("/v1/transfers", { body: body() })
        : number % 5 === 0
          ? HttpClientRequest.post("/v1/transfers", { body: HttpBody.unsafeJson({ amount: 1 }) })
          : HttpClientRequest.get("/v1/accounts/balance")
    ).pipe(HttpClientRequest.setHeaders({ "idempotency-key": id, "x-request-id": id }))
    const outcome = yield* nomba.execute(request).pipe(
      Effect.tap(({ text }) => text),
      Effect.scoped,
      Effect.map(({ status }) => status),
      Effect.catchAll(({ _tag }) => Effect.succeed(_tag))
    )
    if (isStreamed) report.streamed = typeof outcome === "number" ? outcome : 0
    else if (outcome === 200) report.ok += 1
    else if (outcome === 401) report.unauthorized.push(id)
    else {
      report.failed[outcome] = (report.failed[outcome] ?? 0) + 1
      report.firstFailure ??= machineTime()
      report.lastFailure = machineTime()
    }
  })

let load: NodeJS.Timeout | undefined
let sent = 0
const underWay = new Set<Promise<void>>()

const sendNext = (): void => {
  sent += 1
  const whole = runtime.runPromise(send(sent)).finally(() => underWay.delete(whole))
  underWay.add(whole)
}

const obey = async (command: Command): Promise<string | Report | null> => {
  switch (command.do) {
    case "get":
      return Redacted.value(await runtime.runPromise(Effect.flatMap(TokenCache, (_) => _.get)))
    case "renew":
      return runtime.runPromise(
        Effect.gen(function* () {
          const cache = yield* TokenCache
          yield* cache.invalidate(yield* cache.get)
          return Redacted.value(yield* cache.get)
        })
      )
    case "call":
      return runtime.runPromise(
        Effect.flatMap(NombaClient, (nomba) => Effect.scoped(nomba.get("/v1/accounts/balance"))).pipe(
          Effect.map(({ status }) => String(status))
        )
      )
    case "logout":
      return runtime.runPromise(
        Effect.as(
          Effect.flatMap(TokenCache, (_) => _.logout),
          null
        )
      )
    case "load":
      load = setInterval(sendNext, command.every)
      return null
    case "report":
      clearInterval(load)
      await Promise.all(underWay)
      return report
    case "go on":
      goOn()
      return null
  }
}

process.on("message", ({ id, ...command }: Command & { readonly id: number }) => {
  obey(command as Command).then(
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
