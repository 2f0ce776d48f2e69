/** The protocol over steps that fail, whose answers are lost, or that take their time. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, FastCheck, Fiber, Logger, LogLevel, Option, Stream, TestClock } from "effect"
import * as SessionStoreModule from "../../../src/layers/store/SessionStore.js"
import { MAX_LEASE_TIME, MAX_VERSION, type Reading } from "../../../src/layers/store/StoreDriver.js"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import { HEADROOM, hasTime, RENEWAL_LIMIT } from "../../../src/layers/time.js"
import type { Unavailable } from "../../../src/schemas/AuthError.js"
import type { StoreKey } from "../../../src/schemas/StoreKey.js"
import type { SessionStore, Stored } from "../../../src/services/TokenStore.js"
import {
  adoptAny,
  adoptNone,
  down,
  freshKey,
  holds,
  holdsNothing,
  LIFETIME,
  makeObtain,
  makeRevoke,
  put,
  renew,
  sessionOf,
  unsaved
} from "../../../src/testing/tokenStore/harness.js"
import { makeHandClock } from "../../support/storeClock.js"
import {
  ifFree,
  makeFaults,
  nothingLeft,
  outOfReach,
  ownerOf,
  type StoreFaults,
  writeOf
} from "../../support/storeFaults.js"

const requestTimeout = Duration.seconds(10)

/** A holder whose steps can be given faults. */
const behindFaults = (key: StoreKey) =>
  Effect.gen(function* () {
    const faults = makeFaults(TokenStoreMemory.connect)
    const store = yield* SessionStoreModule.fromDriver(faults.connect).open(key, requestTimeout)
    return { store, faults }
  })

const two = Effect.gen(function* () {
  const key = yield* freshKey()
  return { a: yield* behindFaults(key), b: yield* behindFaults(key) }
})

describe("the lease time", () => {
  it.scoped.prop(
    "covers one request, and runs out while waiters still have time for their own",
    { seconds: FastCheck.integer({ min: 1, max: 12 }) },
    ({ seconds }) =>
      Effect.gen(function* () {
        const requestTimeout = Duration.seconds(seconds)
        const connect = TokenStoreMemory.connect
        let leaseTime = Duration.zero
        const store = SessionStoreModule.fromDriver((key, time) => {
          leaseTime = time
          return connect(key, time)
        })
        yield* store.open(yield* freshKey(), requestTimeout)
        assert.isTrue(Duration.greaterThan(leaseTime, Duration.sum(requestTimeout, HEADROOM)))
        assert.isTrue(Duration.lessThanOrEqualTo(leaseTime, MAX_LEASE_TIME))
        const noticed = Duration.sum(leaseTime, "500 millis")
        assert.isTrue(
          hasTime(Duration.toMillis(RENEWAL_LIMIT), Duration.toMillis(noticed), Duration.zero, requestTimeout)
        )
      })
  )
})

describe("a version that no store can have counted up to", () => {
  for (const version of [MAX_VERSION, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER]) {
    it.scoped(`is damage, although the driver does not say so (${version})`, () =>
      Effect.gen(function* () {
        const key = yield* freshKey()
        const { store } = yield* behindFaults(key)
        const driver = yield* TokenStoreMemory.connect(key, Duration.seconds(10))
        yield* driver.acquire(ownerOf("careless"), ifFree)
        assert.isTrue(yield* driver.commit(ownerOf("careless"), 0, writeOf("held", version, 0)))
        yield* driver.release(ownerOf("careless"), nothingLeft)
        const { obtain, runs } = yield* makeObtain(sessionOf("never"))
        const renewals = [adoptAny, adoptNone].map((adopt) => Effect.asVoid(renew(store, adopt, obtain)))
        for (const step of [Effect.asVoid(store.readVersioned), ...renewals]) {
          assert.propertyVal(yield* Effect.flip(step), "reason", "StoreUnreadable")
        }
        assert.strictEqual(runs(), 0)
        assert.isFalse((yield* driver.read).isLeased)
      })
    )
  }
})

