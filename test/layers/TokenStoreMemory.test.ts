import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Option, Scope, TestClock } from "effect"
import * as TokenStoreMemory from "../../src/layers/TokenStoreMemory.js"
import { Session } from "../../src/schemas/Session.js"
import type { StoreKey } from "../../src/schemas/StoreKey.js"
import { TokenStore } from "../../src/services/TokenStore.js"
import { faultyTokenStore, tokenStoreContract } from "../../src/testing/TokenStoreContract.js"
import {
  adoptAny,
  down,
  freshKey,
  holds,
  holdsNothing,
  LIFETIME,
  makeObtain,
  makeRevoke,
  put,
  renew,
  sessionOf
} from "../../src/testing/tokenStore/harness.js"
import { makeHandClock } from "../support/storeClock.js"
import { ifFree, ownerOf } from "../support/storeFaults.js"

const store = Effect.succeed(TokenStoreMemory.make)
const pass = TestClock.adjust

describe("TokenStoreMemory keeps the contract:", () => {
  const cases = tokenStoreContract({ store, pass, faulty: faultyTokenStore(TokenStoreMemory.connect) })
  for (const { effect, name } of cases) it.scoped(name, () => effect)
})

describe("TokenStoreMemory keeps the contract if a lease is lost by a stalled holder:", () => {
  const cases = tokenStoreContract({ store, pass, requestTimeout: Duration.seconds(10) })
  for (const { effect, name, passes } of cases) {
    if (Duration.greaterThan(passes, "30 seconds")) it.scoped(name, () => effect)
  }
})

const requestTimeout = Duration.seconds(10)
const open = (key: StoreKey) => TokenStoreMemory.make.open(key, requestTimeout)

