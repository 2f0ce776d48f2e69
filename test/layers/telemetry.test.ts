/** What an operator sees of the whole client: metrics, spans and log lines. */
import { HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import {
  Context,
  Duration,
  Effect,
  FastCheck,
  FiberRef,
  Layer,
  Metric,
  MetricLabel,
  MetricState,
  Option,
  Redacted,
  TestClock,
  type Tracer
} from "effect"
import { Nomba, NombaClient, type NombaClientService, RetryPolicy, TokenCache, TokenStoreMemory } from "nomba-auth"
import { Sandbox } from "nomba-auth/sandbox"
import { NombaTest } from "nomba-auth/testing"
import { at as atStep, makeFaultyStore, storeDown } from "../support/faults.js"
import { leaks, type Printed, spanPrintings } from "../support/leaks.js"
import { captureLogs } from "../support/logs.js"
import { makeMetrics } from "../support/metrics.js"
import { runs } from "../support/quick.js"
import { ifFree, ownerOf } from "../support/storeFaults.js"
import { during, settle } from "../support/time.js"
import { type RecordedSpan, recordSpans } from "../support/tracer.js"
import { getText, makeCache, makeConfig, makeUpstream, unreachable } from "../support/upstream.js"

const BALANCE = "/v1/accounts/balance"

const wrongSecret = Redacted.make("bm90IHRoZSBzZWNyZXQgb2YgdGhpcyBjbGllbnQgYXQgYWxs")

let clients = 0

interface Program {
  readonly sandbox: Context.Tag.Service<typeof Sandbox>
  readonly cache: Context.Tag.Service<typeof TokenCache>
  readonly nomba: NombaClientService
  readonly values: () => Readonly<Record<string, number>>
  readonly lines: Array<string>
}

const byName = (values: Readonly<Record<string, number>>, ...names: ReadonlyArray<string>) =>
  Object.fromEntries(Object.entries(values).filter(([name]) => names.some((start) => name.startsWith(start))))

/** Runs a program with a client of its own against a sandbox in this process. */
const observed = <A, E>(program: (with_: Program) => Effect.Effect<A, E>, settings: Partial<Nomba.Options> = {}) => {
  const metrics = makeMetrics()
  const logs = captureLogs()
  const clientId = `telemetry-${clients++}`
  const { accountId, clientSecret } = Sandbox.defaultClient
  return Effect.gen(function* () {
    const sandbox = yield* Sandbox.make({
      clients: [{ clientId, clientSecret, accountId }],
      dialect: "live"
    })
    const layer = Nomba.layer({
      clientId,
      clientSecret,
      accountId,
      environment: "sandbox",
      ...settings
    } as Nomba.Options).pipe(
      Layer.provide([
        TokenStoreMemory.layer,
        Layer.succeed(HttpClient.HttpClient, sandbox.client),
        RetryPolicy.layerNone
      ])
    )
    const context = yield* Layer.build(layer)
    const result = yield* program({
      sandbox,
      cache: Context.get(context, TokenCache),
      nomba: Context.get(context, NombaClient),
      values: metrics.values,
      lines: logs.lines
    })
    return { result, ...metrics, lines: logs.lines }
  }).pipe(metrics.labelled, Effect.provide(logs.layer), Effect.scoped)
}

describe("metrics", () => {
  it.effect("count a cold start and show what is left of the session, at the time they are read", () =>
    observed(({ nomba, values }) =>
      Effect.gen(function* () {
        yield* Effect.replicateEffect(nomba.get(BALANCE), 10)
        assert.deepStrictEqual(values(), {
          "token.requests issue ok": 1,
          "renewals cold issued": 1,
          "leases memory taken": 1,
          "token.wait": 1,
          "session.remaining": 1_800
        })
        yield* TestClock.adjust("10 minutes")
        assert.strictEqual(values()["session.remaining"], 1_200)
        yield* TestClock.adjust("30 minutes")
        assert.notProperty(values(), "session.remaining")
      })
    )
  )

  it.effect("count a renewal ahead of expiry, which no caller waits for, and one after expiry", () =>
    observed(({ nomba, values }) =>
      Effect.gen(function* () {
        yield* nomba.get(BALANCE)
        yield* TestClock.adjust("26 minutes")
        yield* nomba.get(BALANCE)
        yield* settle
        assert.deepInclude(values(), { "renewals ahead refreshed": 1, "token.requests refresh ok": 1, "token.wait": 1 })
        yield* TestClock.adjust("31 minutes")
        yield* nomba.get(BALANCE)
        assert.deepInclude(values(), { "renewals expired refreshed": 1, "token.wait": 2 })
        assert.notProperty(values(), "session.early_ends another_program")
      })
    )
  )

  it.effect("count a session that another program's login ended, once, and the requests that were sent again", () =>
    observed(({ nomba, sandbox, values }) =>
      Effect.gen(function* () {
        yield* sandbox.fault("resource", { latency: "100 millis", times: "always" })
        const calls = during("1 second")(Effect.replicateEffect(nomba.get(BALANCE), 5, { concurrency: "unbounded" }))
        yield* calls
        for (const thefts of [1, 2, 3]) {
          yield* sandbox.steal()
          yield* calls
          const seen = values()
          assert.strictEqual(seen["session.early_ends another_program"], thefts)
          assert.strictEqual(seen["renewals rejected issued"], thefts)
          assert.strictEqual(seen["replays renewed"], thefts * 5)
        }
        assert.notProperty(values(), "session.early_ends account_or_route")
      })
    )
  )

  it.effect("blame the account id or the route if the new token is rejected as well", () =>
    observed(({ nomba, sandbox, values }) =>
      Effect.gen(function* () {
        yield* sandbox.respond({ method: "GET", path: "/v1/closed", status: 401, body: {} })
        for (let hour = 0; hour < 6; hour++) {
          yield* nomba.get(BALANCE)
          yield* nomba.get("/v1/closed")
          yield* TestClock.adjust("10 seconds")
        }
        const seen = values()
        assert.isAtLeast(seen["session.early_ends account_or_route"] ?? 0, 1)
        assert.notProperty(seen, "session.early_ends another_program")
      })
    )
  )

  it.effect("show failures by reason, and the backoff until it is over", () =>
    observed(({ cache, sandbox, values }) =>
      Effect.gen(function* () {
        yield* sandbox.fault("issue", { answer: { status: 503, headers: { "retry-after": "20" } } })
        yield* Effect.flip(cache.get)
        assert.deepInclude(values(), {
          "token.requests issue Unavailable ServerError": 1,
          "renewals cold failed": 1,
          "backoff renewal_failed": 20
        })
        yield* TestClock.adjust("15 seconds")
        yield* Effect.flip(cache.get)
        assert.deepInclude(values(), { "renewals cold failed": 1, "token.wait": 1, "backoff renewal_failed": 5 })
        yield* TestClock.adjust("5 seconds")
        assert.notProperty(values(), "backoff renewal_failed")
        yield* cache.get
        assert.deepInclude(values(), { "renewals cold issued": 1 })
      })
    )
  )

  it.effect("show a wrong secret, and that renewals are held back for it", () =>
    observed(
      ({ cache, values }) =>
        Effect.gen(function* () {
          yield* Effect.flip(cache.get)
          yield* Effect.flip(cache.get)
          assert.deepStrictEqual(byName(values(), "token.requests", "renewals", "backoff"), {
            "token.requests issue InvalidCredentials InvalidCredentials": 1,
            "renewals cold failed": 1,
            "backoff renewal_failed": 10
          })
        }),
      { clientSecret: wrongSecret }
    )
  )

  it.effect("show that renewals are held back because the session is contested", () =>
    observed(({ cache, values }) =>
      Effect.gen(function* () {
        for (let times = 0; times < 11; times++) yield* cache.invalidate(yield* cache.get)
        const backoff = values()["backoff session_contested"] ?? 0
        assert.isAtLeast(backoff, 3)
        assert.isAtMost(backoff, 9)
      })
    )
  )

  it.effect("carry the labels that the layer was built with", () =>
    Effect.gen(function* () {
      const merchant = `bakery-${clients++}`
      const BakeryLive = NombaTest.layer().pipe(
        Layer.locally(FiberRef.currentMetricLabels, [MetricLabel.make("merchant", merchant)])
      )
      const remaining = Effect.sync(() =>
        Metric.unsafeSnapshot().filter(
          ({ metricKey: { name, tags } }) =>
            /renewals|remaining/.test(name) && tags.some(({ value }) => value === merchant)
        )
      )
      const seen = yield* Effect.zipRight(
        Effect.flatMap(TokenCache, (cache) => cache.get),
        remaining
      ).pipe(Effect.provide(BakeryLive))
      const values = seen.map(({ metricState }) =>
        MetricState.isGaugeState(metricState)
          ? Number(metricState.value)
          : MetricState.isCounterState(metricState)
            ? Number(metricState.count)
            : 0
      )
      assert.sameMembers(
        values.filter((value) => value > 0),
        [1, 1_800]
      )
    })
  )

  it.effect("start at zero when the client is built, so that a rate sees the first event", () =>
    observed(({ values }) =>
      Effect.sync(() => {
        assert.deepStrictEqual(values(), {})
      })
    ).pipe(
      Effect.tap(({ texts }) =>
        Effect.sync(() => {
          const names = texts().join("\n")
          for (const value of ["another_program", "account_or_route", "rejected", "lost", "renewed"]) {
            assert.include(names, value)
          }
        })
      )
    )
  )

  it.scoped("count an adopted session, and failed steps of the store", () => {
    const metrics = makeMetrics()
    return Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig({ requestTimeout: Duration.seconds(1) })
      const faulty = makeFaultyStore()
      const first = yield* makeCache({ upstream, config })
      yield* first.get
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      yield* cache.get
      assert.deepInclude(metrics.values(), { "renewals cold issued": 1, "renewals cold adopted": 1 })

      faulty.before = atStep("read", "acquire")(storeDown)
      yield* cache.invalidate(yield* cache.get)
      yield* Effect.flip(cache.get)
      assert.strictEqual(metrics.values()["store.errors custom read Store"], 2)
    }).pipe(metrics.labelled)
  })

  it.scoped("count a lease that another process took over", () => {
    const metrics = makeMetrics()
    const logs = captureLogs()
    return Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig({ requestTimeout: Duration.seconds(1) })
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      yield* cache.get
      yield* TestClock.adjust("25 minutes")
      upstream.script({ operation: "refresh", failUnprocessed: unreachable, repeatAfter: "8 seconds" })
      faulty.before = atStep("extend")(Effect.sleep("5 seconds"))
      yield* Effect.fork(cache.get)
      yield* TestClock.adjust("7 seconds")
      yield* (yield* faulty.otherProcess(config.storeKey)).acquire(ownerOf("another"), ifFree)
      faulty.before = () => Effect.void
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(metrics.values()["leases custom lost"], 1)
      assert.deepStrictEqual(
        logs.lines.filter((line) => line.includes("lease")),
        ["DEBUG The lease of the session was lost."]
      )
    }).pipe(metrics.labelled, Effect.provide(logs.layer))
  })

  it.scoped("show the soonest expiry of several clients, and none when all are closed", () => {
    const metrics = makeMetrics()
    return Effect.gen(function* () {
      const upstream = makeUpstream()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.flatMap(makeCache({ upstream }), getText)
          upstream.lifetime = "10 minutes"
          yield* Effect.flatMap(makeCache({ upstream }), getText)
          assert.strictEqual(metrics.values()["session.remaining"], 600)
        })
      )
      assert.notProperty(metrics.values(), "session.remaining")
    }).pipe(metrics.labelled)
  })
})