describe("a shared failure whose wait is longer than any that a process shares", () => {
  for (const [wait, isHeldBack] of [
    [Duration.hours(1), true],
    [Duration.days(365), false]
  ] as const) {
    it.scoped(
      `${isHeldBack ? "holds" : "is ignored, and does not hold"} renewals back (${Duration.format(wait)})`,
      () =>
        Effect.gen(function* () {
          const key = yield* freshKey()
          const { store } = yield* behindFaults(key)
          const driver = yield* TokenStoreMemory.connect(key, Duration.seconds(10))
          const failure = Option.some({ reason: "ServerError", status: Option.none(), wait, count: 1 } as const)
          yield* driver.acquire(ownerOf("careless"), ifFree)
          yield* driver.release(ownerOf("careless"), { failure, cancelRefresh: false })
          assert.strictEqual(Option.isSome((yield* store.readVersioned).failure), isHeldBack)
          const { obtain, runs } = yield* makeObtain(sessionOf("next"))
          yield* Effect.exit(renew(store, adoptNone, obtain))
          assert.strictEqual(runs(), isHeldBack ? 0 : 1)
        })
    )
  }
})

describe("the remaining lifetime", () => {
  it.scoped("does not include the time that the answer of the store was under way", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      const late = <A, E>(step: Effect.Effect<A, E>) => Effect.zipLeft(step, Effect.sleep("5 seconds"))
      const { store } = yield* behindFaults(key)
      const far = yield* SessionStoreModule.fromDriver((key, leaseTime) =>
        Effect.map(TokenStoreMemory.connect(key, leaseTime), (driver) => ({
          ...driver,
          read: late(driver.read),
          acquire: (owner, options) => late(driver.acquire(owner, options))
        }))
      ).open(key, requestTimeout)
      yield* put(store, sessionOf("held"))

      const left: Array<number> = []
      const { obtain } = yield* makeObtain(sessionOf("new"))
      const adoptSecond = ({ remaining }: Stored) => left.push(Duration.toSeconds(remaining)) === 2
      const renewal = yield* Effect.fork(renew(far, adoptSecond, obtain))
      yield* TestClock.adjust("10 seconds")
      left.push(Duration.toSeconds((yield* Fiber.join(renewal)).remaining))
      const look = yield* Effect.fork(far.readVersioned)
      yield* TestClock.adjust("5 seconds")
      left.push(...Option.toArray((yield* Fiber.join(look)).stored).map((_) => Duration.toSeconds(_.remaining)))
      assert.deepStrictEqual(
        left,
        [5, 10, 10, 15].map((passed) => Duration.toSeconds(LIFETIME) - passed)
      )
    })
  )
})

describe("the remaining lifetime, if the lease is released late,", () => {
  const late = (act: (a: Effect.Effect.Success<typeof two>["a"]) => Effect.Effect<Stored, unknown>) =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* put(b.store, sessionOf("held"))
      a.faults.every("release", Duration.seconds(2))
      const fiber = yield* Effect.fork(act(a))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(Duration.toSeconds((yield* Fiber.join(fiber)).remaining), Duration.toSeconds(LIFETIME) - 2)
    })

  it.scoped("does not include that time after a renewal", () =>
    late(({ store }) => Effect.flatMap(makeObtain(sessionOf("new")), ({ obtain }) => renew(store, adoptNone, obtain)))
  )

  it.scoped("does not include that time after an adoption", () =>
    late(({ store }) =>
      Effect.gen(function* () {
        const { obtain } = yield* makeObtain(sessionOf("new"))
        let looks = 0
        return yield* renew(store, () => ++looks === 2, obtain)
      })
    )
  )

  it.scoped("does not include that time after save", () =>
    late(({ store }) =>
      Effect.gen(function* () {
        const { version } = yield* store.readVersioned
        return Option.getOrThrow(yield* store.save(unsaved(sessionOf("new"), version)))
      })
    )
  )
})

