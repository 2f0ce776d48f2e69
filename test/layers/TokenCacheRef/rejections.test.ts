/** Tokens that Nomba rejects although they should still live: rivals, routes that always answer 401, late answers. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Option, Random, Redacted, type Scope } from "effect"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { call, type Outcome } from "../../support/caller.js"
import { makeFaultyStore } from "../../support/faults.js"
import { captureLogs } from "../../support/logs.js"
import { isQuick } from "../../support/quick.js"
import { simulated } from "../../support/time.js"
import { getText, makeCache, makeConfig, makeUpstream, text, type Upstream } from "../../support/upstream.js"

const isWarning = (line: string): boolean => line.startsWith("WARN")

const reject = (cache: TokenCacheService) => Effect.flatMap(cache.get, (token) => cache.invalidate(token))

const use = (route = "GET /v1/accounts/balance", isReplay = false) =>
  Effect.map(Clock.currentTimeMillis, (sentAt) => ({ route, sentAt, isReplay }))

/** Each new token is rejected at once, ten times a second. */
const rejectFor = (seconds: number, cache: TokenCacheService) =>
  Effect.repeatN(Effect.zipRight(Effect.ignore(reject(cache)), Effect.sleep("100 millis")), seconds * 10 - 1)

const secondsOf = (upstream: Upstream): ReadonlyArray<number> => upstream.calls.map((call) => call.at / 1_000)

describe.sequential("early rejections", () => {
  it("cause no wait up to the tenth within ten minutes, then 3 to 9 s after each rejection", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        yield* rejectFor(100, yield* makeCache({ upstream }))
        const times = secondsOf(upstream)
        // The first token, and ten renewals without a wait.
        assert.isAtMost(times[10] ?? 0, 1.1)
        const waits = times.slice(11).map((at, index) => at - (times[10 + index] ?? 0))
        assert.isAtLeast(waits.length, 10)
        for (const wait of waits) {
          assert.isAtLeast(wait, 3)
          assert.isAtMost(wait, 9.3)
        }
        assert.isAbove(Math.max(...waits) - Math.min(...waits), 1)
      }).pipe(Effect.withRandom(Random.make("a seed")))
    ))

  it("make get fail with SessionContested and what is left of the wait, and read the store once a second", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const faulty = makeFaultyStore()
        const cache = yield* makeCache({ upstream, store: faulty.store })
        yield* rejectFor(1, cache)
        yield* reject(cache)
        const before = faulty.count("read")
        const first = yield* Effect.flip(cache.get)
        assert.strictEqual(first._tag === "Unavailable" && first.reason, "SessionContested")
        const wait = Duration.toMillis(first.retryAfter ?? 0)
        assert.isAtLeast(wait, 3_000)
        assert.isAtMost(wait, 9_000)
        for (let left = wait; left > 0; left -= 100) {
          const error = yield* Effect.flip(cache.get)
          assert.strictEqual(error._tag === "Unavailable" && error.reason, "SessionContested")
          assert.strictEqual(Duration.toMillis(error.retryAfter ?? 0), left)
          yield* Effect.sleep(Math.min(100, left))
        }
        assert.approximately(faulty.count("read") - before, wait / 1_000, 1.01)
        const sent = upstream.count()
        yield* cache.get
        assert.strictEqual(upstream.count(), sent + 1)
      }).pipe(Effect.withRandom(Random.make("another seed")))
    ))

  it("do not hold a token back that another process stored meanwhile", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const cache = yield* makeCache({ upstream, config })
        const deaf = makeFaultyStore()
        deaf.hasAnnouncements = false
        const other = yield* makeCache({ upstream, config, store: deaf.store })
        yield* rejectFor(1, cache)
        yield* reject(cache)
        yield* Effect.flip(cache.get)
        const token = yield* Effect.either(other.get)
        if (token._tag === "Right") yield* other.invalidate(token.right)
        const theirs = yield* getText(other)
        yield* Effect.sleep("1 second")
        assert.strictEqual(yield* getText(cache), theirs)
      })
    ))

  it("are free again after ten quiet minutes", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* rejectFor(20, cache)
        yield* Effect.sleep("9 seconds")
        yield* cache.get
        yield* Effect.sleep("10 minutes")
        const before = upstream.count()
        for (let count = 0; count < 10; count++) {
          yield* reject(cache)
          yield* cache.get
        }
        assert.strictEqual(upstream.count(), before + 10)
        yield* reject(cache)
        assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Unavailable")
      })
    ))

  it("cause no wait if they come at the end of the lifetime", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.lifetime = "10 seconds"
        const cache = yield* makeCache({ upstream })
        for (let count = 0; count < 30; count++) {
          const token = yield* cache.get
          yield* Effect.sleep("9500 millis")
          yield* cache.invalidate(token)
          assert.strictEqual(yield* getText(cache), upstream.liveToken())
        }
      })
    ))
})

