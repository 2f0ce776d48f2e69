/** A Nomba that keeps one session per client, at the level of the `NombaAuth` service, driven by the test. */
import {
  Clock,
  Context,
  DateTime,
  Deferred,
  Duration,
  Effect,
  Layer,
  Option,
  Random,
  Redacted,
  type Scope
} from "effect"
import { AttemptGate } from "../../src/layers/auth/HttpAttempt.js"
import * as TokenCacheRef from "../../src/layers/TokenCacheRef.js"
import * as TokenStoreMemory from "../../src/layers/TokenStoreMemory.js"
import {
  type AuthError,
  Expired,
  InvalidCredentials,
  Unavailable,
  UnexpectedResponse
} from "../../src/schemas/AuthError.js"
import { Session } from "../../src/schemas/Session.js"
import * as StoreKey from "../../src/schemas/StoreKey.js"
import { NombaAuth, type NombaAuthService } from "../../src/services/NombaAuth.js"
import { NombaConfig, type NombaConfigService } from "../../src/services/NombaConfig.js"
import { PublicLogin, type PublicLoginService } from "../../src/services/PublicLogin.js"
import { TokenCache, type TokenCacheService } from "../../src/services/TokenCache.js"
import { TokenStore, type TokenStoreService } from "../../src/services/TokenStore.js"

export type Operation = "issue" | "refresh" | "revoke"

/** What happens to one call, in this order: it arrives, it is processed, its answer is delayed and replaced. */
export interface Script {
  readonly operation?: Operation
  /** What has to be done before the request can be sent, as reading a secret. */
  readonly prepare?: Effect.Effect<unknown>
  /** Done when the call has arrived and, unless it fails unprocessed, has been processed. */
  readonly arrived?: Deferred.Deferred<void>
  /** Opened by the test before the answer is sent. */
  readonly gate?: Deferred.Deferred<void>
  readonly latency?: Duration.DurationInput
  /** The call is not processed, and this is its answer. */
  readonly failUnprocessed?: AuthError
  /** After `failUnprocessed` the call is repeated with this delay, if the attempt gate lets it. */
  readonly repeatAfter?: Duration.DurationInput
  /** The call is processed, and this is its answer. */
  readonly failProcessed?: AuthError
}

export interface Call {
  readonly operation: Operation
  readonly at: number
  /** What it was sent with: the refresh token, or the access token to be revoked. */
  readonly token: string | undefined
}

export const unreachable = new Unavailable({
  operation: "refresh",
  reason: "Network",
  detail: "ECONNREFUSED",
  processed: "no"
})
export const timedOut = new Unavailable({ operation: "refresh", reason: "Timeout" })
export const down = new Unavailable({ operation: "issue", reason: "ServerError", status: 503 })
export const wrongSecret = new InvalidCredentials({ operation: "issue", status: 401 })
export const garbage = new UnexpectedResponse({ operation: "refresh", reason: "NotJson", status: 200 })

export interface Upstream {
  readonly auth: NombaAuthService
  readonly calls: Array<Call>
  /** Scripts are used up in order, each by the first call that it fits. */
  readonly script: (...scripts: ReadonlyArray<Script>) => void
  /** Drops the scripts that were not used. */
  readonly forget: () => void
  /** What happens to every call without a script of its own. */
  always: Script
  lifetime: Duration.DurationInput
  /** How far Nomba's clock is ahead of ours. */
  skew: Duration.Duration
  readonly count: (operation?: Operation) => number
  /** The operations in the order of their calls. */
  readonly operations: () => ReadonlyArray<Operation>
  /** The access token of the live session. */
  readonly liveToken: () => string | undefined
  /** Starts a session that no cache requested: of another program, or of an end user, which a test passes to a cache later. */
  readonly startSession: Effect.Effect<Session>
  /** The most calls that were under way at the same time. */
  readonly mostAtOnce: () => number
}

