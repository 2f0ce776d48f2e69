/**
 * A mocked Nomba: the real services without a network, and a controller.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Clock from "effect/Clock"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as NombaClientHttp from "../layers/NombaClientHttp.js"
import * as NombaConfigOptions from "../layers/NombaConfigOptions.js"
import * as TokenCacheRef from "../layers/TokenCacheRef.js"
import * as TokenStoreMemory from "../layers/TokenStoreMemory.js"
import {
  type ExchangeError,
  Expired,
  type IssueError,
  type RefreshError,
  type RevokeError,
  Unavailable
} from "../schemas/AuthError.js"
import type { Session } from "../schemas/Session.js"
import { NombaAuth, type NombaAuthService } from "../services/NombaAuth.js"
import type { NombaClient } from "../services/NombaClient.js"
import { NombaConfig } from "../services/NombaConfig.js"
import type { PublicLogin } from "../services/PublicLogin.js"
import type { TokenCache } from "../services/TokenCache.js"
import * as NombaState from "./NombaState.js"
import type { TestOutcome, TestRequest } from "./Resources.js"
import * as Resources from "./Resources.js"
import { repeated } from "./repeated.js"

/**
 * The token operations, and `request` for any other call.
 *
 * @since 0.1.0
 * @category models
 */
export type TestOperation = "issue" | "refresh" | "revoke" | "exchange" | "request"

/**
 * The errors that each token operation can fail with.
 *
 * @since 0.1.0
 * @category models
 */
export interface TestErrors {
  readonly issue: IssueError
  readonly refresh: RefreshError
  readonly revoke: RevokeError
  readonly exchange: ExchangeError
}

/**
 * How the mocked Nomba starts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Script {
  /** Lifetime of each token. Default: 30 minutes. */
  readonly lifetime?: Duration.DurationInput | undefined
  /** Duration of each call. Default: none. */
  readonly latency?: Duration.DurationInput | undefined
  /** Outcomes of resource calls by path, such as `{ "/v1/accounts/balance": { body: … } }`. Default: the sandbox's responses. */
  readonly answers?: Readonly<Record<string, TestOutcome>> | undefined
  /** How long before expiry a token is renewed. Default: 5 minutes, capped at a fifth of its lifetime. */
  readonly renewAhead?: Duration.DurationInput | undefined
  /** The `accountId` header of each resource call. Default: none. An invalid header value is a defect. */
  readonly accountId?: string | undefined
}

/**
 * Controls and inspects the mocked Nomba.
 *
 * @since 0.1.0
 * @category models
 */
export interface NombaTestService {
  /**
   * Fails the next call of an operation, or the next `times` calls: a whole number from 0 to 10,000. Any other is a
   * defect.
   */
  readonly fail: <Operation extends keyof TestErrors>(
    operation: Operation,
    error: TestErrors[Operation],
    options?: { readonly times?: number | undefined }
  ) => Effect.Effect<void>
  /**
   * Sets the outcome of the calls to a path that have a valid token: from now on, or for the next `times` calls, a whole number
   * from 0 to 10,000. A path without a query stands for every query. Other `times`, and a response that cannot be built, are
   * defects.
   */
  readonly answer: (
    path: string,
    outcome: TestOutcome,
    options?: { readonly times?: number | undefined }
  ) => Effect.Effect<void>
  /**
   * Sets the duration of each call from now on. A token request that takes 10 seconds fails with `Unavailable`, reason
   * `Timeout`, as it does over HTTP. A resource call has no timeout. A token request that timed out had no effect, while
   * Nomba may have processed it.
   */
  readonly delay: (latency: Duration.DurationInput) => Effect.Effect<void>
  /**
   * Expires the access token at Nomba early: calls get a 401. A public client refreshes; any other requests a new session,
   * because a token that ends early was most likely ended by another login.
   */
  readonly expire: Effect.Effect<void>
  /** Revokes the session at Nomba: neither of its tokens is valid. */
  readonly revoke: Effect.Effect<void>
  /** Simulates another login with the same credentials, which ends the session. */
  readonly login: Effect.Effect<Session>
  /** How often each operation was called. */
  readonly calls: Effect.Effect<Readonly<Record<TestOperation, number>>>
  /** The resource calls so far. */
  readonly requests: Effect.Effect<ReadonlyArray<TestRequest>>
}

