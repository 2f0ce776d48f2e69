import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Duration, Effect, Exit, Fiber, Option, Scope, Stream, TestClock } from "effect"
import * as StoreKey from "../../../src/schemas/StoreKey.js"
import { SessionEvent } from "../../../src/services/TokenCache.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { ifFree, nothingLeft, ownerOf } from "../../support/storeFaults.js"
import { during, ended, settle } from "../../support/time.js"
import {
  down,
  getText,
  makeConfig,
  makePublicCache,
  makeUpstream,
  text,
  timedOut,
  unreachable,
  wrongSecret
} from "../../support/upstream.js"

describe("PublicLogin.login", () => {
  it.scoped("is needed first: get fails with Expired and sends nothing", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const { cache } = yield* makePublicCache({ upstream })
      const error = yield* Effect.flip(cache.get)
      assert.strictEqual(error._tag, "Expired")
      assert.include(error.message, "There is no session: the user has to log in.")
      assert.deepStrictEqual(upstream.operations(), [])
    })
  )

  it.scoped("gives the next get its session, although get failed just before", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const { cache, login } = yield* makePublicCache({ upstream })
      for (let tries = 0; tries < 5; tries++) yield* Effect.flip(cache.get)
      yield* login(yield* upstream.startSession)
      assert.strictEqual(yield* getText(cache), "access-1")
      const { origin, remaining, saved } = yield* cache.session
      assert.deepStrictEqual({ origin, saved }, { origin: "nomba", saved: true })
      assert.strictEqual(Duration.toMinutes(remaining), 30)
      assert.deepStrictEqual(upstream.operations(), [])
    })
  )

  it.scoped("does not replace the session of a later login when it had to wait for the lease", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const { cache, login } = yield* makePublicCache({ upstream, store: faulty.store })
      const gate = yield* Deferred.make<void>()
      faulty.before = at("acquire")(Deferred.await(gate))
      const first = yield* Effect.fork(login(yield* upstream.startSession))
      yield* settle
      faulty.before = at("read")(storeDown)
      yield* login(yield* upstream.startSession)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      assert.strictEqual(yield* getText(cache), "access-2")
    })
  )

  it.scoped("replaces the session in every cache", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const here = yield* makePublicCache({ upstream, config })
      const otherProcess = yield* makePublicCache({ upstream, config })
      yield* here.login(yield* upstream.startSession)
      yield* settle
      assert.strictEqual(yield* getText(otherProcess.cache), "access-1")
      yield* here.login(yield* upstream.startSession)
      yield* settle
      assert.strictEqual(yield* getText(here.cache), "access-2")
      assert.strictEqual(yield* getText(otherProcess.cache), "access-2")
      assert.deepStrictEqual(upstream.operations(), [])
    })
  )

  it.scoped("starts a session that is refreshed until Nomba rejects it and the end user has to log in again", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const { cache, login } = yield* makePublicCache({ upstream })
      yield* login(yield* upstream.startSession)
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["refresh"])

      yield* upstream.startSession
      yield* TestClock.adjust("30 minutes")
      const error = yield* Effect.flip(cache.get)
      assert.strictEqual(error._tag, "Expired")
      assert.include(error.message, "the user has to log in")
      yield* login(yield* upstream.startSession)
      assert.strictEqual(yield* getText(cache), "access-4")
    })
  )

  it.scoped(
    "does not help a client that Nomba refuses: get fails with InvalidCredentials, and backs off from 10 s",
    () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const { cache, login } = yield* makePublicCache({ upstream })
        yield* login(yield* upstream.startSession)
        yield* TestClock.adjust("1 hour")
        upstream.always = { failUnprocessed: wrongSecret }
        assert.strictEqual((yield* Effect.flip(cache.get))._tag, "InvalidCredentials")
        yield* TestClock.adjust("9 seconds")
        assert.strictEqual((yield* Effect.flip(cache.get))._tag, "InvalidCredentials")
        assert.deepStrictEqual(upstream.operations(), ["refresh"])
        upstream.always = {}
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* getText(cache), "access-2")
      })
  )

  it.scoped("is not needed because Nomba did not answer", () =>
    Effect.gen(function* () {
      for (const [failure, reason] of [
        [timedOut, "Timeout"],
        [unreachable, "Network"],
        [down, "ServerError"]
      ] as const) {
        const upstream = makeUpstream()
        const { cache, login } = yield* makePublicCache({ upstream })
        yield* login(yield* upstream.startSession)
        yield* TestClock.adjust("30 minutes")
        upstream.script({ operation: "refresh", failUnprocessed: failure })
        assert.propertyVal(yield* Effect.flip(cache.get), "reason", reason)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* getText(cache), "access-2", "the refresh token was not tried again")
      }
    })
  )

  it.scoped(
    "is not needed after a process crashed while it refreshed: the token is served, then the refresh repeated",
    () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const { login } = yield* makePublicCache({ upstream, config })
        yield* login(yield* upstream.startSession)
        const faulty = makeFaultyStore()
        const crashed = yield* faulty.otherProcess(config.storeKey)
        yield* crashed.acquire(ownerOf("crashed"), ifFree)
        assert.isTrue(yield* crashed.setRefreshInFlight(ownerOf("crashed"), true))
        yield* TestClock.adjust("26 seconds")

        const other = yield* makePublicCache({ upstream, config, store: faulty.store })
        upstream.script({ operation: "refresh", failUnprocessed: down })
        assert.strictEqual(yield* getText(other.cache), "access-1")
        const { origin, session } = yield* other.cache.session
        assert.deepStrictEqual([origin, Option.map(session.refreshToken, text)], ["store", Option.some("refresh-1")])
        assert.deepStrictEqual(upstream.operations(), ["refresh"])

        yield* TestClock.adjust("5 minutes")
        assert.strictEqual(yield* getText(other.cache), "access-1")
        assert.deepStrictEqual(upstream.operations(), ["refresh"], "the token is fresh")
        yield* other.cache.invalidate(yield* other.cache.get)
        assert.strictEqual(yield* getText(other.cache), "access-2")
        assert.deepStrictEqual(
          upstream.calls.map((call) => call.token),
          ["refresh-1", "refresh-1"]
        )
      })
  )

  it.scoped("starts a session after a logout", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const { cache, login } = yield* makePublicCache({ upstream, config })
      yield* login(yield* upstream.startSession)
      yield* cache.logout
      assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Expired")
      yield* login(yield* upstream.startSession)
      assert.strictEqual(yield* getText(cache), "access-2")

      const unproved = { operation: "revoke", failUnprocessed: down } as const
      upstream.script(unproved)
      yield* Effect.flip(cache.logout)
      yield* login(yield* upstream.startSession)
      const another = yield* makePublicCache({ upstream, config })
      assert.strictEqual(yield* getText(another.cache), "access-3")
      yield* another.cache.logout
      assert.deepStrictEqual(
        upstream.calls.map((call) => call.token),
        ["access-1", "access-2", "access-3"]
      )
    })
  )

  it.scoped("is not undone by a logout that began before it", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const { cache, login } = yield* makePublicCache({ upstream })
      yield* login(yield* upstream.startSession)
      const arrived = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      upstream.script({ operation: "revoke", arrived, gate })
      const logout = yield* Effect.fork(cache.logout)
      yield* Deferred.await(arrived)
      const second = yield* Effect.fork(login(yield* upstream.startSession))
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(logout)
      yield* Fiber.join(second)
      const { origin, session } = yield* cache.session
      assert.strictEqual(text(session.accessToken), "access-2")
      assert.strictEqual(origin, "nomba", "it was taken for what was before the logout")
    })
  )

  it.scoped("waits for a renewal in flight and replaces its session", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const here = yield* makePublicCache({ upstream, config })
      const otherProcess = yield* makePublicCache({ upstream, config })
      for (const renewing of [here, otherProcess]) {
        yield* here.login(yield* upstream.startSession)
        yield* TestClock.adjust("30 minutes")
        const arrived = yield* Deferred.make<void>()
        const gate = yield* Deferred.make<void>()
        upstream.script({ operation: "refresh", arrived, gate })
        const get = yield* Effect.fork(renewing.cache.get)
        yield* Deferred.await(arrived)
        const session = yield* upstream.startSession
        const login = yield* Effect.fork(here.login(session))
        yield* TestClock.adjust("3 seconds")
        assert.isUndefined(yield* ended(login), "the lease was not waited for")
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(login)
        yield* Fiber.join(get)
        yield* settle
        for (const { cache } of [here, otherProcess]) {
          assert.strictEqual(yield* getText(cache), text(session.accessToken))
        }
        const later = yield* makePublicCache({ upstream, config })
        assert.strictEqual(yield* getText(later.cache), text(session.accessToken))
      }
    })
  )

  for (const fails of ["nothing", "commit"] as const) {
    it.scoped(`is not undone by an earlier renewal while the store is down (${fails} fails for the renewal)`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const faulty = makeFaultyStore()
        const { cache, login } = yield* makePublicCache({ upstream, config, store: faulty.store })
        yield* login(yield* upstream.startSession)
        yield* TestClock.adjust("30 minutes")
        const arrived = yield* Deferred.make<void>()
        const gate = yield* Deferred.make<void>()
        upstream.script({ operation: "refresh", arrived, gate })
        const get = yield* Effect.fork(getText(cache))
        yield* Deferred.await(arrived)
        yield* TestClock.adjust("1 second")
        faulty.before = at("read", "acquire", ...(fails === "commit" ? (["commit"] as const) : []))(storeDown)
        yield* login(yield* upstream.startSession)
        assert.isFalse((yield* cache.session).saved)
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        assert.strictEqual(yield* Fiber.join(get), "access-3")
        faulty.before = () => Effect.void
        yield* TestClock.adjust("1 minute")
        assert.isTrue((yield* cache.session).saved)
        const otherProcess = yield* makePublicCache({ upstream, config })
        for (const one of [cache, otherProcess.cache]) assert.strictEqual(yield* getText(one), "access-3")
        assert.strictEqual(upstream.liveToken(), "access-3")
      })
    )
  }

  it.scoped("is ended by a logout after it", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const { cache, login } = yield* makePublicCache({ upstream })
      const both = yield* Effect.fork(Effect.zipRight(login(yield* upstream.startSession), cache.logout))
      yield* settle
      yield* Fiber.join(both)
      assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Expired")
      assert.isUndefined(upstream.liveToken())
    })
  )

  it.scoped("keeps the sessions of two subjects apart", () =>
    Effect.gen(function* () {
      const config = (subject: string) =>
        makeConfig({
          storeKey: StoreKey.make({
            baseUrl: "https://sandbox.nomba.com",
            clientId: "one client",
            grant: "authorization_code",
            subject
          })
        })
      const ada = makeUpstream()
      const grace = makeUpstream()
      const first = yield* makePublicCache({ upstream: ada, config: config("ada") })
      const second = yield* makePublicCache({ upstream: grace, config: config("grace") })
      yield* first.login(yield* ada.startSession)
      yield* settle
      assert.strictEqual((yield* Effect.flip(second.cache.get))._tag, "Expired")
      yield* grace.startSession
      yield* second.login(yield* grace.startSession)
      yield* settle
      assert.strictEqual(yield* getText(first.cache), "access-1")
      assert.strictEqual(yield* getText(second.cache), "access-2")
      yield* first.cache.logout
      assert.strictEqual(yield* getText(second.cache), "access-2")
    })
  )

  for (const step of ["read", "acquire", "commit"] as const) {
    it.scoped(`keeps the session and saves it later if the store is down at "${step}"`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const faulty = makeFaultyStore()
        const { cache, login } = yield* makePublicCache({ upstream, config, store: faulty.store })
        faulty.before = at(step)(storeDown)
        yield* login(yield* upstream.startSession)
        const held = yield* cache.session
        assert.strictEqual(text(held.session.accessToken), "access-1")
        assert.isFalse(held.saved)
        faulty.before = () => Effect.void
        yield* TestClock.adjust("1 minute")
        assert.isTrue((yield* cache.session).saved)
        const otherProcess = yield* makePublicCache({ upstream, config })
        assert.strictEqual(yield* getText(otherProcess.cache), "access-1")
        assert.deepStrictEqual(upstream.operations(), [])
      })
    )
  }

  it.scoped("is saved over an earlier logout of this cache although the store was down", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const { cache, login } = yield* makePublicCache({ upstream, store: faulty.store })
      yield* login(yield* upstream.startSession)
      yield* cache.logout
      yield* settle
      faulty.before = () => storeDown
      yield* login(yield* upstream.startSession)
      faulty.before = () => Effect.void
      yield* TestClock.adjust("1 minute")
      assert.isTrue((yield* cache.session).saved)
      assert.strictEqual(upstream.liveToken(), "access-2")
    })
  )

  it.scoped("is saved over an earlier logout of another cache although the store never answered", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const otherProcess = yield* makePublicCache({ upstream, config })
      yield* otherProcess.login(yield* upstream.startSession)
      yield* otherProcess.cache.logout
      const faulty = makeFaultyStore()
      faulty.hasAnnouncements = false
      const { cache, login } = yield* makePublicCache({ upstream, config, store: faulty.store })
      faulty.before = at("commit")(Effect.delay(storeDown, "40 seconds"))
      yield* during("31 seconds")(login(yield* upstream.startSession))
      assert.isFalse((yield* cache.session).saved)
      yield* TestClock.adjust("10 seconds")
      faulty.before = () => Effect.void
      yield* TestClock.adjust("1 minute")
      assert.isTrue((yield* cache.session).saved)
      assert.strictEqual(upstream.liveToken(), "access-2")
    })
  )

  it.scoped("gives way to a later logout or login of another process if it was not saved", () =>
    Effect.gen(function* () {
      for (const after of ["logout", "login"] as const) {
        const upstream = makeUpstream()
        const config = makeConfig()
        const faulty = makeFaultyStore()
        faulty.hasAnnouncements = false
        const here = yield* makePublicCache({ upstream, config, store: faulty.store })
        const otherProcess = yield* makePublicCache({ upstream, config })
        yield* otherProcess.login(yield* upstream.startSession)
        assert.strictEqual(yield* getText(here.cache), "access-1")
        faulty.before = () => storeDown
        yield* here.login(yield* upstream.startSession)
        yield* TestClock.adjust("2 seconds")
        if (after === "logout") yield* Effect.exit(otherProcess.cache.logout)
        else yield* otherProcess.login(yield* upstream.startSession)
        faulty.before = () => Effect.void
        yield* TestClock.adjust("1 minute")
        if (after === "logout") {
          assert.strictEqual((yield* Effect.flip(here.cache.get))._tag, "Expired")
          assert.isUndefined(upstream.liveToken(), "the session that was dropped is alive at Nomba")
        } else assert.strictEqual(yield* getText(here.cache), "access-3")
      }
    })
  )

  it.scoped("serves the session unsaved if the lease is never free", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const { cache, login } = yield* makePublicCache({ upstream, config })
      const other = yield* makeFaultyStore().otherProcess(config.storeKey)
      yield* other.acquire(ownerOf("another"), ifFree)
      yield* other.extend(ownerOf("another")).pipe(Effect.delay("10 seconds"), Effect.forever, Effect.forkScoped)
      yield* during("31 seconds")(login(yield* upstream.startSession))
      const { remaining, saved } = yield* cache.session
      assert.isFalse(saved)
      assert.isAtMost(Duration.toSeconds(remaining), 30 * 60 - 30, "the wait was forgotten")
      yield* other.release(ownerOf("another"), nothingLeft)
      yield* TestClock.adjust("5 seconds")
      assert.isTrue((yield* cache.session).saved)
    })
  )

  it.scoped("goes on if its caller is interrupted", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const { cache, login } = yield* makePublicCache({ upstream, store: faulty.store })
      faulty.before = at("acquire")(Effect.sleep("1 second"))
      const fiber = yield* Effect.fork(login(yield* upstream.startSession))
      yield* settle
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("2 seconds")
      assert.isTrue((yield* cache.session).saved)
    })
  )

  it.scoped("is waited for when the layer closes, and fails with Closed afterwards", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      const scope = yield* Scope.make()
      const { login } = yield* Scope.extend(makePublicCache({ upstream, config, store: faulty.store }), scope)
      faulty.before = at("commit")(Effect.sleep("1 second"))
      const fiber = yield* Effect.fork(login(yield* upstream.startSession))
      yield* settle
      yield* during("2 seconds")(Scope.close(scope, Exit.void))
      yield* Fiber.join(fiber)
      const error = yield* Effect.flip(login(yield* upstream.startSession))
      assert.propertyVal(error, "reason", "Closed")
      const later = yield* makePublicCache({ upstream, config })
      assert.strictEqual(yield* getText(later.cache), "access-1")
    })
  )

  it.scoped("publishes Issued", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const { cache, login } = yield* makePublicCache({ upstream })
      const told = yield* Effect.fork(Stream.runCollect(Stream.take(cache.changes, 2)))
      yield* settle
      yield* login(yield* upstream.startSession)
      yield* settle
      const [before, after] = Chunk.toReadonlyArray(yield* Fiber.join(told))
      assert.deepStrictEqual(before, SessionEvent.Current({ session: Option.none() }))
      assert.strictEqual(after?._tag === "Issued" && text(after.session.session.accessToken), "access-1")
    })
  )
})
