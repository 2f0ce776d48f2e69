import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Option, PubSub, Stream, TestClock } from "effect"
import * as SessionStore from "../../../src/layers/store/SessionStore.js"
import * as TokenCacheRef from "../../../src/layers/TokenCacheRef.js"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import type { Session } from "../../../src/schemas/Session.js"
import { NombaAuth } from "../../../src/services/NombaAuth.js"
import { NombaConfig } from "../../../src/services/NombaConfig.js"
import { TokenCache } from "../../../src/services/TokenCache.js"
import { at, makeFaultyStore } from "../../support/faults.js"
import { ifFree, nothingLeft, ownerOf } from "../../support/storeFaults.js"
import { during, settle, simulated, together } from "../../support/time.js"
import { getText, makeCache, makeConfig, makeUpstream } from "../../support/upstream.js"

const another = ownerOf("another")

const written = (session: Option.Option<Session>, remaining: Duration.Duration) => ({
  session,
  tombstone: false,
  remaining,
  version: 1,
  expiresAt: Number.POSITIVE_INFINITY
})

/** Two caches of one session, the second over a store whose steps are counted and can fail. */
const pair = Effect.gen(function* () {
  const upstream = makeUpstream()
  const config = makeConfig()
  const faulty = makeFaultyStore()
  const one = yield* makeCache({ upstream, config })
  const two = yield* makeCache({ upstream, config, store: faulty.store })
  return { config, faulty, one, two, upstream }
})

