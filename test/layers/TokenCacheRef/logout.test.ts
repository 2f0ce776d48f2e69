import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Exit, Fiber, FiberRef, Logger, LogLevel, Scope, Stream, TestClock } from "effect"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import { InvalidRequest, UnexpectedResponse } from "../../../src/schemas/AuthError.js"
import type { TokenStoreService } from "../../../src/services/TokenStore.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { during, ended, settle } from "../../support/time.js"
import { down, getText, makeCache, makeConfig, makeUpstream, timedOut } from "../../support/upstream.js"

/** A store whose answer to a renewal is on its way while others go on, and whose announcements are lost. */
const slowToAnswer = (arrived: Deferred.Deferred<void>, gate: Deferred.Deferred<void>): TokenStoreService => ({
  isShared: false,
  open: (key, requestTimeout) =>
    Effect.map(TokenStoreMemory.make.open(key, requestTimeout), (store) => ({
      ...store,
      changes: Effect.succeed(Stream.never),
      renew: (options) =>
        Effect.tap(store.renew(options), () =>
          Effect.zipRight(Deferred.succeed(arrived, undefined), Deferred.await(gate))
        )
    }))
})

const causes = /accountId header is missing.*account id is wrong.*token was expired or revoked already/

describe("TokenCache.logout", () => {
  it.scoped("ends the session at Nomba, and a later get starts another", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* cache.logout
      assert.isUndefined(upstream.liveToken())
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "revoke", "issue"])
    })
  )

  it.scoped("leaves the caller's scope and log level as they are", () =>
    Effect.gen(function* () {
      const cache = yield* makeCache({ upstream: makeUpstream() })
      yield* cache.get
      yield* Effect.gen(function* () {
        const scope = yield* Effect.scope
        yield* cache.logout
        assert.strictEqual(yield* Effect.scope, scope)
        assert.strictEqual(yield* FiberRef.get(FiberRef.currentMinimumLogLevel), LogLevel.None)
      }).pipe(Effect.scoped, Logger.withMinimumLogLevel(LogLevel.None))
    })
  )

  it.scoped("succeeds and sends nothing without a session", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.logout
      yield* cache.logout
      assert.strictEqual(upstream.count(), 0)
    })
  )

  for (const answer of [
    down,
    new InvalidRequest({ operation: "revoke", status: 400 }),
    new UnexpectedResponse({ operation: "revoke", reason: "NotJson" })
  ]) {
    it.scoped(`fails with an unproven revocation (${answer._tag}), and no cache adopts the session`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const [one, other] = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
        assert.strictEqual(yield* getText(one), yield* getText(other))
        upstream.script({ operation: "revoke", failUnprocessed: answer })
        const error = yield* Effect.flip(one.logout)
        assert.strictEqual(error._tag, answer._tag)
        assert.match(error.message, causes)
        assert.strictEqual(upstream.liveToken(), "access-1")
        yield* settle

        const cold = yield* makeCache({ upstream, config })
        assert.deepStrictEqual(
          [yield* getText(cold), yield* getText(one), yield* getText(other)],
          ["access-2", "access-2", "access-2"]
        )
        assert.deepStrictEqual(upstream.operations(), ["issue", "revoke", "issue"])
      })
    )
  }

  it.scoped("takes a 401 on an unexpired token for no proof, and tries again the next time", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      upstream.script({ operation: "revoke", failUnprocessed: timedOut })
      yield* Effect.flip(cache.logout)
      assert.strictEqual(upstream.liveToken(), "access-1")
      yield* cache.logout
      assert.isUndefined(upstream.liveToken())
      assert.deepStrictEqual(
        upstream.calls.slice(1).map(({ operation, token }) => [operation, token]),
        [
          ["revoke", "access-1"],
          ["revoke", "access-1"]
        ]
      )
      yield* cache.logout
      assert.strictEqual(upstream.count("revoke"), 2)

      yield* cache.get
      yield* upstream.startSession
      const error = yield* Effect.flip(cache.logout)
      assert.strictEqual(error._tag, "Expired")
      assert.match(error.message, causes)
    })
  )

  it.scoped("takes a 401 on an expired token for proof", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* upstream.startSession
      yield* TestClock.adjust("30 minutes")
      yield* cache.logout
      assert.strictEqual(upstream.count("revoke"), 1)
    })
  )

  it.scoped("writes the tombstone although the revocation had a defect", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const cache = yield* makeCache({
        config,
        upstream: { auth: { ...upstream.auth, revoke: () => Effect.die("a bug") } }
      })
      yield* cache.get
      assert.isTrue(Exit.isFailure(yield* Effect.exit(cache.logout)))
      const cold = yield* makeCache({ upstream, config })
      assert.strictEqual(yield* getText(cold), "access-2")
    })
  )

  it.scoped("fails within 30 s and writes the tombstone if the revocation hangs", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const cache = yield* makeCache({ upstream: { auth: { ...upstream.auth, revoke: () => Effect.never } }, config })
      yield* cache.get
      const error = yield* Effect.flip(cache.logout).pipe(during("30 seconds"))
      assert.match(error.message, causes)
      const cold = yield* makeCache({ upstream, config })
      assert.strictEqual(yield* getText(cold), "access-2")
    })
  )

  it.scoped("changes nothing while the store is down, and says so", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* cache.get
      faulty.before = () => storeDown
      const error = yield* Effect.flip(cache.logout)
      assert.strictEqual(error._tag === "Unavailable" && error.reason, "Store")
      assert.include(error.message, "Nothing was changed")
      assert.strictEqual(yield* getText(cache), "access-1")

      faulty.before = () => Effect.never
      const late = yield* Effect.flip(cache.logout).pipe(during("30 seconds"))
      assert.include(late.message, "Nothing was changed")
      assert.strictEqual(yield* getText(cache), "access-1")
      assert.strictEqual(upstream.liveToken(), "access-1")

      faulty.before = () => Effect.void
      yield* cache.logout
      assert.isUndefined(upstream.liveToken())
    })
  )

  it.scoped("says that the outcome is unknown if the store does not take the tombstone", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* cache.get
      faulty.before = at("commit")(storeDown)
      const error = yield* Effect.flip(cache.logout)
      assert.include(error.message, "The session may or may not have ended")
      faulty.before = () => Effect.void
      assert.strictEqual(yield* getText(cache), "access-2")
    })
  )

  it.scoped("revokes an unsaved session", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* cache.invalidate(yield* cache.get)
      faulty.before = at("commit")(storeDown)
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.isFalse((yield* cache.session).saved)
      faulty.before = () => Effect.void
      yield* cache.logout
      assert.isUndefined(upstream.liveToken())
      assert.deepStrictEqual(
        upstream.calls.filter(({ operation }) => operation === "revoke").map(({ token }) => token),
        ["access-2"]
      )
    })
  )

  it.scoped("tries again to revoke an unsaved session whose revocation failed", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      faulty.before = at("commit")(storeDown)
      yield* cache.get
      faulty.before = () => Effect.void
      upstream.script({ operation: "revoke", failUnprocessed: down })
      assert.match((yield* Effect.flip(cache.logout)).message, causes)
      assert.strictEqual(upstream.liveToken(), "access-1")
      yield* cache.logout
      assert.isUndefined(upstream.liveToken())
    })
  )

  it.scoped("does not try again to revoke a session that a newer one has replaced", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      faulty.before = at("commit")(storeDown)
      yield* cache.get
      faulty.before = () => Effect.void
      upstream.script({ operation: "revoke", failUnprocessed: down })
      yield* Effect.flip(cache.logout)
      assert.strictEqual(yield* getText(cache), "access-2")
      yield* cache.logout
      assert.isUndefined(upstream.liveToken())
      assert.deepStrictEqual(upstream.operations(), ["issue", "revoke", "issue", "revoke"])
    })
  )

  it.scoped("revokes the session of a renewal that could not be saved while the logout waited for the lease", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* cache.invalidate(yield* cache.get)
      const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      upstream.script({ operation: "issue", arrived, gate })
      const get = yield* Effect.fork(cache.get)
      yield* Deferred.await(arrived)
      const logout = yield* Effect.fork(cache.logout)
      yield* settle
      let commits = 0
      faulty.before = at("commit")(Effect.suspend(() => (++commits === 1 ? storeDown : Effect.void)))
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("30 seconds")
      // It knows only of the first session, whose end Nomba cannot confirm any more.
      yield* Fiber.await(logout)
      yield* Fiber.interrupt(get)
      assert.strictEqual(upstream.calls.filter(({ token }) => token === "access-2").length, 1)
      assert.notStrictEqual(upstream.liveToken(), "access-2")
    })
  )

  it.scoped("ends the session of another cache's renewal in flight", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const [one, other] = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
      yield* one.get
      yield* other.invalidate(yield* other.get)
      const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      upstream.script({ operation: "issue", arrived, gate })
      const get = yield* Effect.fork(getText(other))
      yield* Deferred.await(arrived)
      const logout = yield* Effect.fork(one.logout)
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(logout)
      const got = yield* Fiber.join(get)
      const alive = upstream.liveToken()
      assert.include(["access-2", "access-3"], got)
      assert.include([undefined, "access-3"], alive)
      assert.deepStrictEqual(new Set([yield* getText(one), yield* getText(other)]), new Set(["access-3"]))
      assert.strictEqual(upstream.liveToken(), "access-3")
    })
  )

  it.scoped("is not followed by a session of a background renewal that waited for the lease", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const [one, other] = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
      yield* one.get
      yield* other.get
      yield* TestClock.adjust("25 minutes")
      const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      upstream.script({ operation: "revoke", arrived, gate })
      const logout = yield* Effect.fork(one.logout)
      yield* Deferred.await(arrived)
      assert.strictEqual(yield* getText(other), "access-1")
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(logout)
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(upstream.liveToken())
      assert.deepStrictEqual(upstream.operations(), ["issue", "revoke"])
      assert.strictEqual(yield* getText(other), "access-2")
      assert.strictEqual(yield* getText(one), "access-2")
    })
  )

  it.scoped("lets a get that waited for the lease start a new session", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      upstream.script({ operation: "revoke", arrived, gate })
      const logout = yield* Effect.fork(cache.logout)
      yield* Deferred.await(arrived)
      const get = yield* Effect.fork(getText(cache))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(logout)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(get), "access-2")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(upstream.count("issue"), 2)
    })
  )

  it.scoped("ends the session in other caches, which publish LoggedOut", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const [one, other] = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
      yield* one.get
      yield* other.get
      const seen = yield* Effect.fork(Stream.runCollect(Stream.take(other.changes, 2)))
      yield* settle
      yield* one.logout
      yield* settle
      const events = Chunk.toReadonlyArray(yield* Fiber.join(seen))
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["Current", "LoggedOut"]
      )
      assert.strictEqual(yield* getText(other), "access-2")
      assert.strictEqual(yield* getText(one), "access-2")
      assert.strictEqual(upstream.count("issue"), 2)
    })
  )

  it.scoped("ends the session in a cache that hears no announcements at its next 401", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const deaf = makeFaultyStore()
      deaf.hasAnnouncements = false
      const [one, other] = [
        yield* makeCache({ upstream, config }),
        yield* makeCache({ upstream, config, store: deaf.store })
      ]
      yield* one.get
      const dead = yield* other.get
      yield* one.logout
      assert.strictEqual(yield* getText(other), "access-1")
      yield* other.invalidate(dead)
      assert.strictEqual(yield* getText(other), "access-2")
      assert.strictEqual(yield* getText(one), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "revoke", "issue"])
    })
  )

  it.scoped("goes on if its caller is interrupted, and the closing layer waits for it", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const scope = yield* Scope.make()
      const cache = yield* Scope.extend(makeCache({ upstream, config }), scope)
      yield* cache.get
      const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      upstream.script({ operation: "revoke", arrived, gate })
      const caller = yield* Effect.fork(cache.logout)
      yield* Deferred.await(arrived)
      yield* Fiber.interrupt(caller)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* settle
      assert.isUndefined(yield* ended(closing))
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      yield* Fiber.join(closing)
      assert.isUndefined(upstream.liveToken())
      assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-2")
    })
  )

  it.scoped("revokes once if several are called at once", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const [one, other] = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
      yield* one.get
      yield* other.get
      upstream.always = { latency: "1 second" }
      yield* Effect.all([one.logout, other.logout, one.logout], { concurrency: "unbounded" }).pipe(during("5 seconds"))
      assert.strictEqual(upstream.count("revoke"), 1)
      assert.isUndefined(upstream.liveToken())
    })
  )

  it.scoped("is not undone by a renewal that was stored before it and answered after it", () =>
    Effect.gen(function* () {
      const arrived = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream, store: slowToAnswer(arrived, gate) })
      const caller = yield* Effect.fork(getText(cache))
      yield* Deferred.await(arrived)
      yield* cache.logout
      assert.isUndefined(upstream.liveToken())
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(caller), upstream.liveToken())
    })
  )
})
