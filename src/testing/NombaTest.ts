/**
 * A Nomba that is not there: the services a program needs, without a network, and a control to drive and inspect them.
 *
 * @since 0.1.0
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
 * What can be counted, failed and delayed: the token operations, and `request` for a call of a resource.
 *
 * @since 0.1.0
 * @category models
 */
export type TestOperation = "issue" | "refresh" | "revoke" | "exchange" | "request"

/**
 * What each token operation can be made to fail with.
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
 * How the pretended Nomba begins.
 *
 * @since 0.1.0
 * @category models
 */
export interface Script {
  /** How long each token lives: 30 minutes by default. */
  readonly lifetime?: Duration.DurationInput | undefined
  /** How long each call takes: no time by default. */
  readonly latency?: Duration.DurationInput | undefined
  /** What becomes of resource calls by path, for instance `{ "/v1/accounts/balance": { body: … } }`. */
  readonly answers?: Readonly<Record<string, TestOutcome>> | undefined
  /** How long before its expiry a token is renewed: 5 minutes by default, at most a fifth of its lifetime. */
  readonly renewAhead?: Duration.DurationInput | undefined
  /** What each resource call sends as `accountId`; none by default. The layer dies of one that a header cannot carry. */
  readonly accountId?: string | undefined
}

/**
 * Drives and inspects the pretended Nomba.
 *
 * @since 0.1.0
 * @category models
 */
export interface NombaTestService {
  /**
   * The next call of an operation fails with an error that it can have, or the next several: `times` is a whole number from
   * 0 to 10,000. Dies of any other.
   */
  readonly fail: <Operation extends keyof TestErrors>(
    operation: Operation,
    error: TestErrors[Operation],
    options?: { readonly times?: number | undefined }
  ) => Effect.Effect<void>
  /**
   * What becomes of the calls of a resource while their token is alive: from now on, or with `times` of the next several,
   * after which it is as before; `times` is a whole number from 0 to 10,000. The path may have a query; without one it stands
   * for every query. Dies of other `times`, and of an answer that cannot be made.
   */
  readonly answer: (
    path: string,
    outcome: TestOutcome,
    options?: { readonly times?: number | undefined }
  ) => Effect.Effect<void>
  /**
   * From now on each call takes this long. A token operation that takes 10 seconds fails with `Unavailable`
   * of the reason `Timeout`, as it does over HTTP; a resource call goes on for as long as its caller lets it. An operation
   * that was given up has done nothing: it grants and ends no session, where Nomba may have carried it out.
   */
  readonly delay: (latency: Duration.DurationInput) => Effect.Effect<void>
  /**
   * The access token has ended at Nomba before its time: calls get a 401. A refresh would work, which only a public client
   * tries: another one starts anew, because a token that ends early is one that somebody ended.
   */
  readonly expire: Effect.Effect<void>
  /** The session has been ended: neither of its tokens works any more. */
  readonly revoke: Effect.Effect<void>
  /** Someone else logs in with the same credentials, which ends the session that there was. */
  readonly login: Effect.Effect<Session>
  /** How often each operation has been called, whatever came of it. */
  readonly calls: Effect.Effect<Readonly<Record<TestOperation, number>>>
  /** The resource calls so far. */
  readonly requests: Effect.Effect<ReadonlyArray<TestRequest>>
}

const noCalls: Readonly<Record<TestOperation, number>> = { issue: 0, refresh: 0, revoke: 0, exchange: 0, request: 0 }

type Failures = { readonly [Operation in keyof TestErrors]: Ref.Ref<ReadonlyArray<TestErrors[Operation]>> }

/** A client of its own for each layer, so that no two share a session. */
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
    NombaConfigOptions.layerPublic({ clientId, subject: "a person", environment: "sandbox", accountId, renewAhead })
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

    const grant = (now: number): Effect.Effect<Session> =>
      Ref.modify(state, (before) => NombaState.grant(before, lifetime, now))

    const auth = NombaAuth.of({
      issue: operate("issue", (now) => Effect.zipRight(clientSecret, grant(now))),
      refresh: ({ refreshToken }) =>
        operate("refresh", (now) =>
          Effect.flatMap(Ref.get(state), (before) =>
            NombaState.isRefreshable(before, Redacted.value(refreshToken))
              ? grant(now)
              : new Expired({ operation: "refresh", status: 401 })
          )
        ),
      revoke: (accessToken) =>
        operate("revoke", (now) =>
          Effect.flatMap(Ref.get(state), (before) =>
            NombaState.isAlive(before, Redacted.value(accessToken), now)
              ? Ref.update(state, (_) => ({ ..._, live: undefined }))
              : new Expired({ operation: "revoke", status: 401 })
          )
        ),
      exchange: () => operate("exchange", grant)
    } satisfies NombaAuthService)

    const client = HttpClient.make((request, url) =>
      Effect.zipRight(arrive("request"), resources.receive(request, url))
    )

    const change = (step: (live: NonNullable<NombaState.NombaState["live"]>) => NombaState.NombaState["live"]) =>
      Ref.update(state, (before) => ({ ...before, live: before.live === undefined ? undefined : step(before.live) }))

    const control: NombaTestService = {
      fail: (operation, error, options) =>
        Effect.flatMap(repeated(error, options?.times ?? 1), (more) =>
          Ref.update(failures[operation], (waiting) => [...waiting, ...more])
        ),
      answer: (path, outcome, options) => resources.answer(path, outcome, Option.fromNullable(options?.times)),
      delay: (wait) => Ref.set(latency, Duration.decode(wait)),
      expire: Effect.flatMap(Clock.currentTimeMillis, (now) => change((live) => ({ ...live, expiresAt: now }))),
      revoke: change(() => undefined),
      login: Effect.flatMap(Clock.currentTimeMillis, grant),
      calls: Ref.get(calls),
      requests: resources.requests
    }
    return Context.make(NombaAuth, auth).pipe(
      Context.add(HttpClient.HttpClient, client),
      Context.add(NombaTest, control)
    )
  })

/**
 * The control of a pretended Nomba, and the layer that provides it together with the services that programs use:
 * `NombaAuth`, `TokenCache` and `NombaClient`. The cache and the client are the real ones; what they talk to keeps one
 * session, as Nomba does, and lives by the `Clock`, so that a test under `TestClock` decides when a token expires.
 *
 * ```ts
 * import { assert, it } from "@effect/vitest"
 * import { Effect, TestClock } from "effect"
 * import { TokenCache } from "nomba-auth"
 * import { NombaTest } from "nomba-auth/testing"
 *
 * it.effect("a token is renewed when its time is over", () =>
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
   * Everything without a network. Each layer is a client of its own.
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
   * The same of a public client, which has no secret: nobody is logged in until `PublicLogin.login` is given a session, and
   * `NombaAuth.issue` fails with `InvalidRequest`. `NombaAuth.exchange` takes any code; `fail("exchange", …)` has one refused.
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
