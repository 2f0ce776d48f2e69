import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Scope, TestClock } from "effect"
import { AttemptGate } from "../../../src/layers/auth/HttpAttempt.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { during, settle } from "../../support/time.js"
import { down, getText, makeCache, makeConfig, makeUpstream } from "../../support/upstream.js"

/** A cache over a store that refuses to write, holding a session that is not saved. */
const unsaved = Effect.gen(function* () {
  const upstream = makeUpstream()
  const config = makeConfig()
  const faulty = makeFaultyStore()
  faulty.before = at("commit")(storeDown)
  const cache = yield* makeCache({ upstream, config, store: faulty.store })
  yield* cache.get
  return { cache, config, faulty, upstream }
})

describe("a session that the store did not take", () => {
  it.scoped("is served, and written as soon as the store can", () =>
    Effect.gen(function* () {
      const { cache, config, faulty, upstream } = yield* unsaved
      assert.strictEqual(yield* getText(cache), "access-1")
      assert.isFalse((yield* cache.session).saved)
      yield* TestClock.adjust("999 millis")
      faulty.before = () => Effect.void
      yield* TestClock.adjust("1 millis")
      assert.isTrue((yield* cache.session).saved)
      assert.strictEqual((yield* cache.session).origin, "nomba")
      assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-1")
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("is written again with a backoff of 1 to 30 s until the store takes it, and once only", () =>
    Effect.gen(function* () {
      const { cache, faulty } = yield* unsaved
      const before = faulty.count("commit")
      yield* TestClock.adjust("10 minutes")
      assert.isAtMost(faulty.count("commit") - before, 5 + 600 / 30)
      assert.isAtLeast(faulty.count("commit") - before, 600 / 30)
      faulty.before = () => Effect.void
      yield* TestClock.adjust("30 seconds")
      assert.isTrue((yield* cache.session).saved)
      const [commits, reads] = [faulty.count("commit"), faulty.count("read")]
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(faulty.count("commit"), commits)
      // The heartbeat reads the version every 30 s.
      assert.isAtMost(faulty.count("read") - reads, 20)
    })
  )

  it.scoped("is recognised in the store if only the answer to its commit was lost", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      let commits = 0
      faulty.after = at("commit")(Effect.suspend(() => (++commits === 1 ? storeDown : Effect.void)))
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      assert.strictEqual(yield* getText(cache), "access-1")
      const { origin, saved } = yield* cache.session
      assert.deepStrictEqual({ origin, saved }, { origin: "nomba", saved: true })
      assert.strictEqual(faulty.count("commit"), 1)
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("is saved before it is renewed", () =>
    Effect.gen(function* () {
      const { cache, faulty, upstream } = yield* unsaved
      yield* TestClock.adjust("25 minutes")
      assert.strictEqual(yield* getText(cache), "access-1")
      yield* settle
      assert.strictEqual(upstream.count(), 1)
      faulty.before = () => Effect.void
      yield* TestClock.adjust("4 minutes")
      yield* cache.get
      yield* settle
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh"])
    })
  )

  it.scoped("is not requested at all while the store is down", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* cache.get
      faulty.before = () => storeDown
      for (let minute = 0; minute < 29; minute++) {
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* getText(cache), "access-1")
      }
      yield* TestClock.adjust("1 minute")
      const error = yield* Effect.flip(cache.get)
      assert.strictEqual(error._tag === "Unavailable" && error.reason, "Store")
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("is not written after it was rejected", () =>
    Effect.gen(function* () {
      const { cache, faulty, upstream } = yield* unsaved
      yield* cache.invalidate(yield* cache.get)
      const before = faulty.count("commit")
      faulty.before = () => Effect.void
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(faulty.count("commit"), before)
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.isTrue((yield* cache.session).saved)
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("is not written over a session that came after it", () =>
    Effect.gen(function* () {
      const { cache, config, faulty, upstream } = yield* unsaved
      faulty.before = at("acquire")(storeDown)
      yield* TestClock.adjust("10 seconds")
      const other = yield* makeCache({ upstream, config })
      assert.strictEqual(yield* getText(other), "access-2")
      faulty.before = () => Effect.void
      yield* TestClock.adjust("30 seconds")
      const { origin, saved, session } = yield* cache.session
      assert.deepStrictEqual({ origin, saved }, { origin: "store", saved: true })
      assert.strictEqual(session.accessToken.toString(), "<redacted>")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(yield* getText(other), "access-2")
    })
  )

  it.scoped("gives way to the session that another cache announces", () =>
    Effect.gen(function* () {
      const { cache, config, faulty, upstream } = yield* unsaved
      yield* TestClock.adjust("100 millis")
      const other = yield* makeCache({ upstream, config })
      assert.strictEqual(yield* getText(other), "access-2")
      faulty.before = () => Effect.void
      yield* settle
      assert.strictEqual(yield* getText(cache), "access-2")
    })
  )

  it.scoped("is revoked and not written after a logout has overtaken it", () =>
    Effect.gen(function* () {
      const { cache, config, faulty, upstream } = yield* unsaved
      faulty.before = at("acquire")(storeDown)
      yield* (yield* makeCache({ upstream, config })).logout
      yield* settle
      assert.strictEqual(upstream.liveToken(), "access-1")
      faulty.before = () => Effect.void
      yield* TestClock.adjust("30 seconds")
      assert.isUndefined(upstream.liveToken())
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "revoke", "issue"])
    })
  )

  it.scoped("does not make callers wait for its revocation after a logout", () =>
    Effect.gen(function* () {
      const { cache, config, faulty, upstream } = yield* unsaved
      faulty.before = at("acquire")(storeDown)
      yield* (yield* makeCache({ upstream, config })).logout
      yield* settle
      faulty.before = () => Effect.void
      const gate = yield* Deferred.make<void>()
      upstream.script({ operation: "revoke", gate })
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* getText(cache), "access-2")
      yield* Deferred.succeed(gate, undefined)
    })
  )
})

describe("a holder that was stuck until its lease ran out", () => {
  /** One holds the lease, calls Nomba, and is stuck until its lease has run out. Another one renews meanwhile. */
  const stuck = (isProcessedLate: boolean) =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const wait = Effect.zipRight(Deferred.succeed(arrived, undefined), Deferred.await(gate))
      // It has checked its lease before it got stuck.
      const onItsWay = Effect.provideService(
        upstream.auth.issue,
        AttemptGate,
        Context.get(Context.empty(), AttemptGate)
      )
      const issue = isProcessedLate ? Effect.zipRight(wait, onItsWay) : Effect.zipLeft(upstream.auth.issue, wait)
      const late = yield* makeCache({
        config,
        store: faulty.store,
        upstream: { auth: { ...upstream.auth, issue } }
      })
      const other = yield* makeCache({ upstream, config })
      const get = yield* Effect.fork(getText(late))
      yield* Deferred.await(arrived)
      faulty.before = at("extend")(Effect.never)
      yield* TestClock.adjust("25 seconds")
      yield* getText(other).pipe(during("1 second"))
      return { faulty, gate, get, late, other, upstream }
    })

  it.scoped("does not replace the session that has ended its own", () =>
    Effect.gen(function* () {
      const { gate, get, late, other, upstream } = yield* stuck(false)
      assert.strictEqual(upstream.liveToken(), "access-2")
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(get), "access-2")
      assert.strictEqual(yield* getText(late), "access-2")
      assert.strictEqual(yield* getText(other), "access-2")
      assert.strictEqual((yield* late.session).origin, "store")
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("keeps its session if that has ended the other one", () =>
    Effect.gen(function* () {
      const { gate, get, late, other, upstream } = yield* stuck(true)
      assert.strictEqual(upstream.liveToken(), "access-1")
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(upstream.liveToken(), "access-2")
      assert.strictEqual(yield* Fiber.join(get), "access-2")
      assert.strictEqual(yield* getText(late), "access-2")
      assert.strictEqual(yield* getText(other), "access-2")
      assert.isTrue((yield* late.session).saved)
      assert.strictEqual(upstream.count(), 2)
    })
  )

  it.scoped("revokes its session if a logout came meanwhile", () =>
    Effect.gen(function* () {
      const { faulty, gate, get, other, upstream } = yield* stuck(true)
      faulty.before = () => Effect.void
      yield* other.logout
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 second")
      const got = yield* Fiber.join(get)
      assert.strictEqual(got, upstream.liveToken())
      assert.include(
        upstream.calls.filter(({ operation }) => operation === "revoke").map(({ token }) => token),
        "access-2"
      )
    })
  )
})

describe("closing the layer", () => {
  it.scoped("saves the session although the store is slow", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      faulty.before = at("commit")(storeDown)
      const scope = yield* Scope.make()
      const cache = yield* Scope.extend(makeCache({ upstream, config, store: faulty.store }), scope)
      yield* cache.get
      faulty.before = at("commit")(Effect.sleep("4 seconds"))
      yield* Scope.close(scope, yield* Effect.exit(Effect.void)).pipe(Effect.uninterruptible, during("4 seconds"))
      upstream.always = { failUnprocessed: down }
      assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-1")
    })
  )
})
