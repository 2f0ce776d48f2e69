import { assert, describe, it } from "@effect/vitest"
import { assertNone, assertSome } from "@effect/vitest/utils"
import { Chunk, Deferred, Effect, Exit, Fiber, Option, Scope, Stream, TestClock } from "effect"
import { InvalidRequest, UnexpectedResponse } from "../../../src/schemas/AuthError.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { during, ended, settle } from "../../support/time.js"
import { down, getText, makeCache, makeConfig, makeUpstream, text, timedOut } from "../../support/upstream.js"

const causes = /accountId header is absent.*account id is wrong.*token was dead/

describe("a logout is broken if", () => {
  it.scoped("the session is alive at Nomba afterwards, or a later get cannot start another", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* cache.logout
      assert.isUndefined(upstream.alive())
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "revoke", "issue"])
    })
  )

  it.scoped("there is nothing to end and it fails, or calls Nomba", () =>
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
    it.scoped(
      `an unproved revocation (${answer._tag}) is passed off as an end, or leaves the session to be adopted`,
      () =>
        Effect.gen(function* () {
          const upstream = makeUpstream()
          const config = makeConfig()
          const [one, other] = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
          assert.strictEqual(yield* getText(one), yield* getText(other))
          upstream.script({ operation: "revoke", refuse: answer })
          const error = yield* Effect.flip(one.logout)
          assert.strictEqual(error._tag, answer._tag)
          assert.match(error.message, causes)
          assert.strictEqual(upstream.alive(), "access-1")
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

  it.scoped("a 401 on a token that had not expired is taken for proof, or another logout does not try again", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      upstream.script({ operation: "revoke", refuse: timedOut })
      yield* Effect.flip(cache.logout)
      assert.strictEqual(upstream.alive(), "access-1")
      yield* cache.logout
      assert.isUndefined(upstream.alive())
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
      yield* upstream.steal
      const error = yield* Effect.flip(cache.logout)
      assert.strictEqual(error._tag, "Expired")
      assert.match(error.message, causes)
    })
  )

  it.scoped("a 401 on a token that has expired is not taken for proof", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* upstream.steal
      yield* TestClock.adjust("30 minutes")
      yield* cache.logout
      assert.strictEqual(upstream.count("revoke"), 1)
    })
  )

  it.scoped("a defect in the revocation leaves the session to be adopted", () =>
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

  it.scoped("a revocation without an end keeps its caller for more than 30 s, or leaves no tombstone", () =>
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

  it.scoped("the store is down and something changes, or the error does not say that nothing did", () =>
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
      assert.strictEqual(upstream.alive(), "access-1")

      faulty.before = () => Effect.void
      yield* cache.logout
      assert.isUndefined(upstream.alive())
    })
  )

  it.scoped("the store takes no tombstone and the error pretends to know the outcome", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* cache.get
      faulty.before = at("commit")(storeDown)
      const error = yield* Effect.flip(cache.logout)
      assert.include(error.message, "not known whether the session has ended")
      faulty.before = () => Effect.void
      assert.strictEqual(yield* getText(cache), "access-2")
    })
  )

  it.scoped("the session that the store could not take stays alive", () =>
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
      assert.isUndefined(upstream.alive())
      assert.deepStrictEqual(
        upstream.calls.filter(({ operation }) => operation === "revoke").map(({ token }) => token),
        ["access-2"]
      )
    })
  )

  it.scoped("the session that the store could not take is forgotten when its revocation failed", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      faulty.before = at("commit")(storeDown)
      yield* cache.get
      faulty.before = () => Effect.void
      upstream.script({ operation: "revoke", refuse: down })
      assert.match((yield* Effect.flip(cache.logout)).message, causes)
      assert.strictEqual(upstream.alive(), "access-1")
      yield* cache.logout
      assert.isUndefined(upstream.alive())
    })
  )

  it.scoped("what an earlier one could not prove spoils it, although a newer session has come since", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      faulty.before = at("commit")(storeDown)
      yield* cache.get
      faulty.before = () => Effect.void
      upstream.script({ operation: "revoke", refuse: down })
      yield* Effect.flip(cache.logout)
      assert.strictEqual(yield* getText(cache), "access-2")
      yield* cache.logout
      assert.isUndefined(upstream.alive())
      assert.deepStrictEqual(upstream.operations(), ["issue", "revoke", "issue", "revoke"])
    })
  )

  it.scoped("a renewal that ends unsaved while it waits for the right survives it", () =>
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
      yield* Fiber.join(logout)
      yield* Fiber.interrupt(get)
      assert.strictEqual(upstream.calls.filter(({ token }) => token === "access-2").length, 1)
      assert.notStrictEqual(upstream.alive(), "access-2")
    })
  )

  it.scoped("another cache's renewal under way keeps a session alive that nobody knows of", () =>
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
      const alive = upstream.alive()
      assert.include(["access-2", "access-3"], got)
      assert.include([undefined, "access-3"], alive)
      assert.deepStrictEqual(new Set([yield* getText(one), yield* getText(other)]), new Set(["access-3"]))
      assert.strictEqual(upstream.alive(), "access-3")
    })
  )

  it.scoped("a renewal in the background that waited for the right starts a session nobody asked for", () =>
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
      assert.isUndefined(upstream.alive())
      assert.deepStrictEqual(upstream.operations(), ["issue", "revoke"])
      assert.strictEqual(yield* getText(other), "access-2")
      assert.strictEqual(yield* getText(one), "access-2")
    })
  )

  it.scoped("a get that waited for the right is left without a session", () =>
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

  it.scoped("other caches keep the session after its announcement", () =>
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
      const [before, after] = Chunk.toReadonlyArray(yield* Fiber.join(seen))
      assertSome(
        Option.map(before ?? Option.none(), ({ accessToken }) => text(accessToken)),
        "access-1"
      )
      assertNone(after ?? Option.none())
      assert.strictEqual(yield* getText(other), "access-2")
      assert.strictEqual(yield* getText(one), "access-2")
      assert.strictEqual(upstream.count("issue"), 2)
    })
  )

  it.scoped("a cache that heard of nothing cannot go on, or starts more than one session", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const deaf = makeFaultyStore()
      deaf.hears = false
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

  it.scoped("it ends with the caller who asked for it, or closing the cache does not wait for it", () =>
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
      assert.isUndefined(upstream.alive())
      assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-2")
    })
  )

  it.scoped("two at once revoke twice", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const [one, other] = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
      yield* one.get
      yield* other.get
      upstream.always = { latency: "1 second" }
      yield* Effect.all([one.logout, other.logout, one.logout], { concurrency: "unbounded" }).pipe(during("5 seconds"))
      assert.strictEqual(upstream.count("revoke"), 1)
      assert.isUndefined(upstream.alive())
    })
  )
})