/** Runs a program and returns the spans of the library, by name. */
const spansOf = <E>(program: (with_: Program) => Effect.Effect<unknown, E>) =>
  Effect.map(recordSpans(observed(program)), ([, spans]) => {
    const all = (name: string) => spans.filter((span) => span.name === name)
    return { all, one: (name: string): RecordedSpan => all(name)[0] ?? assert.fail(`there is no span ${name}`) }
  })

const attributes = (span: Tracer.Span) => Object.fromEntries(span.attributes)

const parentOf = (span: Tracer.Span) => Option.getOrUndefined(Option.map(span.parent, ({ spanId }) => spanId))

const linksOf = (span: Tracer.Span) => span.links.map((link) => link.span.spanId)

const isFailed = (span: Tracer.Span) => span.status._tag === "Ended" && span.status.exit._tag === "Failure"

const SANDBOX = { "server.address": "sandbox.nomba.com", "server.port": 443 }

describe("spans", () => {
  it.effect("show the wait of a caller, with links to and from the renewal, and the token request below that", () =>
    Effect.gen(function* () {
      const { all, one } = yield* spansOf(({ nomba, sandbox }) =>
        Effect.gen(function* () {
          yield* sandbox.fault("issue", { latency: "800 millis" })
          const call = Effect.withSpan(nomba.get(BALANCE), "the caller's")
          yield* during("1 second")(Effect.replicateEffect(call, 2, { concurrency: "unbounded" }))
        })
      )
      const [first, second] = all("the caller's")
      const renewal = one("TokenCache.renew")
      const waits = all("TokenCache.wait")
      assert.deepStrictEqual(waits.map(parentOf), [first?.spanId, second?.spanId])
      assert.deepStrictEqual(waits.flatMap(linksOf), [renewal.spanId, renewal.spanId])
      assert.deepStrictEqual(linksOf(renewal), [first?.spanId])
      for (const wait of waits) {
        assert(wait.status._tag === "Ended")
        assert.strictEqual(wait.status.endTime - wait.status.startTime, 800_000_000n)
        assert.deepStrictEqual(attributes(wait), { "nomba.wait.for": "renewal" })
      }
      assert.strictEqual(parentOf(renewal), undefined)
      assert.deepStrictEqual(attributes(renewal), { "nomba.renewal.trigger": "cold", "nomba.renewal.result": "issued" })
      assert.strictEqual(parentOf(one("NombaAuth.issue")), renewal.spanId)
      const request = one("POST /v1/auth/token/issue")
      assert.strictEqual(parentOf(request), one("NombaAuth.issue").spanId)
      // The sandbox in this process adds its route.
      assert.deepStrictEqual(attributes(request), {
        ...SANDBOX,
        "http.route": "/v1/auth/token/issue",
        "http.request.method": "POST",
        "url.full": "https://sandbox.nomba.com/v1/auth/token/issue",
        "url.template": "/v1/auth/token/issue",
        "http.response.status_code": 200
      })
    })
  )

  it.effect("show a 401 as an error, the renewal that it causes, and the request that is sent again", () =>
    Effect.gen(function* () {
      const { all } = yield* spansOf(({ nomba, sandbox }) =>
        Effect.gen(function* () {
          yield* nomba.get(BALANCE)
          yield* sandbox.steal()
          yield* Effect.withSpan(nomba.get(BALANCE), "the caller's")
        })
      )
      const [, rejected, replayed] = all("GET")
      const request = { ...SANDBOX, "http.request.method": "GET", "url.full": `https://sandbox.nomba.com${BALANCE}` }
      assert(rejected !== undefined && replayed !== undefined)
      assert.deepStrictEqual(attributes(rejected), {
        ...request,
        "http.response.status_code": 401,
        "error.type": "401"
      })
      assert.deepStrictEqual(attributes(replayed), {
        ...request,
        "http.request.resend_count": 1,
        "http.response.status_code": 200
      })
      assert.deepStrictEqual([rejected, replayed].map(isFailed), [true, false])
      const [, renewal] = all("TokenCache.renew")
      assert.strictEqual(renewal?.attributes.get("nomba.renewal.trigger"), "rejected")
    })
  )

  it.effect("name the failure of a renewal and of the callers that wait for it", () =>
    Effect.gen(function* () {
      const { one } = yield* spansOf(({ cache, sandbox }) =>
        Effect.gen(function* () {
          yield* sandbox.fault("issue", { answer: { status: 503 } })
          yield* Effect.flip(Effect.withSpan(cache.get, "the caller's"))
        })
      )
      const renewal = one("TokenCache.renew")
      assert.isTrue(isFailed(renewal))
      assert.deepInclude(attributes(renewal), { "nomba.renewal.result": "failed", "error.type": "ServerError" })
      assert.deepInclude(attributes(one("TokenCache.wait")), { "error.type": "ServerError" })
      assert.deepInclude(attributes(one("NombaAuth.issue")), {
        "nomba.outcome": "Unavailable",
        "error.type": "ServerError"
      })
      assert.deepInclude(attributes(one("POST /v1/auth/token/issue")), { "error.type": "503" })
    })
  )

  it.effect("do not begin a trace for a caller that has none", () =>
    Effect.gen(function* () {
      const { all } = yield* spansOf(({ cache }) => cache.get)
      assert.deepStrictEqual(all("TokenCache.wait"), [])
      assert.deepStrictEqual(linksOf(all("TokenCache.renew")[0] ?? assert.fail()), [])
    })
  )
})