/** Calls a route ten times a second. Counts the outcomes. */
const traffic = (seconds: number, one: Effect.Effect<Outcome>) =>
  Effect.gen(function* () {
    const counts = { all: 0, ok: 0, unauthorized: 0, failed: 0 }
    for (let step = 0; step < seconds * 10; step++) {
      const outcome = yield* one
      counts.all += 1
      if (outcome === 200) counts.ok += 1
      else if (outcome === 401) counts.unauthorized += 1
      else counts.failed += 1
      yield* Effect.sleep("100 millis")
    }
    return counts
  })

describe.sequential("two programs with private caches and the same credentials", () => {
  /** Each side sends its calls at random moments, so that none of them is always first. */
  const rivals = (seed: string, seconds: number) =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const sent = [0, 0]
      const sides = [0, 1].map((side) =>
        Effect.gen(function* () {
          const auth = {
            ...upstream.auth,
            issue: Effect.zipRight(
              Effect.sync(() => (sent[side] = (sent[side] ?? 0) + 1)),
              upstream.auth.issue
            ),
            refresh: (options: Parameters<typeof upstream.auth.refresh>[0]) =>
              Effect.zipRight(
                Effect.sync(() => (sent[side] = (sent[side] ?? 0) + 1)),
                upstream.auth.refresh(options)
              )
          }
          const cache = yield* makeCache({ upstream: { auth } })
          const jittered = Effect.flatMap(Random.nextIntBetween(0, 50), (millis) => Effect.sleep(millis))
          return yield* traffic(
            seconds,
            Effect.zipRight(
              jittered,
              call({ cache, route: "GET /v1/accounts/balance", isAccepted: (token) => token === upstream.liveToken() })
            )
          )
        })
      )
      const counts = yield* Effect.all(sides, { concurrency: "unbounded" })
      return { counts, sent }
    }).pipe(Effect.scoped, Effect.withRandom(Random.make(seed)))

  it("send at most 20 token requests a minute each after the first ten, and each gets 30 % of its calls through", () => {
    for (const seed of isQuick ? ["a"] : ["a", "b", "c"]) {
      const { counts, sent } = simulated(rivals(seed, 300))
      for (const side of sent) assert.isAtMost(side, 11 + 5 * 20, `seed ${seed}`)
      for (const { all, ok } of counts) assert.isAtLeast(ok / all, 0.3, `seed ${seed}: ${JSON.stringify(counts)}`)
    }
  })

  it("warn within a minute, and then once a minute, that another program logs in with these credentials", () => {
    const logs = captureLogs()
    const warnedAt: Array<number> = []
    simulated(
      Effect.gen(function* () {
        yield* Effect.fork(
          Effect.gen(function* () {
            for (let seen = 0; ; ) {
              yield* Effect.sleep("1 second")
              const warnings = logs.lines.filter(isWarning)
              if (warnings.length > seen) warnedAt.push(yield* Clock.currentTimeMillis)
              seen = warnings.length
            }
          })
        )
        yield* rivals("a seed", 300)
      }).pipe(Effect.provide(logs.layer))
    )
    const warnings = logs.lines.filter(isWarning)
    assert.isAtMost(warnedAt[0] ?? Number.POSITIVE_INFINITY, 60_000)
    assert.isAtLeast(warnings.length, 5)
    assert.isAtMost(warnings.length, 2 * 6)
    for (const line of warnings) assert.include(line, "Another program logs in with these credentials")
  })
})