const noCalls: Readonly<Record<TestOperation, number>> = { issue: 0, refresh: 0, revoke: 0, exchange: 0, request: 0 }

type Failures = { readonly [Operation in keyof TestErrors]: Ref.Ref<ReadonlyArray<TestErrors[Operation]>> }

/** Each layer gets its own client id, so that no two share a session. */
const newConfig = (make: (clientId: string) => Layer.Layer<NombaConfig, ConfigError.ConfigError>) =>
  Layer.unwrapEffect(Effect.sync(() => make(globalThis.crypto.randomUUID()))).pipe(Layer.orDie)

const confidentialConfig = ({ accountId, renewAhead }: Script) =>
  newConfig((clientId) =>
    NombaConfigOptions.layer({
      clientId,
      clientSecret: Redacted.make("c2VjcmV0IG9mIGEgY2xpZW50IGluIGEgdGVzdCBvbmx5"),
      environment: "sandbox",
      accountId,
      renewAhead
    })
  )

const publicConfig = ({ accountId, renewAhead }: Script) =>
  newConfig((clientId) =>
    NombaConfigOptions.layerPublic({ clientId, subject: "a user", environment: "sandbox", accountId, renewAhead })
  )

const build = (script: Script) =>
  Effect.gen(function* () {
    const { clientSecret, requestTimeout } = yield* NombaConfig
    const state = yield* Ref.make(NombaState.empty)
    const calls = yield* Ref.make(noCalls)
    const failures: Failures = {
      issue: yield* Ref.make<ReadonlyArray<IssueError>>([]),
      refresh: yield* Ref.make<ReadonlyArray<RefreshError>>([]),
      revoke: yield* Ref.make<ReadonlyArray<RevokeError>>([]),
      exchange: yield* Ref.make<ReadonlyArray<ExchangeError>>([])
    }
    const latency = yield* Ref.make(Duration.decode(script.latency ?? 0))
    const resources = yield* Resources.make(script.answers ?? {}, (bearer) =>
      Effect.zipWith(Ref.get(state), Clock.currentTimeMillis, (now, at) => NombaState.isAlive(now, bearer, at))
    )
    const lifetime = Duration.decode(script.lifetime ?? "30 minutes")

    const arrive = (operation: TestOperation) =>
      Effect.zipRight(
        Ref.update(calls, (before) => ({ ...before, [operation]: before[operation] + 1 })),
        Effect.flatMap(Ref.get(latency), (wait) =>
          Duration.equals(wait, Duration.zero) ? Effect.void : Effect.sleep(wait)
        )
      )

    const operate = <Operation extends keyof TestErrors, A>(
      operation: Operation,
      process: (now: number) => Effect.Effect<A, TestErrors[Operation]>
    ): Effect.Effect<A, TestErrors[Operation] | Unavailable> =>
      Effect.gen(function* () {
        yield* Effect.timeoutFail(arrive(operation), {
          duration: requestTimeout,
          onTimeout: () => new Unavailable({ operation, reason: "Timeout" })
        })
        const [failure] = yield* Ref.getAndUpdate(failures[operation], (waiting) => waiting.slice(1))
        return yield* failure === undefined
          ? Effect.flatMap(Clock.currentTimeMillis, process)
          : Effect.fail<TestErrors[Operation]>(failure)
      })

    const issue = (now: number): Effect.Effect<Session> =>
      Ref.modify(state, (before) => NombaState.issue(before, lifetime, now))

    const auth = NombaAuth.of({
      issue: operate("issue", (now) => Effect.zipRight(clientSecret, issue(now))),
      refresh: ({ refreshToken }) =>
        operate("refresh", (now) =>
          Effect.flatMap(
            Ref.modify(state, (before) => NombaState.refresh(before, refreshToken, lifetime, now)),
            Effect.mapError(() => new Expired({ operation: "refresh", status: 401 }))
          )
        ),
      revoke: (accessToken) =>
        operate("revoke", (now) =>
          Effect.flatMap(Ref.get(state), (before) =>
            NombaState.isAlive(before, Redacted.value(accessToken), now)
              ? Ref.update(state, NombaState.revoke)
              : new Expired({ operation: "revoke", status: 401 })
          )
        ),
      exchange: () => operate("exchange", issue)
    } satisfies NombaAuthService)

    const client = HttpClient.make((request, url) =>
      Effect.zipRight(arrive("request"), resources.receive(request, url))
    )

    const control: NombaTestService = {
      fail: (operation, error, options) =>
        Effect.flatMap(repeated(error, options?.times ?? 1), (more) =>
          Ref.update(failures[operation], (waiting) => [...waiting, ...more])
        ),
      answer: (path, outcome, options) => resources.answer(path, outcome, Option.fromNullable(options?.times)),
      delay: (wait) => Ref.set(latency, Duration.decode(wait)),
      expire: Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Ref.update(state, (before) => NombaState.expire(before, now))
      ),
      revoke: Ref.update(state, NombaState.revoke),
      login: Effect.flatMap(Clock.currentTimeMillis, issue),
      calls: Ref.get(calls),
      requests: resources.requests
    }
    return Context.make(NombaAuth, auth).pipe(
      Context.add(HttpClient.HttpClient, client),
      Context.add(NombaTest, control)
    )
  })