export const makeUpstream = (): Upstream => {
  const calls: Array<Call> = []
  const scripts: Array<Script> = []
  let serial = 0
  let live: { access: string; refresh: string } | undefined
  let underWay = 0
  let mostAtOnce = 0

  const issue = (now: number): Session => {
    serial += 1
    live = { access: `access-${serial}`, refresh: `refresh-${serial}` }
    return new Session({
      accessToken: Redacted.make(live.access),
      refreshToken: Option.some(Redacted.make(live.refresh)),
      lifetime: Duration.decode(upstream.lifetime),
      issuedAt: DateTime.unsafeMake(now + Duration.toMillis(upstream.skew)),
      clock: "server",
      tokenType: "Bearer",
      businessId: Option.none()
    })
  }

  const scriptFor = (operation: Operation): Script => {
    const index = scripts.findIndex((script) => script.operation === undefined || script.operation === operation)
    return { ...upstream.always, ...(index < 0 ? {} : scripts.splice(index, 1)[0]) }
  }

  const handle = <A>(
    operation: Operation,
    token: string | undefined,
    process: (now: number) => A | AuthError
  ): Effect.Effect<A, AuthError> =>
    Effect.gen(function* () {
      const {
        arrived,
        gate,
        latency,
        failProcessed,
        prepare = Effect.void,
        failUnprocessed,
        repeatAfter
      } = scriptFor(operation)
      yield* prepare
      yield* (yield* AttemptGate).beforeSend
      const now = yield* Clock.currentTimeMillis
      calls.push({ operation, at: now, token })
      mostAtOnce = Math.max(mostAtOnce, ++underWay)
      const answer = yield* Effect.gen(function* () {
        const processed = failUnprocessed ?? process(now)
        if (arrived !== undefined) yield* Deferred.succeed(arrived, undefined)
        if (gate !== undefined) yield* Deferred.await(gate)
        if (latency !== undefined) yield* Effect.sleep(latency)
        return failProcessed ?? processed
      }).pipe(Effect.ensuring(Effect.sync(() => (underWay -= 1))))
      if (failUnprocessed !== undefined && repeatAfter !== undefined) {
        const waitForNextAttempt = yield* Effect.flatMap(AttemptGate, (_) => _.start(REQUEST_TIMEOUT))
        if (yield* waitForNextAttempt(Duration.decode(repeatAfter))) return yield* handle(operation, token, process)
      }
      return answer instanceof Error ? yield* answer : answer
    })

  const auth = {
    issue: Effect.catchTag(handle("issue", undefined, issue), "Expired", Effect.die),
    refresh: ({ refreshToken }: { readonly refreshToken: Redacted.Redacted<string> }) =>
      handle("refresh", Redacted.value(refreshToken), (now) =>
        live?.refresh === Redacted.value(refreshToken) ? issue(now) : new Expired({ operation: "refresh", status: 401 })
      ),
    revoke: (token: Redacted.Redacted<string>) =>
      handle("revoke", Redacted.value(token), () => {
        if (live?.access !== Redacted.value(token)) return new Expired({ operation: "revoke", status: 401 })
        live = undefined
        return undefined
      }),
    exchange: () => Effect.dieMessage("not used")
  } as NombaAuthService

  const upstream: Upstream = {
    auth,
    calls,
    always: {},
    lifetime: "30 minutes",
    skew: Duration.zero,
    script: (...more) => void scripts.push(...more),
    forget: () => void scripts.splice(0),
    count: (operation) => calls.filter((call) => operation === undefined || call.operation === operation).length,
    operations: () => calls.map((call) => call.operation),
    liveToken: () => live?.access,
    startSession: Effect.map(Clock.currentTimeMillis, issue),
    mostAtOnce: () => mostAtOnce
  }
  return upstream
}

const REQUEST_TIMEOUT = Duration.seconds(10)

let clients = 0

/** The configuration of a client of its own. */
export const makeConfig = (options: Partial<NombaConfigService> = {}): NombaConfigService => {
  clients += 1
  return {
    baseUrl: "https://sandbox.nomba.com",
    clientId: `client-${clients}`,
    clientSecret: Effect.succeed(Redacted.make("secret")),
    accountId: Option.none(),
    renewAhead: Duration.minutes(5),
    requestTimeout: REQUEST_TIMEOUT,
    revokeOnClose: false,
    storeKey: StoreKey.make({
      baseUrl: "https://sandbox.nomba.com",
      clientId: `client-${clients}`,
      grant: "client_credentials",
      subject: ""
    }),
    origins: { clientId: "test", clientSecret: "test", accountId: "test", environment: "test" },
    transformClient: (client) => client,
    ...options
  }
}

export interface CacheOptions {
  readonly upstream: Pick<Upstream, "auth">
  readonly config?: NombaConfigService
  readonly store?: TokenStoreService
  /** Whether a session can be started by a person only. */
  readonly interactive?: boolean
  /** From 0 to 1: how much of the jitter is used. */
  readonly jitter?: number
}

export interface FedCache {
  readonly cache: TokenCacheService
  /** Puts a session into it that a person brought. */
  readonly login: PublicLoginService["login"]
}

/** A cache of its own over the given upstream; caches of one configuration share the memory store's session. */
export const makeFedCache = ({
  config = makeConfig(),
  interactive = false,
  jitter = 0,
  store = TokenStoreMemory.make,
  upstream
}: CacheOptions): Effect.Effect<FedCache, never, Scope.Scope> =>
  Layer.build(
    interactive
      ? TokenCacheRef.layerPublic
      : Layer.merge(
          TokenCacheRef.layer,
          Layer.succeed(PublicLogin, { login: () => Effect.dieMessage("not a public client") })
        )
  ).pipe(
    Effect.provide(
      Context.make(NombaAuth, upstream.auth).pipe(Context.add(NombaConfig, config), Context.add(TokenStore, store))
    ),
    Effect.map((context) => ({
      cache: Context.get(context, TokenCache),
      login: Context.get(context, PublicLogin).login
    })),
    Effect.withRandom(Random.fixed([jitter]))
  )

/** The cache alone. */
export const makeCache = (options: CacheOptions): Effect.Effect<TokenCacheService, never, Scope.Scope> =>
  Effect.map(makeFedCache(options), ({ cache }) => cache)

/** Of a client without a secret. */
export const makePublicCache = (options: CacheOptions): Effect.Effect<FedCache, never, Scope.Scope> =>
  makeFedCache({ ...options, interactive: true })

/** The token's text. */
export const text = Redacted.value<string>

/** What `get` answers now. */
export const getText = (cache: TokenCacheService): Effect.Effect<string, AuthError> => Effect.map(cache.get, text)