describe("log lines", () => {
  it.effect("tell each event once", () =>
    Effect.gen(function* () {
      const { lines } = yield* observed(({ cache, nomba, sandbox }) =>
        Effect.gen(function* () {
          yield* Effect.replicateEffect(nomba.get(BALANCE), 10)
          yield* TestClock.adjust("31 minutes")
          yield* Effect.replicateEffect(nomba.get(BALANCE), 10)
          yield* sandbox.steal()
          yield* Effect.replicateEffect(nomba.get(BALANCE), 10)
          yield* cache.logout
        })
      )
      assert.deepStrictEqual(lines, [
        "DEBUG Nomba issued a session. It expires in 1800 s.",
        "DEBUG Nomba refreshed the session. It expires in 1800 s.",
        "DEBUG Nomba rejected the access token before its lifetime was over.",
        "DEBUG Nomba issued a session. It expires in 1800 s.",
        "DEBUG Logging out: the session is not used any more."
      ])
    })
  )

  it.effect("warn once for each step of the backoff, however many callers ask", () =>
    Effect.gen(function* () {
      const { lines } = yield* observed(({ cache, sandbox }) =>
        Effect.gen(function* () {
          yield* sandbox.fault("issue", { answer: { status: 503 }, times: "always" })
          for (let second = 0; second < 7; second++) {
            yield* Effect.replicateEffect(Effect.flip(cache.get), 20)
            yield* TestClock.adjust("1 second")
          }
        })
      )
      // The waits are 1, 2 and 4 seconds.
      assert.lengthOf(
        lines.filter((line) => line.startsWith("WARN")),
        3,
        lines.join("\n")
      )
      assert.lengthOf(lines, 3, lines.join("\n"))
    })
  )
})