/**
 * The controller of a mocked Nomba, and the layer that provides it with `NombaAuth`, `TokenCache` and `NombaClient`. The cache
 * and the client are the real ones. The mock keeps one session, as Nomba does, and uses the `Clock`, so that a test under
 * `TestClock` decides when a token expires. Resource calls are answered by the built-in resources of the sandbox.
 *
 * ```ts
 * import { assert, it } from "@effect/vitest"
 * import { Effect, TestClock } from "effect"
 * import { TokenCache } from "nomba-auth"
 * import { NombaTest } from "nomba-auth/testing"
 *
 * it.effect("renews an expired token", () =>
 *   Effect.gen(function* () {
 *     const cache = yield* TokenCache
 *     const nomba = yield* NombaTest
 *     yield* cache.get
 *     yield* TestClock.adjust("1 hour")
 *     yield* cache.get
 *     assert.strictEqual((yield* nomba.calls).refresh, 1)
 *   }).pipe(Effect.provide(NombaTest.layer()))
 * )
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class NombaTest extends Context.Tag("nomba-auth/testing/NombaTest")<NombaTest, NombaTestService>() {
  /**
   * All services without a network. Each layer is a client of its own.
   *
   * @since 0.1.0
   */
  static readonly layer = (script: Script = {}): Layer.Layer<NombaTest | NombaAuth | TokenCache | NombaClient> =>
    NombaClientHttp.layer.pipe(
      Layer.provideMerge(Layer.provide(TokenCacheRef.layer, TokenStoreMemory.layer)),
      Layer.provideMerge(Layer.effectContext(build(script))),
      Layer.provide(confidentialConfig(script))
    )

  /**
   * The same for a public client, which has no secret: there is no session until `PublicLogin.login`, and `NombaAuth.issue`
   * fails with `InvalidRequest`. `NombaAuth.exchange` accepts any code; reject one with `fail("exchange", …)`.
   *
   * @since 0.1.0
   */
  static readonly layerPublic = (
    script: Script = {}
  ): Layer.Layer<NombaTest | NombaAuth | TokenCache | NombaClient | PublicLogin> =>
    NombaClientHttp.layer.pipe(
      Layer.provideMerge(Layer.provide(TokenCacheRef.layerPublic, TokenStoreMemory.layer)),
      Layer.provideMerge(Layer.effectContext(build(script))),
      Layer.provide(publicConfig(script))
    )
}