describe("Lease.assertHeld", () => {
  /** How it is `then`, after it was given. */
  const used = (then: Effect.Effect<void>, permission: "extend" | "beginRefresh" = "extend") =>
    Effect.gen(function* () {
      const { a } = yield* two
      yield* TestClock.adjust("1 minute")
      let still = "not asked"
      const { obtain } = yield* makeObtain(sessionOf("new"), {
        beforeGate: (lease) =>
          Effect.gen(function* () {
            yield* lease[permission]
            yield* then
            still = yield* Effect.match(lease.assertHeld, {
              onFailure: ({ _tag }) => _tag,
              onSuccess: () => "permitted"
            })
          })
      })
      yield* renew(a.store, adoptAny, obtain)
      return still
    })

  for (const permission of ["extend", "beginRefresh"] as const) {
    it.scoped(`passes for 3 s after ${permission}, and fails later`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* used(Effect.void, permission), "permitted")
        assert.strictEqual(yield* used(TestClock.adjust("3 seconds"), permission), "permitted")
        assert.strictEqual(yield* used(TestClock.adjust("3001 millis"), permission), "LeaseLost")
      })
    )
  }

  it.scoped("fails if both clocks went back", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* used(TestClock.setTime(0)), "LeaseLost")
    })
  )

  it.scoped("fails before extend or beginRefresh", () =>
    Effect.gen(function* () {
      const { a } = yield* two
      const failures: Array<string> = []
      const { obtain } = yield* makeObtain(sessionOf("new"), {
        beforeGate: (lease) =>
          Effect.merge(Effect.tapError(lease.assertHeld, ({ _tag }) => Effect.sync(() => failures.push(_tag))))
      })
      yield* renew(a.store, adoptAny, obtain)
      assert.deepStrictEqual(failures, ["LeaseLost"])
    })
  )

  for (const [step, permission] of [
    ["extend", "extend"],
    ["setRefreshInFlight", "beginRefresh"]
  ] as const) {
    it.scoped(`counts from before ${permission} was asked for`, () =>
      Effect.gen(function* () {
        const { a } = yield* two
        a.faults.next(step, Duration.seconds(4))
        const { obtain, runs } = yield* makeObtain(sessionOf("new"), { beforeGate: (lease) => lease[permission] })
        const fiber = yield* Effect.fork(renew(a.store, adoptAny, obtain))
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.join(fiber)
        assert.strictEqual(runs(), 2)
      })
    )
  }
})

describe("the remaining lifetime in the store", () => {
  it.scoped("does not include the time that the commit took", () =>
    Effect.gen(function* () {
      const { a } = yield* two
      a.faults.next("commit", Duration.seconds(3))
      const fiber = yield* Effect.fork(put(a.store, sessionOf("new")))
      yield* TestClock.adjust("3 seconds")
      const { remaining } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(remaining, Duration.subtract(LIFETIME, "3 seconds"))
    })
  )

  it.scoped("does not include the time that a revocation took", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* put(a.store, sessionOf("held"))
      yield* Effect.fork(a.store.logout(() => Effect.delay(Effect.fail(down), "20 seconds")))
      yield* TestClock.adjust("20 seconds")
      const { current, revoke } = yield* makeRevoke()
      yield* b.store.logout(revoke)
      const kept = Option.getOrThrow(current())
      assert.deepStrictEqual(kept.remaining, Duration.subtract(LIFETIME, "20 seconds"))
    })
  )
})

describe("a new session that the store does not take", () => {
  it.scoped("is logged as a warning with the reason", () =>
    Effect.gen(function* () {
      const { a } = yield* two
      const warnings: Array<unknown> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ logLevel, message }) => {
          if (logLevel === LogLevel.Warning) warnings.push(message)
        })
      )
      a.faults.next("commit", "request lost")
      const { obtain } = yield* makeObtain(sessionOf("granted"))
      const stored = yield* renew(a.store, adoptAny, obtain).pipe(Effect.provide(logger))
      assert.isFalse(stored.saved)
      assert.lengthOf(warnings, 1)
      assert.include(String(warnings[0]), outOfReach.message)
    })
  )
})