describe.sequential("programs with private caches that call rarely", () => {
  for (const programs of [2, 3])
    for (const every of isQuick ? [45] : [1, 20, 45, 120, 600])
      it(`${programs} of them each warn at the third call that needs a new token, with a call every ${every} s`, () => {
        const sides = Array.from({ length: programs }, () => ({ logs: captureLogs(), calls: 0, warnedAfter: 0 }))
        simulated(
          Effect.gen(function* () {
            const upstream = makeUpstream()
            const runs = sides.map((side, index) =>
              Effect.gen(function* () {
                const cache = yield* makeCache({ upstream: { auth: upstream.auth } })
                yield* Effect.sleep((index * every * 1_000) / programs)
                for (; side.calls < 8; side.calls++) {
                  const resource = `GET /v1/transfers/${side.calls}`
                  const isAccepted = (token: string) => token === upstream.liveToken()
                  assert.strictEqual(yield* call({ cache, route: "GET /v1/transfers/*", resource, isAccepted }), 200)
                  if (side.warnedAfter === 0 && side.logs.lines.some(isWarning)) side.warnedAfter = side.calls
                  yield* Effect.sleep(every * 1_000)
                }
              }).pipe(Effect.provide(side.logs.layer))
            )
            yield* Effect.all(runs, { concurrency: "unbounded" })
          })
        )
        for (const { logs, warnedAfter } of sides) {
          // The first call issues the first token.
          assert.strictEqual(warnedAfter, 3)
          for (const line of logs.lines.filter(isWarning))
            assert.include(line, "Another program logs in with these credentials")
        }
      })
})

describe.sequential("the warning that another program logs in", () => {
  const never = (
    run: (upstream: Upstream, isAlive: (token: string) => boolean) => Effect.Effect<unknown, unknown, Scope.Scope>
  ) => {
    const logs = captureLogs()
    simulated(
      Effect.suspend(() => {
        const upstream = makeUpstream()
        return run(upstream, (token) => token === upstream.liveToken())
      }).pipe(Effect.provide(logs.layer), Effect.withRandom(Random.make("a seed")))
    )
    assert.notInclude(logs.lines.join("\n"), "Another program logs in")
    return logs.lines.filter(isWarning)
  }

  for (const bad of isQuick ? [1, 1_000] : [1, 3, 5, 1_000])
    for (const every of isQuick ? [45] : [1, 20, 45, 120, 600])
      it(`does not come for ${bad} ids that always answer 401 beside healthy calls every ${every} s`, () => {
        const warnings = never((upstream, isAlive) =>
          Effect.gen(function* () {
            const cache = yield* makeCache({ upstream })
            for (let count = 0; count < 60; count++) {
              for (const [id, isAccepted] of [
                [`bad-${count % bad}`, () => false],
                ["good", isAlive]
              ] as const) {
                const resource = `GET /v1/transfers/${id}`
                yield* call({ cache, route: "GET /v1/transfers/*", resource, isAccepted })
                yield* Effect.sleep(every * 500)
              }
            }
          })
        )
        assert.isAtLeast(warnings.length, 1)
      })

  it("does not come for five bad routes within a minute, although Nomba accepts the renewed tokens", () => {
    const warnings = never((upstream, isAlive) =>
      Effect.gen(function* () {
        const cache = yield* makeCache({ upstream })
        const healthy = () => call({ cache, route: "GET /v1/banks", isAccepted: isAlive })
        for (const letter of "abcde") {
          // A request that is under way when the renewal ends its token.
          const token = yield* cache.get
          const sent = yield* use("GET /v1/banks")
          yield* healthy()
          yield* Effect.sleep("2 seconds")
          yield* call({ cache, route: `GET /v1/${letter}`, isAccepted: () => false })
          if (!isAlive(text(token))) yield* cache.invalidate(token, sent)
          yield* healthy()
          yield* Effect.sleep("2 seconds")
        }
      })
    )
    assert.isAtLeast(warnings.length, 1)
  })

  it("does not come if the account id of another layer is wrong", () =>
    void never((upstream, isAlive) =>
      Effect.gen(function* () {
        const config = makeConfig({ accountId: Option.some("right") })
        const cache = yield* makeCache({ upstream, config })
        const wrong = yield* makeCache({ upstream, config: { ...config, accountId: Option.some("wrong") } })
        for (let count = 0; count < 60; count++) {
          yield* call({ cache: wrong, route: "GET /v1/banks", isAccepted: () => false })
          yield* Effect.sleep("10 seconds")
          yield* call({ cache, route: "GET /v1/banks", isAccepted: isAlive })
          yield* Effect.sleep("10 seconds")
        }
      })
    ))

  it("does not come if the renewals of the program itself end the sessions", () =>
    void never((upstream, isAlive) =>
      Effect.gen(function* () {
        // A refresh ends the token before its answer arrives, and callers use it meanwhile.
        upstream.always = { latency: "3 seconds" }
        const cache = yield* makeCache({ upstream })
        const healthy = call({ cache, route: "GET /v1/banks", isAccepted: isAlive })
        for (let count = 0; count < 4 * 3_600; count++) {
          assert.strictEqual(yield* healthy, 200)
          yield* Effect.sleep("1 second")
        }
      })
    ))

  it("does not come if a program with the same store renews", () =>
    void never((upstream, isAlive) =>
      Effect.gen(function* () {
        const config = makeConfig()
        const [deaf, process] = [makeFaultyStore(), makeFaultyStore()]
        deaf.hasAnnouncements = false
        const cache = yield* makeCache({ upstream, config, store: deaf.store })
        const other = yield* makeCache({ upstream, config, store: process.store })
        for (let count = 0; count < 20; count++) {
          yield* call({ cache, route: "GET /v1/banks", isAccepted: isAlive })
          yield* Effect.sleep("1 minute")
          yield* reject(other)
          yield* other.get
        }
      })
    ))
})