type Step = (with_: Program) => Effect.Effect<unknown, unknown>

const steps: Readonly<Record<string, Step>> = {
  call: ({ nomba }) => nomba.get(BALANCE),
  post: ({ nomba }) => nomba.post(BALANCE),
  get: ({ cache }) => cache.get,
  theft: ({ sandbox }) => sandbox.steal(),
  expiry: ({ sandbox }) => sandbox.expire("access"),
  spent: ({ sandbox }) => sandbox.expire("refresh"),
  time: () => TestClock.adjust("26 minutes"),
  down: ({ sandbox }) => sandbox.fault("issue", { answer: { status: 503 } }),
  cut: ({ sandbox }) => sandbox.fault("refresh", { answer: "connectionReset" }),
  garbage: ({ sandbox }) => sandbox.fault("issue", { answer: "invalidBody" }),
  logout: ({ cache }) => cache.logout
}

describe("secrets", () => {
  it.effect.prop(
    "are in no metric, span or log line, whatever happens",
    [FastCheck.array(FastCheck.constantFrom(...Object.keys(steps)), { minLength: 3, maxLength: 12 })],
    ([names]) =>
      Effect.gen(function* () {
        const secrets = [Redacted.value(Sandbox.defaultClient.clientSecret)]
        const [{ lines, texts }, spans] = yield* observed((program) =>
          Effect.forEach(names, (name) =>
            Effect.gen(function* () {
              yield* Effect.exit(Effect.withSpan(steps[name]?.(program) ?? Effect.void, "the caller's"))
              yield* settle
              for (const { accessToken, refreshToken } of yield* program.sandbox.sessions) {
                secrets.push(Redacted.value(accessToken), Redacted.value(refreshToken))
              }
            })
          )
        ).pipe(recordSpans)
        const seen: ReadonlyArray<Printed> = [
          ...lines.map((line) => ["a log line", line] as const),
          ...texts().map((text) => ["a metric", text] as const),
          ...spans.filter((span) => span.name !== "the caller's").flatMap(spanPrintings)
        ]
        assert.deepStrictEqual(leaks(seen, secrets), [])
      }),
    { fastCheck: runs(40) }
  )
})
