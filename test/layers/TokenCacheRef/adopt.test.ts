import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Option, PubSub, Redacted, Stream, TestClock } from "effect"
import * as State from "../../../src/layers/cache/State.js"
import * as SessionStore from "../../../src/layers/store/SessionStore.js"
import type { Entry } from "../../../src/layers/store/StoreDriver.js"
import * as TokenCacheRef from "../../../src/layers/TokenCacheRef.js"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import { NombaAuth } from "../../../src/services/NombaAuth.js"
import { NombaConfig } from "../../../src/services/NombaConfig.js"
import { TokenCache } from "../../../src/services/TokenCache.js"
import type { Stored } from "../../../src/services/TokenStore.js"
import { at, makeFaultyStore } from "../../support/faults.js"
import { during, settle, simulated, together } from "../../support/time.js"
import { getText, makeCache, makeConfig, makeUpstream } from "../../support/upstream.js"

/** Two caches of one session, the second over a store whose steps are counted and can fail. */
const pair = Effect.gen(function* () {
  const upstream = makeUpstream()
  const config = makeConfig()
  const faulty = makeFaultyStore()
  const one = yield* makeCache({ upstream, config })
  const two = yield* makeCache({ upstream, config, store: faulty.store })
  return { config, faulty, one, two, upstream }
})