describe("an interruption during a commit", () => {
  const interruptDuringCommit = <A, E>(faults: StoreFaults, run: Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      const [arrived, gate] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      faults.next("commit", { arrived, gate })
      const fiber = yield* Effect.fork(run)
      yield* Deferred.await(arrived)
      const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(interruption)
    })

  it.scoped("does not lose a granted session", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* interruptDuringCommit(a.faults, put(a.store, sessionOf("granted")))
      yield* holds(b.store, sessionOf("granted"))
    })
  )

  it.scoped("does not lose the tombstone of a successful revocation", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* put(b.store, sessionOf("held"))
      const { current, revoke } = yield* makeRevoke()
      yield* interruptDuringCommit(a.faults, a.store.logout(revoke))
      yield* holdsNothing(b.store)
      yield* b.store.logout(revoke)
      assert.isTrue(Option.isNone(current()))
    })
  )
})

describe("a lost answer or request", () => {
  it.scoped("leaves no lease with an attempt that does not know of it", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      a.faults.next("acquire", "answer lost")
      assert.deepStrictEqual(yield* Effect.flip(put(a.store, sessionOf("never"))), outOfReach)
      yield* put(b.store, sessionOf("next"))
      yield* holds(a.store, sessionOf("next"))
    })
  )

  it.scoped("frees no lease of another owner", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      const slow = yield* makeObtain(sessionOf("slow"), { gated: true, afterGate: (lease) => lease.extend })
      const fiber = yield* Effect.fork(renew(b.store, adoptAny, slow.obtain))
      yield* slow.arrived
      a.faults.next("acquire", "answer lost")
      yield* Effect.flip(put(a.store, sessionOf("never")))
      yield* slow.open
      assert.isTrue((yield* Fiber.join(fiber)).saved)
    })
  )

  it.scoped("keeps others waiting for one lease at most if a release is lost", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      a.faults.next("release", "request lost")
      yield* put(a.store, sessionOf("first"))
      const next = yield* makeObtain(sessionOf("next"))
      const fiber = yield* Effect.fork(renew(b.store, adoptNone, next.obtain))
      yield* TestClock.adjust("12 seconds")
      assert.strictEqual(next.runs(), 0)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(next.runs(), 1)
    })
  )

  it.scoped("lets a waiter adopt although the lease is not free", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      a.faults.next("release", "request lost")
      const slow = yield* makeObtain(sessionOf("slow"), { gated: true })
      yield* Effect.fork(renew(a.store, adoptAny, slow.obtain))
      yield* slow.arrived
      const fiber = yield* Effect.fork(renew(b.store, adoptAny, slow.obtain))
      yield* TestClock.adjust("100 millis")
      yield* slow.open
      yield* TestClock.adjust("1 second")
      const stored = Option.getOrThrow(yield* Fiber.poll(fiber))
      assert.deepStrictEqual(
        Exit.map(stored, (_) => _.session),
        Exit.succeed(sessionOf("slow"))
      )
    })
  )

  it.scoped("keeps others waiting for 250 ms at most if an announcement is lost", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      const slow = yield* makeObtain(sessionOf("slow"), { gated: true })
      yield* Effect.fork(renew(a.store, adoptAny, slow.obtain))
      yield* slow.arrived
      const fiber = yield* Effect.fork(renew(b.store, adoptAny, slow.obtain))
      yield* TestClock.adjust("100 millis")
      b.faults.setDisconnected(true)
      yield* slow.open
      yield* Effect.yieldNow()
      yield* holds(a.store, sessionOf("slow"))
      b.faults.setDisconnected(false)
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* TestClock.adjust("250 millis")
      yield* Fiber.join(fiber)
      assert.strictEqual(slow.runs(), 1)
    })
  )

  it.scoped("makes save try again if its lease ran out before its write", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      a.faults.every("extend", "request lost")
      a.faults.next("commit", Duration.seconds(20))
      const fiber = yield* Effect.fork(a.store.save(unsaved(sessionOf("granted"), 0)))
      yield* TestClock.adjust("20 seconds")
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* TestClock.adjust("1 second")
      const saved = Option.getOrThrow(yield* Fiber.join(fiber))
      const { remaining, version } = yield* holds(b.store, sessionOf("granted"))
      assert.strictEqual(saved.version, version)
      assert.isTrue(Duration.lessThanOrEqualTo(remaining, Duration.subtract(LIFETIME, "20 seconds")))
    })
  )

  it.scoped("lets a holder that lost its lease try again four times a second at most", () =>
    Effect.gen(function* () {
      const { a } = yield* two
      a.faults.every("extend", "request lost")
      const { obtain, runs } = yield* makeObtain(sessionOf("new"), { beforeGate: (lease) => lease.extend })
      const fiber = yield* Effect.fork(renew(a.store, adoptAny, obtain))
      yield* TestClock.adjust("10 seconds")
      assert.isAtMost(runs(), 41)
      a.faults.every("extend", undefined)
      yield* TestClock.adjust("1 second")
      assert.isTrue((yield* Fiber.join(fiber)).saved)
    })
  )
})