describe("adopting a stored session", () => {
  it.scoped("lets two cold caches share one token request", () =>
    Effect.gen(function* () {
      const { one, two, upstream } = yield* pair
      upstream.always = { latency: "1 second" }
      const tokens = yield* together(100, Effect.all([getText(one), getText(two)], { concurrency: "unbounded" })).pipe(
        during("2 seconds")
      )
      assert.deepStrictEqual([...new Set(tokens.flat())], ["access-1"])
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("reads nothing because of the announcement of its own session", () =>
    Effect.gen(function* () {
      const { faulty, two } = yield* pair
      yield* two.get
      yield* settle
      assert.deepStrictEqual(faulty.steps, ["read", "acquire", "extend", "commit", "release"])
    })
  )

  it.scoped("hears what another process wrote while its own renewal had not ended", () =>
    Effect.gen(function* () {
      const { faulty, one, two, upstream } = yield* pair
      faulty.after = at("release")(Effect.sleep("2 seconds"))
      const getting = yield* Effect.fork(getText(two))
      yield* TestClock.adjust("1 second")
      yield* one.invalidate(yield* one.get)
      assert.strictEqual(yield* getText(one), "access-2")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(getting), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("lets a layer that is built for each request reuse the session", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const layer = TokenCacheRef.layer.pipe(
        Layer.provide(TokenStoreMemory.layer),
        Layer.provide(Layer.succeed(NombaAuth, upstream.auth)),
        Layer.provide(Layer.succeed(NombaConfig, makeConfig()))
      )
      const request = Effect.flatMap(TokenCache, getText).pipe(Effect.provide(layer))
      assert.strictEqual(yield* request, "access-1")
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual(yield* request, "access-1")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* request, "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh"])
    })
  )

  it("follows the planned renewals of another cache without a token request", () =>
    simulated(
      Effect.gen(function* () {
        const { one, two, upstream } = yield* pair
        yield* one.get
        yield* two.get
        for (let minute = 0; minute < 24 * 60; minute++) {
          yield* Effect.sleep("1 minute")
          for (const cache of [one, two]) assert.strictEqual(yield* getText(cache), upstream.liveToken())
          yield* Effect.sleep(0)
        }
        assert.isAtMost(upstream.count(), 1 + Math.ceil((24 * 60) / 25))
      })
    ))

  it.scoped("comes before a token request, also in a cache that hears no announcements", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const deaf = makeFaultyStore()
      deaf.hasAnnouncements = false
      const [one, two] = [
        yield* makeCache({ upstream, config }),
        yield* makeCache({ upstream, config, store: deaf.store })
      ]
      yield* two.invalidate(yield* two.get)
      yield* one.invalidate(yield* one.get)
      assert.strictEqual(yield* getText(one), "access-2")
      assert.strictEqual(yield* getText(two), "access-2")
      assert.strictEqual((yield* two.session).origin, "store")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("never takes the rejected token again", () =>
    Effect.gen(function* () {
      const { one, two, upstream } = yield* pair
      yield* one.get
      yield* two.invalidate(yield* two.get)
      assert.strictEqual(yield* getText(two), "access-2")
      yield* settle
      assert.strictEqual(yield* getText(one), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("never takes the rejected token again, also if another process stores it under a newer version", () =>
    Effect.gen(function* () {
      const { config, faulty, one, upstream } = yield* pair
      yield* one.get
      const { session } = yield* one.session
      yield* one.invalidate(session.accessToken)
      assert.strictEqual(yield* getText(one), "access-2")
      const otherProcess = yield* faulty.otherProcess(config.storeKey)
      const { entry } = yield* otherProcess.read
      const version = Option.match(entry, { onNone: () => 0, onSome: (_) => _.version })
      yield* otherProcess.acquire(another, ifFree)
      const late = { ...written(Option.some(session), Duration.hours(2)), version: version + 1 }
      assert.isTrue(yield* otherProcess.commit(another, version, late))
      yield* otherProcess.release(another, nothingLeft)
      yield* settle
      assert.strictEqual(yield* getText(one), "access-2")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* getText(one), "access-3")
      assert.strictEqual(upstream.liveToken(), "access-3")
    })
  )

  it.scoped("waits for a refresh that is in flight", () =>
    Effect.gen(function* () {
      const { config, one, upstream } = yield* pair
      yield* one.get
      yield* TestClock.adjust("25 minutes")
      const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      upstream.script({ operation: "refresh", arrived, gate })
      yield* one.get
      yield* Deferred.await(arrived)
      const cold = yield* Effect.fork(getText(yield* makeCache({ upstream, config })))
      yield* TestClock.adjust("5 seconds")
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(cold), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("never takes a session whose holder crashed during its refresh", () =>
    Effect.gen(function* () {
      const { config, faulty, one, upstream } = yield* pair
      yield* one.get
      const crashed = yield* faulty.otherProcess(config.storeKey)
      yield* crashed.acquire(another, ifFree)
      yield* crashed.setRefreshInFlight(another, true)
      yield* crashed.release(another, nothingLeft)
      assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "issue"])
    })
  )

  it.scoped("serves a session inside its ahead-window and renews it in the background", () =>
    Effect.gen(function* () {
      const { config, one, upstream } = yield* pair
      yield* one.get
      yield* TestClock.adjust(Duration.minutes(25))
      const cold = yield* makeCache({ upstream, config })
      assert.strictEqual(yield* getText(cold), "access-1")
      assert.deepStrictEqual(upstream.operations(), ["issue"])
      assert.strictEqual(yield* getText(cold), "access-1")
      yield* settle
      assert.strictEqual(yield* getText(cold), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh"])
    })
  )

  it.scoped("counts what is left of the lifetime, and not a new one", () =>
    Effect.gen(function* () {
      const { one, two, upstream } = yield* pair
      yield* one.get
      yield* TestClock.adjust(Duration.millis(25 * 60_000 - 1))
      assert.strictEqual(yield* getText(two), "access-1")
      assert.strictEqual(Duration.toMillis((yield* two.session).remaining), 5 * 60_000 + 1)
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("does not take a session with too little left to be handed out", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig({ renewAhead: Duration.zero })
      const faulty = makeFaultyStore()
      const one = yield* makeCache({ upstream, config })
      yield* one.get
      yield* TestClock.adjust(Duration.millis(30 * 60_000 - 10_000))
      const two = yield* makeCache({ upstream, config, store: faulty.store })
      assert.strictEqual(yield* getText(two), "access-2")
      assert.strictEqual(faulty.count("acquire"), 1)
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("reads the store once for an announcement, and not at all for a known version", () =>
    Effect.gen(function* () {
      const { config, faulty, one, two } = yield* pair
      yield* one.get
      yield* two.get
      yield* settle
      const before = faulty.count("read")
      yield* one.invalidate(yield* one.get)
      yield* one.get
      yield* settle
      assert.strictEqual(yield* getText(two), "access-2")
      assert.strictEqual(faulty.count("read"), before + 1)

      const otherProcess = yield* faulty.otherProcess(config.storeKey)
      for (let count = 0; count < 100; count++) {
        yield* otherProcess.acquire(another, ifFree)
        yield* otherProcess.release(another, nothingLeft)
        yield* settle
      }
      assert.strictEqual(faulty.count("read"), before + 1)
    })
  )

  it.scoped("hears what is announced as soon as the cache is built", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      const otherProcess = yield* faulty.otherProcess(config.storeKey)
      const session = Option.some(yield* upstream.auth.issue)
      yield* otherProcess.acquire(another, ifFree)
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      yield* otherProcess.commit(another, 0, written(session, Duration.minutes(30)))
      yield* settle
      assert.strictEqual(faulty.count("read"), 1)
      assert.strictEqual(yield* getText(cache), "access-1")
      assert.strictEqual(faulty.count("read"), 1)
    })
  )

  it.scoped("reads the store once for repeated announcements of a session that it does not take", () =>
    Effect.gen(function* () {
      const { config, faulty, two, upstream } = yield* pair
      const otherProcess = yield* faulty.otherProcess(config.storeKey)
      const session = Option.some(yield* upstream.auth.issue)
      yield* otherProcess.acquire(another, ifFree)
      yield* otherProcess.commit(another, 0, written(session, Duration.seconds(9)))
      yield* settle
      const before = faulty.count("read")
      for (let count = 0; count < 100; count++) {
        yield* otherProcess.acquire(another, ifFree)
        yield* otherProcess.release(another, nothingLeft)
        yield* settle
      }
      assert.strictEqual(faulty.count("read"), before)
      assert.strictEqual(before, 1)
      assert.strictEqual(yield* getText(two), "access-2")
    })
  )

  for (const [what, announcement] of [
    ["a version that the store never had", 1e300],
    ["no number", Number.NaN]
  ] as const) {
    it.scoped(`goes on after a forged announcement of ${what}`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const announced = yield* PubSub.unbounded<number>()
        const store = SessionStore.fromDriver((key, leaseTime) =>
          Effect.map(TokenStoreMemory.connect(key, leaseTime), (driver) => ({
            ...driver,
            read: Effect.map(driver.read, (reading) => (isEmpty ? { ...reading, entry: Option.none() } : reading)),
            changes: Effect.zipWith(driver.changes, Stream.fromPubSub(announced, { scoped: true }), (own, forged) =>
              Stream.merge(own, forged)
            )
          }))
        )
        let isEmpty = false
        const one = yield* makeCache({ upstream, config })
        const two = yield* makeCache({ upstream, config, store })
        assert.strictEqual(yield* getText(two), "access-1")
        for (isEmpty of [true, false]) {
          yield* PubSub.publish(announced, announcement)
          yield* settle
          assert.strictEqual(yield* getText(two), "access-1")
        }
        yield* one.invalidate(yield* one.get)
        yield* one.get
        yield* settle
        assert.strictEqual(yield* getText(two), "access-2")

        isEmpty = true
        yield* PubSub.publish(announced, announcement)
        yield* settle
        isEmpty = false
        yield* one.logout
        yield* settle
        assert.strictEqual(yield* getText(two), "access-3")
        assert.deepStrictEqual(upstream.operations(), ["issue", "issue", "revoke", "issue"])
      })
    )
  }

  it.scoped("reads at most once more for all announcements that arrive during a read", () =>
    Effect.gen(function* () {
      const { faulty, one, two } = yield* pair
      yield* one.get
      yield* two.get
      yield* settle
      const gate = yield* Deferred.make<void>()
      faulty.before = at("read")(Deferred.await(gate))
      const before = faulty.count("read")
      for (let count = 0; count < 10; count++) {
        yield* one.invalidate(yield* one.get)
        yield* one.confirm(yield* one.get)
        yield* settle
      }
      assert.strictEqual(faulty.count("read"), before + 1)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.isAtMost(faulty.count("read"), before + 2)
      assert.strictEqual(yield* getText(two), yield* getText(one))
    })
  )

  it.scoped("is not undone by an older answer of the store that comes late", () =>
    Effect.gen(function* () {
      const { faulty, one, two, upstream } = yield* pair
      faulty.after = at("commit")(Effect.sleep("26 seconds"))
      faulty.before = at("commit")(
        Effect.sync(() => {
          faulty.before = at("extend")(Effect.sleep("27 seconds"))
        })
      )
      const late = yield* Effect.fork(two.get)
      yield* settle
      assert.strictEqual(yield* getText(one).pipe(during("1 second")), "access-1")
      yield* TestClock.adjust("24 seconds")
      yield* one.invalidate(yield* one.get)
      const renewed = yield* Effect.fork(getText(one))
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(yield* Fiber.join(renewed), "access-2")
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(late)
      assert.strictEqual(yield* getText(two), "access-2")
      assert.strictEqual(upstream.liveToken(), "access-2")
    })
  )

  it.scoped("follows at once if each new token is rejected early", () =>
    Effect.gen(function* () {
      const { one, two, upstream } = yield* pair
      const first = yield* one.get
      yield* upstream.startSession
      assert.strictEqual(yield* one.invalidate(first), "Renewal")
      const second = yield* one.get
      yield* upstream.startSession
      assert.strictEqual(yield* one.invalidate(second), "Renewal")
      assert.strictEqual(yield* getText(one), upstream.liveToken())
      yield* settle
      assert.strictEqual(yield* getText(two), upstream.liveToken())
    })
  )
})