describe.sequential("a cause that is not known at first", () => {
  it("is named as soon as it is known, though a warning without it came just before", () => {
    const logs = captureLogs()
    simulated(
      Effect.gen(function* () {
        const cache = yield* makeCache({ upstream: makeUpstream() })
        const reject = Effect.gen(function* () {
          yield* cache.invalidate(yield* cache.get, yield* use())
          yield* Effect.sleep("1 second")
        })
        yield* Effect.repeatN(reject, 2)
        assert.deepStrictEqual(logs.lines.filter(isWarning).length, 1)
        assert.match(logs.lines.find(isWarning) ?? "", /Either another program logs in .* or the account id/)
        yield* Effect.sleep("10 seconds")
        yield* reject
        yield* cache.confirm(yield* cache.get, yield* use())
        yield* Effect.sleep("1 second")
        yield* Effect.repeatN(reject, 1)
      }).pipe(Effect.provide(logs.layer))
    )
    const [, ...later] = logs.lines.filter(isWarning)
    assert.lengthOf(later, 1)
    assert.match(later[0] ?? "", /Another program logs in with these credentials/)
  })
})

describe.sequential("a 401 that does not end after a renewal", () => {
  it("causes few token requests and one warning a minute that names the account id", () => {
    const logs = captureLogs()
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* traffic(600, call({ cache, route: "GET /v1/accounts/balance", isAccepted: () => false }))
        assert.isAtMost(upstream.count(), 11 + 600 / 3)
      }).pipe(Effect.provide(logs.layer), Effect.withRandom(Random.make("a seed")))
    )
    const warnings = logs.lines.filter(isWarning)
    assert.isAtLeast(warnings.length, 8)
    assert.isAtMost(warnings.length, 11)
    for (const line of warnings)
      assert.match(line, /account id is missing or wrong \(not set\), or the route always answers 401/)
  })
})