describe("the heartbeat of a shared store", () => {
  const listen = (store: SessionStore) =>
    Effect.gen(function* () {
      const heard: Array<number> = []
      yield* Effect.forkScoped(
        Stream.runForEach(yield* store.changes, (version) => Effect.sync(() => heard.push(version)))
      )
      yield* Effect.yieldNow()
      return heard
    })

  it.scoped("emits within 30 seconds that the store went back, although nothing was announced", () =>
    Effect.gen(function* () {
      const key = yield* freshKey()
      let isBack = false
      const open = SessionStoreModule.fromDriver((key, leaseTime) =>
        Effect.map(TokenStoreMemory.connect(key, leaseTime), (driver) => ({
          ...driver,
          read: Effect.map(driver.read, (reading) => (isBack ? { ...reading, entry: Option.none() } : reading))
        }))
      ).open(key, requestTimeout)
      const store = yield* open
      const heard = yield* listen(store)
      const { version } = yield* put(store, sessionOf("held"))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(heard, [version, version])
      isBack = true
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(heard.slice(2), [0])
    })
  )

  it.scoped("emits a version whose announcement was lost", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      const heard = yield* listen(b.store)
      b.faults.setDisconnected(true)
      const { version } = yield* put(a.store, sessionOf("held"))
      yield* TestClock.adjust("1 second")
      b.faults.setDisconnected(false)
      assert.deepStrictEqual(heard, [])
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(heard, [version])
    })
  )

  it.scoped("reads only while it has a subscriber, and never in a store of one process", () =>
    Effect.gen(function* () {
      const { a } = yield* two
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(a.faults.count("read"), 0)
      yield* Effect.scoped(Effect.zipRight(listen(a.store), TestClock.adjust("1 minute")))
      assert.strictEqual(a.faults.count("read"), 2)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(a.faults.count("read"), 2)

      const faults = makeFaults(TokenStoreMemory.connect)
      const local = SessionStoreModule.fromDriver(faults.connect, { isShared: false })
      yield* listen(yield* local.open(yield* freshKey(), requestTimeout))
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(faults.count("read"), 0)
    })
  )
})

describe("a local clock that is set back", () => {
  it.scoped("gives a session no more time while its commit is under way", () =>
    Effect.gen(function* () {
      const hand = makeHandClock(1_000_000)
      let monotonic = 0n
      const clock = { ...hand.clock, unsafeCurrentTimeNanos: () => monotonic }
      const [arrived, gate] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      const { faults, store } = yield* Effect.withClock(behindFaults(yield* freshKey()), clock)
      faults.next("commit", { arrived, gate })
      const fiber = yield* Effect.fork(Effect.withClock(put(store, sessionOf("new")), clock))
      yield* Deferred.await(arrived)
      hand.now -= 60_000
      monotonic += 5_000_000_000n
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual((yield* Fiber.join(fiber)).remaining, Duration.subtract(LIFETIME, "5 seconds"))
    })
  )
})