describe("an entry of TokenStoreMemory", () => {
  const withoutRefresh = (name: string) => new Session({ ...sessionOf(name), refreshToken: Option.none() })

  /** Commits a session of 30 minutes and closes. */
  const leaveBehind = (key: StoreKey, session: Session) =>
    Effect.scoped(Effect.flatMap(open(key), (_) => put(_, session)))

  it.scoped("is shared by every layer of a key", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      const build = Effect.flatMap(Layer.build(Layer.fresh(TokenStoreMemory.layer)), (context) =>
        Effect.flatMap(Effect.provide(TokenStore, context), (_) => _.open(key, requestTimeout))
      )
      yield* put(yield* build, sessionOf("held"))
      yield* holds(yield* build, sessionOf("held"))
    })
  )

  it.scoped("is kept between layers that are built for each request", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      const { obtain, runs } = yield* makeObtain(sessionOf("only"))
      for (let requests = 0; requests < 20; requests++) {
        const Request = Layer.fresh(TokenStoreMemory.layer)
        yield* Effect.scoped(
          Effect.flatMap(TokenStore, (_) => _.open(key, requestTimeout)).pipe(
            Effect.flatMap((_) => renew(_, adoptAny, obtain)),
            Effect.provide(Request)
          )
        )
        yield* TestClock.adjust("1 minute")
      }
      assert.strictEqual(runs(), 1)
    })
  )

  it.scoped("is not shared with programs that have another clock", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      yield* put(yield* open(key), sessionOf("held"))
      yield* holdsNothing(yield* Effect.withClock(open(key), makeHandClock().clock))
    })
  )

  it.scoped("is removed when its session has expired, if that cannot be refreshed", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      yield* leaveBehind(key, withoutRefresh("held"))
      yield* TestClock.adjust("29 minutes")
      yield* Effect.scoped(Effect.flatMap(open(key), (_) => holds(_, withoutRefresh("held"))))
      yield* TestClock.adjust("1 minute")
      yield* holdsNothing(yield* open(key))
    })
  )

  it.scoped("is removed a day after the expiry of its session, if that can be refreshed", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      yield* leaveBehind(key, sessionOf("held"))
      yield* TestClock.adjust("1 day")
      const stored = yield* Effect.scoped(Effect.flatMap(open(key), (_) => holds(_, sessionOf("held"))))
      assert.strictEqual(Duration.toMillis(stored.remaining), 0)
      yield* TestClock.adjust("30 minutes")
      yield* holdsNothing(yield* open(key))
    })
  )

  it.scoped("is removed if it is a tombstone that no layer uses", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      const { revoke } = yield* makeRevoke()
      yield* Effect.scoped(Effect.flatMap(open(key), (_) => _.logout(revoke)))
      const { obtain } = yield* makeObtain(sessionOf("next"), {
        beforeGate: (lease) => Effect.sync(() => assert.strictEqual(lease.version, 0))
      })
      yield* Effect.flatMap(open(key), (_) => renew(_, adoptAny, obtain))
    })
  )

  it.scoped("is removed when it is of no use, without a search of all entries at each opening", () =>
    Effect.gen(function* () {
      for (let keys = 0; keys < 200; keys++) yield* leaveBehind(yield* freshKey(), withoutRefresh("held"))
      yield* TestClock.adjust("1 hour")
      const before = yield* TokenStoreMemory.size
      assert.isAtLeast(before, 200)
      for (let keys = 0; keys < 200; keys++) yield* Effect.scoped(Effect.flatMap(freshKey(), open))
      assert.isAtMost(yield* TokenStoreMemory.size, 200)
    })
  )

  it.scoped("keeps a shared failure for a layer that is built after it, and drops it after ten minutes", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      const { obtain } = yield* makeObtain(sessionOf("never"), { afterGate: () => Effect.fail(down) })
      const failure = { reason: "RateLimited", status: Option.some(429), wait: Duration.minutes(1), count: 2 } as const
      yield* Effect.scoped(
        Effect.flatMap(open(key), (_) => Effect.flip(renew(_, adoptAny, obtain, { share: () => Option.some(failure) })))
      )
      const state = yield* Effect.scoped(Effect.flatMap(open(key), (_) => _.readVersioned))
      assert.deepStrictEqual(state.failure, Option.some(failure))
      yield* TestClock.adjust("11 minutes")
      let last: Option.Option<unknown> = Option.some("not asked")
      const next = yield* makeObtain(sessionOf("next"), {
        beforeGate: (lease) => Effect.sync(() => (last = lease.failure))
      })
      yield* Effect.scoped(Effect.flatMap(open(key), (_) => renew(_, adoptAny, next.obtain)))
      assert.deepStrictEqual(last, Option.none())
    })
  )

  it.scoped("stays while a layer uses it", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      const holder = yield* open(key)
      yield* put(holder, withoutRefresh("held"))
      yield* TestClock.adjust("365 days")
      yield* holds(yield* open(key), withoutRefresh("held"))
      yield* holds(holder, withoutRefresh("held"))
    })
  )

  it.scoped("stays while a renewal runs, although its layer was closed", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      const slow = yield* makeObtain(sessionOf("slow"), { gated: true })
      const scope = yield* Scope.make()
      const closing = yield* Scope.extend(open(key), scope)
      const renewal = yield* Effect.fork(renew(closing, adoptAny, slow.obtain))
      yield* slow.arrived
      yield* Scope.close(scope, Exit.void)
      const other = yield* makeObtain(sessionOf("other"))
      const next = yield* Effect.fork(Effect.flatMap(open(key), (_) => renew(_, adoptAny, other.obtain)))
      yield* TestClock.adjust("100 millis")
      yield* slow.open
      yield* Fiber.join(renewal)
      yield* Fiber.join(next)
      assert.strictEqual(other.runs(), 0)
    })
  )
})