describe.sequential("a route that always answers 401 beside healthy traffic", () => {
  const due = (seconds: number) => 1 + Math.ceil(seconds / (25 * 60))

  const setup = (accountId: Option.Option<string> = Option.none()) =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig({ accountId })
      const cache = yield* makeCache({ upstream, config })
      const account = (id: string, isAccepted: (token: string) => boolean) =>
        call({ cache, route: "GET /v1/accounts/*", resource: `GET /v1/accounts/${id}`, isAccepted })
      return {
        bad: (id = "bad") => account(id, () => false),
        good: account("good", (token) => token === upstream.liveToken()),
        cache,
        config,
        upstream
      }
    })

  /** A number in letters. */
  const wordOf = (number: number): string =>
    String(number).replace(/\d/g, (digit) => "abcdefghij".charAt(Number(digit)))

  /** Makes the broken call every so many seconds, and beside it every second the healthy one, which always succeeds. */
  const beside = (
    healthy: Effect.Effect<Outcome>,
    every: number,
    broken: (at: number) => Effect.Effect<unknown>,
    seconds = 3_600
  ) =>
    Effect.gen(function* () {
      const traffic = yield* Effect.fork(
        Effect.forever(
          Effect.gen(function* () {
            assert.strictEqual(yield* healthy, 200)
            yield* Effect.sleep("1 second")
          })
        )
      )
      for (let at = 0; at < seconds; at += every) {
        yield* broken(at)
        yield* Effect.sleep(every * 1_000)
      }
      assert.isNull(traffic.unsafePoll())
    })

  for (const every of isQuick ? [1, 61] : [0.1, 1, 10, 61, 120, 600]) {
    it(`causes at most 5 token requests an hour beyond those due if it is called every ${every} s`, () => {
      const logs = captureLogs()
      simulated(
        Effect.gen(function* () {
          const { cache, good, upstream } = yield* setup()
          // Of a call every 0.1 s, ten minutes tell enough.
          const seconds = every < 1 ? 600 : 3_600
          const broken = call({ cache, route: "GET /v1/transfers/:id", isAccepted: () => false })
          yield* beside(good, every, () => broken, seconds)
          assert.isAtMost(upstream.count(), due(seconds) + 5)
        }).pipe(Effect.provide(logs.layer), Effect.withRandom(Random.make(`${every}`)))
      )
      const warnings = logs.lines.filter(isWarning)
      assert.isAtLeast(warnings.length, 1)
      assert.isTrue(
        warnings.some((line) =>
          /GET \/v1\/transfers\/:id answered 401 to two renewed tokens.*account id \(not set\)/.test(line)
        ),
        warnings.join("\n")
      )
    })
  }

  for (const [what, idAt, every] of [
    ["only one of its ids answers 401", () => "bad", [1, 30, 61]],
    ["unknown ids answer 401, a new one", (at: number) => `bad-${at}`, [1, 10, 61]]
  ] as const) {
    it.each(every)(`causes at most 5 token requests an hour beyond those due if ${what} every %s s`, (every) => {
      const logs = captureLogs()
      simulated(
        Effect.gen(function* () {
          const { bad, good, upstream } = yield* setup()
          yield* beside(good, every, (at) => Effect.map(bad(idAt(at)), (outcome) => assert.strictEqual(outcome, 401)))
          assert.isAtMost(upstream.count(), due(3_600) + 5)
          // A session that really ends is noticed by the ids that have worked.
          yield* upstream.startSession
          yield* Effect.sleep("1500 millis")
          assert.strictEqual(yield* good, 200)
        }).pipe(Effect.provide(logs.layer), Effect.withRandom(Random.make(`${every}`)))
      )
      const warnings = logs.lines.filter(isWarning)
      assert.isAtLeast(warnings.length, 1)
      assert.notInclude(warnings.join(), "Another program")
    })
  }

  it.each([1, 10, 61])(
    "causes at most 5 token requests an hour beyond those due if its ids look like words, a new one every %s s",
    (every) => {
      const logs = captureLogs()
      simulated(
        Effect.gen(function* () {
          const { cache, good, upstream } = yield* setup()
          yield* beside(good, every, (at) =>
            call({ cache, route: `GET /v1/customers/${wordOf(at)}`, isAccepted: () => false })
          )
          assert.isAtMost(upstream.count(), due(3_600) + 5)
          // A session that really ends is noticed by the routes that have worked.
          yield* upstream.startSession
          yield* Effect.sleep("1500 millis")
          assert.strictEqual(yield* good, 200)
        }).pipe(Effect.provide(logs.layer), Effect.withRandom(Random.make(`${every}`)))
      )
      const warnings = logs.lines.filter(isWarning)
      assert.isTrue(
        warnings.some((line) => line.includes("Several routes")),
        warnings.join("\n")
      )
      assert.notInclude(warnings.join(), "Another program")
    }
  )

  it("causes a renewal for few of twenty routes that always answer 401", () =>
    simulated(
      Effect.gen(function* () {
        const { cache, good, upstream } = yield* setup()
        yield* beside(good, 3, (at) =>
          call({ cache, route: `GET /v1/${wordOf((at / 3) % 20)}`, isAccepted: () => false })
        )
        assert.isAtMost(upstream.count(), due(3_600) + 20)
      }).pipe(Effect.withRandom(Random.make("a seed")))
    ))

  it.each([1, 10, 61])(
    "causes at most 5 token requests an hour beyond those due if another layer's account id is wrong, every %s s",
    (every) =>
      simulated(
        Effect.gen(function* () {
          const { config, good, upstream } = yield* setup(Option.some("right"))
          const wrong = yield* makeCache({ upstream, config: { ...config, accountId: Option.some("wrong") } })
          const broken = call({ cache: wrong, route: "GET /v1/accounts/balance", isAccepted: () => false })
          yield* beside(good, every, () => broken)
          assert.isAtMost(upstream.count(), due(3_600) + 5)
        }).pipe(Effect.withRandom(Random.make(`${every}`)))
      )
  )

  for (const every of isQuick ? [120] : [120, 600, Number.POSITIVE_INFINITY]) {
    it(`causes ever fewer token requests and a warning if the healthy traffic is a call every ${every} s`, () => {
      const logs = captureLogs()
      simulated(
        Effect.gen(function* () {
          const upstream = makeUpstream()
          const cache = yield* makeCache({ upstream })
          const isAlive = (token: string) => token === upstream.liveToken()
          for (let at = 0; at < 3_600; at += 20) {
            if (at % every === 0) yield* call({ cache, route: "GET /v1/banks", isAccepted: isAlive })
            yield* call({ cache, route: "GET /v1/transfers/:id", isAccepted: () => false })
            yield* Effect.sleep("20 seconds")
          }
          assert.isAtMost(upstream.count(), due(3_600) + 12)
        }).pipe(Effect.provide(logs.layer), Effect.withRandom(Random.make(`${every}`)))
      )
      const warnings = logs.lines.filter(isWarning)
      assert.isAtLeast(warnings.length, 1)
      for (const line of warnings) assert.include(line, "account id")
    })
  }

  for (const { bad, good, what, latency } of [
    { what: "another route", bad: () => "/v1/bad", good: () => "/v1/banks", latency: 1_000 },
    { what: "another route", bad: () => "/v1/bad", good: () => "/v1/banks", latency: 200 },
    {
      what: "other ids of its route",
      bad: () => "/v1/transfers/bad",
      good: (count: number) => `/v1/transfers/${count % 7}`,
      latency: 1_000
    },
    {
      what: "ids of its route that come once, as its own do",
      bad: (count: number) => `/v1/transfers/bad-${count}`,
      good: (count: number) => `/v1/transfers/${count}`,
      latency: 200
    }
  ].slice(isQuick ? 3 : 0)) {
    it(`costs at most five token requests an hour although the 401s of requests in flight follow, which take ${latency} ms, of ${what}`, () => {
      const logs = captureLogs()
      const routeOf = (resource: string) => `GET ${resource.replace(/transfers.*/, "transfers/*")}`
      simulated(
        Effect.gen(function* () {
          const upstream = makeUpstream()
          upstream.always = { prepare: Effect.sleep("100 millis"), latency: "200 millis" }
          const cache = yield* makeCache({ upstream })
          const outcomes: Array<Outcome> = []
          const request = (resource: string, isAccepted: (token: string) => boolean) =>
            call({
              cache,
              route: routeOf(resource),
              resource: `GET ${resource}`,
              isAccepted,
              latency: Effect.flatMap(Random.nextIntBetween(latency / 2, latency * 2), (millis) => Effect.sleep(millis))
            })
          let sent = 0
          const healthy = Effect.suspend(() => request(good(sent++), (token) => token === upstream.liveToken()))
          const recorded = Effect.map(healthy, (outcome) => outcomes.push(outcome))
          // Five are under way at a time.
          yield* Effect.fork(Effect.forever(Effect.zipRight(Effect.fork(recorded), Effect.sleep(latency / 5))))
          for (let at = 0; at < 3_600; at += 61) {
            assert.strictEqual(yield* request(bad(at), () => false), 401)
            yield* Effect.sleep("61 seconds")
          }
          assert.isAtMost(upstream.count(), due(3_600) + 5)
          assert.deepStrictEqual([...new Set(outcomes)], [200])
        }).pipe(Effect.provide(logs.layer), Effect.withRandom(Random.make("a seed")))
      )
      assert.isAtLeast(logs.lines.filter((line) => line.includes(`${routeOf(bad(0))} answered 401`)).length, 1)
    })
  }

  it("is not taken for one although another program logs in every second and some requests never succeed", () => {
    const logs = captureLogs()
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.always = { latency: "40 millis" }
        const cache = yield* makeCache({ upstream })
        yield* Effect.fork(Effect.forever(Effect.zipRight(upstream.startSession, Effect.sleep("1 second"))))
        const outcomes: Array<Outcome> = []
        for (let count = 0; count < 3_000; count++) {
          // A third of the resources is asked for once, so no replay of theirs can show that they are good.
          const resource = `GET /v1/transfers/${count % 3 === 0 ? count : count % 7}`
          yield* call({
            cache,
            route: "GET /v1/transfers/*",
            resource,
            isAccepted: (token) => token === upstream.liveToken(),
            latency: Effect.flatMap(Random.nextIntBetween(5, 200), (millis) => Effect.sleep(millis)),
            responseLatency: Effect.flatMap(Random.nextIntBetween(1, 30), (millis) => Effect.sleep(millis))
          }).pipe(
            Effect.map((outcome) => outcomes.push(outcome)),
            Effect.fork
          )
          yield* Effect.sleep("20 millis")
        }
        yield* Effect.sleep("30 seconds")
        assert.lengthOf(outcomes, 3_000)
      }).pipe(Effect.provide(logs.layer), Effect.withRandom(Random.make("a seed")))
    )
    assert.deepStrictEqual(
      logs.lines.filter((line) => line.includes("causes no renewal")),
      []
    )
  })

  it("gives its 401 to the caller while it is held back, and causes a renewal again after 10, 20, 40 and 60 minutes", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        upstream.lifetime = "24 hours"
        const cache = yield* makeCache({ upstream })
        const isAlive = (token: string) => token === upstream.liveToken()
        for (let minute = 0; minute < 240; minute++) {
          yield* call({ cache, route: "GET /healthy", isAccepted: isAlive })
          yield* Effect.sleep("30 seconds")
          assert.strictEqual(yield* call({ cache, route: "GET /broken", isAccepted: () => false }), 401)
          yield* Effect.sleep("30 seconds")
        }
        const gaps = upstream.calls
          .slice(1)
          .map(({ at }, index) => Math.round((at - (upstream.calls[index]?.at ?? 0)) / 60_000))
        assert.isAtMost(upstream.count(), 1 + 2 + 5)
        assert.deepStrictEqual(
          gaps.filter((gap) => gap >= 10).map((gap) => Math.round(gap / 10) * 10),
          [10, 20, 40, 60, 60].slice(0, gaps.filter((gap) => gap >= 10).length)
        )
      })
    ))

  it("causes renewals again at once after it has succeeded", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        const isAlive = (token: string) => token === upstream.liveToken()
        let isBroken = true
        const broken = call({ cache, route: "GET /broken", isAccepted: (token) => !isBroken && isAlive(token) })
        for (let second = 0; second < 60; second++) {
          yield* call({ cache, route: "GET /healthy", isAccepted: isAlive })
          yield* broken
          yield* Effect.sleep("1 second")
        }
        isBroken = false
        assert.strictEqual(yield* broken, 200)
        yield* upstream.startSession
        assert.strictEqual(yield* broken, 200)
      })
    ))
})