describe("renew", () => {
  it.scoped("does not offer a session whose refresh is in flight while another process holds the lease", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* put(a.store, sessionOf("old"))
      const slow = yield* makeObtain(sessionOf("new"), { gated: true, beforeGate: (lease) => lease.beginRefresh })
      const first = yield* Effect.fork(renew(a.store, adoptNone, slow.obtain))
      yield* slow.arrived
      const state = yield* b.store.readVersioned
      assert.isTrue(state.isLeased)
      assert.isTrue(Option.getOrThrow(state.stored).refreshInFlight)
      const offered: Array<Stored> = []
      const adopt = (stored: Stored): boolean => {
        offered.push(stored)
        return true
      }
      const second = yield* Effect.fork(renew(b.store, adopt, slow.obtain))
      yield* TestClock.adjust("1 second")
      assert.lengthOf(offered, 0)
      yield* slow.open
      yield* Fiber.join(first)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* Fiber.join(second)).session, sessionOf("new"))
    })
  )

  it.scoped("shows obtain a session whose refresh a crashed holder left in flight", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      yield* put(a.store, sessionOf("old"))
      const crashed = yield* makeObtain(sessionOf("never"), { gated: true, beforeGate: (lease) => lease.beginRefresh })
      yield* Effect.fork(renew(a.store, adoptNone, crashed.obtain))
      yield* crashed.arrived
      a.faults.every("extend", "request lost")
      yield* TestClock.adjust("20 seconds")
      const next = yield* makeObtain(sessionOf("next"))
      yield* renew(b.store, (_) => !_.refreshInFlight, next.obtain)
      assert.isTrue(Option.getOrThrow(next.current()).refreshInFlight)
    })
  )

  it.scoped("ends an abandoned renewal that waits, and lets no abandoned renewal extend its lease", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      let isAbandoned = false
      const slow = yield* makeObtain(sessionOf("slow"), { gated: true, afterGate: (lease) => lease.extend })
      const holder = yield* Effect.fork(renew(a.store, adoptAny, slow.obtain, { isAbandoned: () => isAbandoned }))
      yield* slow.arrived
      const waiter = yield* Effect.fork(renew(b.store, adoptAny, slow.obtain, { isAbandoned: () => isAbandoned }))
      yield* TestClock.adjust("1 second")
      isAbandoned = true
      yield* TestClock.adjust("1 second")
      assert.isTrue(Option.exists(yield* Fiber.poll(waiter), Exit.isInterrupted))
      const extended = a.faults.count("extend")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(a.faults.count("extend"), extended)
      yield* slow.open
      yield* TestClock.adjust("1 second")
      assert.isTrue(Option.exists(yield* Fiber.poll(holder), Exit.isInterrupted))
    })
  )

  it.scoped("writes a version above the highest seen and not below the store's time", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000_000)
      const { a } = yield* two
      const versions = [yield* put(a.store, sessionOf("a")), yield* put(a.store, sessionOf("b"))]
      yield* TestClock.adjust("1 minute")
      versions.push(yield* put(a.store, sessionOf("c")))
      assert.deepStrictEqual(
        versions.map((_) => _.version),
        [1_000_000, 1_000_001, 1_060_000]
      )
    })
  )
})

it.scoped("a session that is restored carries no refresh token that may be spent", () =>
  Effect.gen(function* () {
    const key = yield* freshKey()
    let isBack = false
    let first = 0
    const reading = <A extends Reading>(step: Effect.Effect<A, Unavailable>) =>
      Effect.map(step, (reading) => (isBack ? { ...reading, entry: Option.none() } : reading))
    const store = yield* SessionStoreModule.fromDriver((key, leaseTime) =>
      Effect.map(TokenStoreMemory.connect(key, leaseTime), (driver) => ({
        ...driver,
        read: reading(driver.read),
        acquire: (owner, options) => reading(driver.acquire(owner, options)),
        commit: (owner, expected, write) => driver.commit(owner, isBack ? first : expected, write)
      }))
    ).open(key, requestTimeout)
    const live = yield* put(store, sessionOf("live"))
    first = live.version
    isBack = true
    const restored = Option.getOrThrow(yield* store.restore(Option.some({ ...live, refreshInFlight: true })))
    assert.deepStrictEqual(restored.session.accessToken, live.session.accessToken)
    assert.isTrue(Option.isNone(restored.session.refreshToken))
  })
)