describe("close of TokenStoreMemory", () => {
  it.scoped("answers true to the last layer, once", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      const [a, b] = yield* Effect.all([open(key), open(key)])
      yield* open(yield* freshKey())
      assert.isFalse(yield* a.close)
      assert.isFalse(yield* a.close)
      assert.isTrue(yield* b.close)
      assert.isFalse(yield* b.close)
      assert.isFalse(yield* a.close)
      assert.isTrue(yield* Effect.flatMap(open(key), (_) => _.close))
    })
  )

  it.scoped("counts a layer that was closed with its scope", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* open(key)
      yield* Effect.scoped(open(key))
      assert.isTrue(yield* a.close)
    })
  )

  it.scoped("counts a layer once, if it is closed by itself, by its scope or by both", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* open(key)
      yield* open(key)
      yield* Effect.scoped(Effect.flatMap(open(key), (_) => _.close))
      assert.isFalse(yield* a.close)
    })
  )
})

describe("the time of TokenStoreMemory", () => {
  it.scoped("runs on when the clock is set back, so that a session lives no longer", () =>
    Effect.gen(function* () {
      const hand = makeHandClock(1_000_000)
      const store = yield* Effect.withClock(open(yield* freshKey()), hand.clock)
      const { version } = yield* put(store, sessionOf("held"))
      const remaining = Effect.map(holds(store, sessionOf("held")), (stored) => Duration.toMillis(stored.remaining))
      hand.now -= 60_000
      assert.strictEqual(yield* remaining, Duration.toMillis(LIFETIME))
      hand.now += Duration.toMillis(LIFETIME)
      assert.strictEqual(yield* remaining, 0)
      assert.isAbove((yield* put(store, sessionOf("next"))).version, version)
    })
  )

  it.scoped("frees a lease at its deadline, also if the clock was set back", () =>
    Effect.gen(function* () {
      const hand = makeHandClock(1_000_000)
      const connect = TokenStoreMemory.connect(yield* freshKey(), Duration.seconds(25))
      const steps = yield* Effect.withClock(connect, hand.clock)
      const holdsLease = (owner: string) => Effect.map(steps.acquire(ownerOf(owner), ifFree), ({ held }) => held)
      assert.isTrue(yield* holdsLease("a"))
      hand.now += 24_999
      assert.isFalse(yield* holdsLease("b"))
      hand.now += 1
      assert.isFalse(yield* steps.extend(ownerOf("a")))
      assert.isTrue(yield* holdsLease("b"))
      hand.now -= 60_000
      assert.isFalse(yield* holdsLease("a"))
      hand.now += 25_000
      assert.isTrue(yield* holdsLease("a"))
    })
  )

  it.scoped(
    "gives a lease its full time again when it is extended, or a refresh-in-flight flag is made or taken back",
    () =>
      Effect.gen(function* () {
        const hand = makeHandClock(1_000_000)
        const connect = TokenStoreMemory.connect(yield* freshKey(), Duration.seconds(25))
        const steps = yield* Effect.withClock(connect, hand.clock)
        yield* steps.acquire(ownerOf("a"), ifFree)
        for (const step of [
          steps.extend(ownerOf("a")),
          steps.setRefreshInFlight(ownerOf("a"), true),
          steps.setRefreshInFlight(ownerOf("a"), false)
        ]) {
          hand.now += 20_000
          assert.isTrue(yield* step)
        }
        hand.now += 24_999
        assert.isFalse((yield* steps.acquire(ownerOf("b"), ifFree)).held)
      })
  )

  it.scoped("is the version of a commit, which counts on if the time is the same", () =>
    Effect.gen(function* () {
      const hand = makeHandClock(1_000_000)
      const store = yield* Effect.withClock(open(yield* freshKey()), hand.clock)
      const versions = [yield* put(store, sessionOf("a")), yield* put(store, sessionOf("b"))]
      hand.now += 60_000
      versions.push(yield* put(store, sessionOf("c")))
      assert.deepStrictEqual(
        versions.map((_) => _.version),
        [1_000_000, 1_000_001, 1_060_000]
      )
    })
  )
})