describe.sequential("TokenCache.invalidate with the request that the token was used for", () => {
  it("asks for a replay with the same token if a request that was sent later succeeded with it", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        const token = yield* cache.get
        const early = yield* use()
        yield* Effect.sleep("1 second")
        yield* cache.confirm(token, yield* use("GET /v1/banks"))
        assert.strictEqual(yield* cache.invalidate(token, early), "SameToken")
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* Effect.sleep("1 second")
        assert.strictEqual(yield* cache.invalidate(token, yield* use("GET /v1/accounts/balance", true)), "Renewal")
        assert.strictEqual(yield* getText(cache), "access-2")
      })
    ))

  it("renews if the request that succeeded was sent earlier, or with another token", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        const token = yield* cache.get
        yield* cache.confirm(token, yield* use("GET /v1/banks"))
        yield* Effect.sleep("1 second")
        const late = yield* use()
        yield* cache.confirm(Redacted.make("another"), { ...(yield* use("GET /v1/banks")), sentAt: late.sentAt + 1 })
        assert.strictEqual(yield* cache.invalidate(token, late), "Renewal")
        assert.strictEqual(yield* getText(cache), "access-2")
      })
    ))

  it("renews for a token that is not the current one any more", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        const old = yield* cache.get
        const sent = yield* use()
        yield* cache.invalidate(old)
        yield* cache.get
        assert.strictEqual(yield* cache.invalidate(old, sent), "Renewal")
        assert.strictEqual(yield* getText(cache), "access-2")
        assert.strictEqual(upstream.count(), 2)
      })
    ))
})
