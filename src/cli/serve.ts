/** `nomba-auth serve`: an authenticating reverse proxy for Nomba, for programs in any language. */
import { PerformanceObserver } from "node:perf_hooks"
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"
import * as Command from "@effect/cli/Command"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as TokenStoreMemory from "../layers/TokenStoreMemory.js"
import { TokenCache } from "../services/TokenCache.js"
import { describe } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import { untilStopped } from "./ExitCode.js"
import * as Output from "./Output.js"
import { type Flags, flags, keysOf, operationsOf, placeOf, rulesOf } from "./serve/flags.js"
import type { ListenTarget } from "./serve/Listener.js"
import type { Handled } from "./serve/Metrics.js"
import * as Operations from "./serve/Operations.js"
import * as Proxy from "./serve/Proxy.js"
import type * as Rules from "./serve/Rules.js"

/** One line a request, for people and for programs (logfmt). Written together, because a pipe blocks at every write. */
const requestLog = Effect.acquireRelease(
  Effect.sync(() => {
    let lines = ""
    const flush = (): void => {
      if (lines !== "") process.stderr.write(lines)
      lines = ""
    }
    const timer = setInterval(flush, 100).unref()
    const log = (handled: Handled): void => {
      lines += logLine(handled)
      if (lines.length > 16_384) flush()
    }
    return { log, flush, timer }
  }),
  ({ flush, timer }) =>
    Effect.sync(() => {
      clearInterval(timer)
      flush()
    })
)

export const logLine = ({ isReplayed, key, method, millis, path, status }: Handled): string =>
  `key=${key} method=${method} path=${path} status=${status} replayed=${isReplayed} ms=${Math.round(millis)}\n`

/** What each half of V8's young generation begins with, which `main.ts` keeps until here, and the factor of its only growth. */
const YOUNG = 1_024 * 1_024
const GROWTH = 6

/**
 * Lets each half of the young generation grow to 6 MiB and no further: V8's own limit is 16 MiB, and a running process cannot
 * change it. It may grow with each collection, so it is looked at after each.
 */
const limitHeap = Effect.acquireRelease(
  Effect.sync(() => {
    const observer = new PerformanceObserver(() => {
      const young = getHeapSpaceStatistics().find((space) => space.space_name === "new_space")
      if (young !== undefined && young.space_size < 2 * GROWTH * YOUNG) return
      setFlagsFromString("--semi-space-growth-factor=1")
      observer.disconnect()
    })
    observer.observe({ entryTypes: ["gc"] })
    setFlagsFromString(`--semi-space-growth-factor=${GROWTH}`)
    return observer
  }),
  (observer) => Effect.sync(() => observer.disconnect())
)

/** The settings of a sandbox that this process runs. */
const startSandbox = Effect.gen(function* () {
  const { Sandbox } = yield* Effect.promise(() => import("../sandbox/Sandbox.js"))
  const { url } = yield* Sandbox.makeServer({ port: 0 })
  const { accountId, clientId, clientSecret } = Sandbox.defaultClient
  yield* Output.say(`Nomba sandbox on ${url}: open it in a browser to watch and control it`)
  return {
    NOMBA_BASE_URL: url,
    NOMBA_CLIENT_ID: clientId,
    NOMBA_CLIENT_SECRET: Redacted.value(clientSecret),
    NOMBA_ACCOUNT_ID: accountId ?? "",
    NOMBA_TOKEN_STORE: "memory"
  }
})

const noSecret = { clientSecret: Option.none(), clientSecretFile: Option.none(), subject: Option.none() }

const serve = (
  given: Flags,
  place: ListenTarget,
  operations: Operations.Options,
  rules: ReadonlyArray<Rules.Rule> | undefined
) =>
  Effect.gen(function* () {
    const { generated, keyFile, keys } = yield* keysOf(given)
    const { log } = yield* requestLog
    yield* limitHeap
    let running: Proxy.Proxy | undefined
    // Begun before the proxy, so that it still answers while the proxy finishes its requests.
    const ops = yield* Operations.start(operations, () => running)
    const proxy = yield* Proxy.start({ place, keys, rules, ...(given.quiet ? {} : { onHandled: log }) })
    running = proxy
    yield* Output.result(
      JSON.stringify({
        ready: true,
        url: proxy.url,
        ...("socket" in place ? { socket: place.socket } : {}),
        ...(keyFile === undefined ? {} : { keyFile }),
        ops
      })
    )
    yield* introduce(proxy.url, keyFile, generated)
    // The first caller does not have to wait for the token, and /-/ready says early whether there is one.
    const cache = yield* TokenCache
    yield* Effect.forkScoped(Effect.catchAll(Effect.interruptible(cache.get), (error) => Output.say(error.message)))
    return yield* Effect.never
  })

/** A terminal is the only place where the key is shown. */
const introduce = (
  url: string,
  keyFile: string | undefined,
  key: Redacted.Redacted | undefined
): Effect.Effect<void> => {
  if (process.stderr.isTTY !== true || key === undefined) return Effect.void
  return Output.say(
    [
      `Nomba through ${url} (Ctrl-C to stop). In another terminal:`,
      "",
      `  export NOMBA_PROXY_KEY=${Redacted.value(key)}`,
      `  curl -H "x-nomba-key: $NOMBA_PROXY_KEY" ${url}/v1/accounts/balance`,
      "",
      `The key is also in ${keyFile}.`
    ].join("\n")
  )
}

export const command = Command.make("serve", flags, (given) =>
  Effect.gen(function* () {
    yield* untilStopped
    const place = yield* placeOf(given)
    const operations = yield* operationsOf(given)
    const rules = yield* rulesOf(given)
    const variables = given.sandbox ? yield* startSandbox : undefined
    const layer = Environment.layer(given.sandbox ? noSecret : given, {
      renewAhead: "5 minutes",
      httpClient: NodeHttpClient.layer,
      variables,
      tokenStore: given.sandbox ? TokenStoreMemory.layer : undefined
    })
    return yield* serve(given, place, operations, rules).pipe(Effect.scoped, Effect.provide(layer))
  }).pipe(Effect.scoped)
).pipe(
  Command.withDescription(
    describe(
      "Pass requests on to Nomba with a valid access token. Programs in any language need only the URL and a key.",
      [
        "nomba-auth serve",
        "nomba-auth serve --sandbox",
        'nomba-auth serve --allow "GET /v1/accounts/**" --allow "POST /v1/checkout/order"',
        "nomba-auth serve --socket /run/nomba/proxy.sock --no-key",
        "nomba-auth serve --host 0.0.0.0 --key-file /etc/nomba/keys"
      ]
    )
  )
)