describe("adopting is broken if", () => {
  it.scoped("two cold caches start two sessions", () =>
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

  it.scoped("a layer that is built for each request makes a session for each request", () =>
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

  it("a planned renewal in one costs the other a rejection, or a call", () =>
    simulated(
      Effect.gen(function* () {
        const { one, two, upstream } = yield* pair
        yield* one.get
        yield* two.get
        for (let minute = 0; minute < 24 * 60; minute++) {
          yield* Effect.sleep("1 minute")
          for (const cache of [one, two]) assert.strictEqual(yield* getText(cache), upstream.alive())
          yield* Effect.sleep(0)
        }
        assert.isAtMost(upstream.count(), 1 + Math.ceil((24 * 60) / 25))
      })
    ))

  it.scoped("a cache that heard of nothing calls Nomba when its token is rejected", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const deaf = makeFaultyStore()
      deaf.hears = false
      const [one, two] = [
        yield* makeCache({ upstream, config }),
        yield* makeCache({ upstream, config, store: deaf.store })
      ]
      yield* two.invalidate(yield* two.get)
      yield* one.invalidate(yield* one.get)
      assert.strictEqual(yield* getText(one), "access-2")
      assert.strictEqual(yield* getText(two), "access-2")
      assert.strictEqual((yield* two.session).origin, "adopted")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("the rejected token is adopted again", () =>
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

  it.scoped("a session whose refresh token is being spent is adopted", () =>
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

  it.scoped("a session that was left marked is adopted", () =>
    Effect.gen(function* () {
      const { config, faulty, one, upstream } = yield* pair
      yield* one.get
      const dead = yield* faulty.elsewhere(config.storeKey)
      yield* dead.acquire("dead")
      yield* dead.mark("dead", true)
      yield* dead.release("dead")
      assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "issue"])
    })
  )

  it.scoped("a session in its own ahead-window is adopted by a cold cache", () =>
    Effect.gen(function* () {
      const { config, one, upstream } = yield* pair
      yield* one.get
      yield* TestClock.adjust(Duration.minutes(25))
      assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh"])
    })
  )

  it.scoped("a session short of its ahead-window is not adopted, or counted from now", () =>
    Effect.gen(function* () {
      const { one, two, upstream } = yield* pair
      yield* one.get
      yield* TestClock.adjust(Duration.millis(25 * 60_000 - 1))
      assert.strictEqual(yield* getText(two), "access-1")
      assert.strictEqual(Duration.toMillis((yield* two.session).remaining), 5 * 60_000 + 1)
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("without renewAhead, a session is adopted that is too short to be handed out", () =>
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

  it.scoped("an announcement costs more than one read", () =>
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

      const elsewhere = yield* faulty.elsewhere(config.storeKey)
      for (let count = 0; count < 100; count++) {
        yield* elsewhere.acquire("another")
        yield* elsewhere.release("another")
        yield* settle
      }
      assert.strictEqual(faulty.count("read"), before + 1)
    })
  )

  it.scoped("what is announced as soon as a cache is built goes unheard", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      const elsewhere = yield* faulty.elsewhere(config.storeKey)
      const session = Option.some(yield* upstream.auth.issue)
      yield* elsewhere.acquire("another")
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      yield* elsewhere.commit("another", 0, { session, tombstone: false, remaining: Duration.minutes(30) })
      yield* settle
      assert.strictEqual(faulty.count("read"), 1)
      assert.strictEqual(yield* getText(cache), "access-1")
      assert.strictEqual(faulty.count("read"), 1)
    })
  )

  it.scoped("announcements of a session that is not adopted cost a read each", () =>
    Effect.gen(function* () {
      const { config, faulty, two, upstream } = yield* pair
      const elsewhere = yield* faulty.elsewhere(config.storeKey)
      const session = Option.some(yield* upstream.auth.issue)
      yield* elsewhere.acquire("another")
      yield* elsewhere.commit("another", 0, { session, tombstone: false, remaining: Duration.minutes(1) })
      yield* settle
      const before = faulty.count("read")
      for (let count = 0; count < 100; count++) {
        yield* elsewhere.acquire("another")
        yield* elsewhere.release("another")
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
    it.scoped(`somebody announces ${what}, and the session ends, or nothing is heard or adopted any more`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const announced = yield* PubSub.unbounded<number>()
        const store = SessionStore.fromDriver((key, leaseTime) =>
          Effect.map(TokenStoreMemory.connect(key, leaseTime), (driver) => ({
            ...driver,
            read: Effect.suspend(() => (isEmpty ? Effect.succeedNone : driver.read)),
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

  it.scoped("announcements that arrive during a read cost more than one other", () =>
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

  it.scoped("what another cache did since is undone by an answer of the store that comes late", () =>
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
      assert.strictEqual(upstream.alive(), "access-2")
    })
  )

  it.scoped("a theft between the renewal and the replay is not mended at once", () =>
    Effect.gen(function* () {
      const { one, two, upstream } = yield* pair
      const first = yield* one.get
      yield* upstream.steal
      assert.strictEqual(yield* one.invalidate(first), "renew")
      const second = yield* one.get
      yield* upstream.steal
      assert.strictEqual(yield* one.invalidate(second), "renew")
      assert.strictEqual(yield* getText(one), upstream.alive())
      yield* settle
      assert.strictEqual(yield* getText(two), upstream.alive())
    })
  )

  it.scoped("a store that came back empty and with its clock behind makes callers call Nomba without an end", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      let behind = 0
      const shift = Option.map((entry: Entry) => ({ ...entry, version: entry.version - behind }))
      const store = SessionStore.fromDriver((key, leaseTime) =>
        Effect.map(TokenStoreMemory.connect(key, leaseTime), (driver) => ({
          ...driver,
          read: Effect.map(driver.read, shift),
          acquire: (owner) => Effect.map(driver.acquire(owner), ({ entry, held }) => ({ held, entry: shift(entry) })),
          commit: (owner, basis, next) =>
            Effect.map(
              driver.commit(owner, basis + behind, next),
              Option.map((version) => version - behind)
            )
        }))
      )
      yield* TestClock.adjust("1 hour")
      const cache = yield* makeCache({ upstream, store })
      yield* cache.get
      behind = 1_000_000
      yield* TestClock.adjust("10 minutes")
      yield* cache.invalidate(yield* cache.get)
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  const held = (version: number): Stored => ({
    session: Effect.runSync(makeUpstream().auth.issue),
    version,
    remaining: Duration.minutes(30),
    marked: false,
    saved: true
  })
  const arrival = { origin: "adopted", isRemedy: false, now: 0, renewAhead: Duration.minutes(5), jitter: 0 } as const
  const other = (version: number): Stored => {
    const upstream = makeUpstream()
    return { ...held(version), session: Effect.runSync(Effect.zipRight(upstream.auth.issue, upstream.auth.issue)) }
  }
  const isAdoptable = (state: State.State, stored: Stored) => State.isAdoptable(state, stored, 1, Duration.minutes(5))

  it("a version is taken that is not higher than any held", () => {
    const state = State.adopt(State.initial, held(5), arrival)
    assert.isFalse(isAdoptable(state, other(4)))
    assert.isFalse(isAdoptable(state, other(5)))
    assert.isTrue(isAdoptable(state, other(6)))
    assert.isFalse(isAdoptable(State.forget(state), held(5)))
    assert.isFalse(isAdoptable(State.end(state, 7), other(7)))
    assert.isTrue(State.isOvertaken(state, State.initial, other(4)))
    assert.isFalse(State.isOvertaken(state, state, other(4)))
  })

  it("what has been rejected is taken under a higher version", () => {
    const state = State.reject(State.adopt(State.initial, held(5), arrival), Redacted.make("access-1"), 1)
    assert.isFalse(isAdoptable(state, held(6)))
    assert.isTrue(isAdoptable(state, other(6)))
  })
})
