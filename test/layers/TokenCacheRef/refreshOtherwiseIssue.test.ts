import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Option, TestClock } from "effect"
import {
  type AuthError,
  Expired,
  InvalidCredentials,
  InvalidRequest,
  Unavailable
} from "../../../src/schemas/AuthError.js"
import { Session } from "../../../src/schemas/Session.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { ifFree, ownerOf } from "../../support/storeFaults.js"
import { during, ended, settle } from "../../support/time.js"
import {
  down,
  garbage,
  getText,
  makeCache,
  makeConfig,
  makeUpstream,
  timedOut,
  type Upstream,
  unreachable
} from "../../support/upstream.js"

/** What another process knows of the same session: nothing but what is stored. */
const otherProcess = () => makeFaultyStore().store

const sent = (upstream: Upstream): ReadonlyArray<string> =>
  upstream.calls.map(({ operation, token }) => (token === undefined ? operation : `${operation} ${token}`))

const spentTwice = (upstream: Upstream): ReadonlyArray<string> =>
  sent(upstream).filter((call, index, calls) => call.startsWith("refresh") && calls.indexOf(call) !== index)

const unprocessed: ReadonlyArray<Unavailable> = [
  unreachable,
  new Unavailable({ operation: "refresh", reason: "Network", detail: "ENOTFOUND", processed: "no" }),
  new Unavailable({ operation: "refresh", reason: "RateLimited", status: 429, processed: "no" })
]

const doubtful: ReadonlyArray<AuthError> = [
  timedOut,
  garbage,
  down,
  new Unavailable({ operation: "refresh", reason: "Network", detail: "ECONNRESET" })
]

const refused: ReadonlyArray<AuthError> = [
  new Expired({ operation: "refresh", status: 401 }),
  new InvalidCredentials({ operation: "refresh", status: 403 }),
  new InvalidRequest({ operation: "refresh", status: 400 })
]

const described = (error: AuthError): string => `${error._tag}${error._tag === "Unavailable" ? ` ${error.reason}` : ""}`

describe("a renewal", () => {
  for (const error of doubtful) {
    it.scoped(`issues after a lost refresh while the token is live (${described(error)})`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* cache.get
        yield* TestClock.adjust("25 minutes")
        upstream.script({ operation: "refresh", failProcessed: error })
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* settle
        assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1"])

        assert.strictEqual(yield* getText(cache), "access-1")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* settle
        assert.strictEqual(yield* getText(cache), "access-3")
        assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1", "issue"])
      })
    )

    it.scoped(`issues after its own lost refresh without a live token (${described(error)})`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* cache.get
        yield* TestClock.adjust("1 hour")
        upstream.script({ operation: "refresh", failProcessed: error })
        assert.strictEqual(yield* getText(cache), "access-3")
        assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1", "issue"])

        yield* TestClock.adjust("1 hour")
        upstream.script({ operation: "refresh", failProcessed: error })
        assert.strictEqual(yield* getText(cache), "access-5")
        assert.deepStrictEqual(spentTwice(upstream), [])
      })
    )
  }

  it.scoped("sends no refresh token again whose answer was lost, in any cache", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const cache = yield* makeCache({ upstream, config })
      yield* cache.get
      yield* TestClock.adjust("25 minutes")
      upstream.script({ operation: "refresh", failProcessed: timedOut })
      yield* cache.get
      yield* settle
      const cold = yield* makeCache({ upstream, config, store: otherProcess() })
      assert.strictEqual(yield* getText(cold), "access-3")
      assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1", "issue"])
    })
  )

  for (const error of unprocessed) {
    it.scoped(
      `sends the refresh token again if its request was not processed (${described(error)} ${error.detail})`,
      () =>
        Effect.gen(function* () {
          const upstream = makeUpstream()
          const config = makeConfig()
          const cache = yield* makeCache({ upstream, config })
          yield* cache.get
          yield* TestClock.adjust("25 minutes")
          upstream.script({ operation: "refresh", failUnprocessed: error })
          assert.strictEqual(yield* getText(cache), "access-1")
          yield* settle
          yield* TestClock.adjust("1 second")
          const cold = yield* makeCache({ upstream, config })
          yield* cold.get
          yield* settle
          assert.strictEqual(yield* getText(cold), "access-2")
          assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1", "refresh refresh-1"])
        })
    )
  }

  it.scoped("does not issue, without a live token, after a refresh that was not processed", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* TestClock.adjust("1 hour")
      upstream.script({ operation: "refresh", failUnprocessed: unreachable })
      assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Unavailable")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1", "refresh refresh-1"])
    })
  )

  for (const error of refused) {
    it.scoped(`issues once after a rejected refresh (${described(error)})`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const cache = yield* makeCache({ upstream })
        yield* cache.get
        yield* TestClock.adjust("25 minutes")
        upstream.script({ operation: "refresh", failUnprocessed: error }, { operation: "issue", failUnprocessed: down })
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* settle
        assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1", "issue"])
        yield* TestClock.adjust("1 second")
        yield* cache.get
        yield* settle
        assert.strictEqual(yield* getText(cache), "access-2")
        assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1", "issue", "issue"])
      })
    )
  }

  it.scoped("sends the old access token with the refresh", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const seen: Array<string | undefined> = []
      const cache = yield* makeCache({
        upstream: {
          auth: {
            ...upstream.auth,
            refresh: (options) => {
              seen.push(options.accessToken && String(options.accessToken.toString()))
              seen.push(options.accessToken === undefined ? undefined : "given")
              return upstream.auth.refresh(options)
            }
          }
        }
      })
      yield* cache.get
      yield* TestClock.adjust("1 hour")
      yield* cache.get
      assert.deepStrictEqual(seen, ["<redacted>", "given"])
    })
  )

  it.scoped("issues once for a session that was ended elsewhere", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      const rejected = yield* cache.get
      yield* upstream.startSession
      yield* cache.invalidate(rejected)
      upstream.script({ operation: "issue", failUnprocessed: down })
      assert.strictEqual((yield* Effect.flip(cache.get))._tag, "Unavailable")
      assert.strictEqual(yield* getText(cache), "access-1")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* getText(cache), "access-3")
      assert.deepStrictEqual(sent(upstream), ["issue", "issue", "issue"])
    })
  )

  it.scoped("does not refresh a session that was ended, although its token is rejected again when it is old", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      const rejected = yield* cache.get
      yield* cache.invalidate(rejected)
      upstream.script({ operation: "issue", failUnprocessed: down })
      yield* Effect.flip(cache.get)
      assert.strictEqual(yield* getText(cache), "access-1")
      yield* TestClock.adjust("1795 seconds")
      yield* cache.invalidate(rejected)
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(sent(upstream), ["issue", "issue", "issue"])
    })
  )

  it.scoped("lets no process adopt a session that was ended while another is issued", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const cache = yield* makeCache({ upstream, config })
      yield* cache.invalidate(yield* cache.get)
      const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      upstream.script({ operation: "issue", arrived, gate })
      const renewal = yield* Effect.fork(getText(cache))
      yield* Deferred.await(arrived)
      const cold = yield* Effect.fork(getText(yield* makeCache({ upstream, config, store: otherProcess() })))
      yield* settle
      assert.isUndefined(yield* ended(cold))
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([yield* Fiber.join(renewal), yield* Fiber.join(cold)], ["access-2", "access-2"])
    })
  )

  it.scoped("does not refresh an ended session although the next one could not be saved and was ended too", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, store: faulty.store })
      yield* cache.invalidate(yield* cache.get)
      faulty.before = at("commit")(storeDown)
      yield* cache.invalidate(yield* cache.get)
      faulty.before = () => Effect.void
      assert.strictEqual(yield* getText(cache), "access-3")
      assert.deepStrictEqual(sent(upstream), ["issue", "issue", "issue"])
    })
  )

  it.scoped("keeps the session if Nomba could not be reached", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const cache = yield* makeCache({ upstream, config })
      yield* cache.invalidate(yield* cache.get)
      upstream.script({ operation: "issue", failUnprocessed: unreachable })
      yield* Effect.flip(cache.get)
      assert.strictEqual(yield* getText(yield* makeCache({ upstream, config, store: otherProcess() })), "access-1")
      assert.deepStrictEqual(sent(upstream), ["issue", "issue"])
    })
  )

  it.scoped("refreshes the session that came after an ended one", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.invalidate(yield* cache.get)
      yield* cache.get
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* getText(cache), "access-3")
      assert.deepStrictEqual(sent(upstream), ["issue", "issue", "refresh refresh-2"])
    })
  )

  it.scoped("refreshes if the token was rejected at the end of its lifetime", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      const old = yield* cache.get
      yield* TestClock.adjust("1795 seconds")
      yield* cache.invalidate(old)
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1"])
    })
  )

  it.scoped("tries the refresh token of a public client whose access token was rejected", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      yield* (yield* makeCache({ upstream, config })).get
      const publicClient = yield* makeCache({ upstream, config, interactive: true })
      yield* publicClient.invalidate(yield* publicClient.get)
      assert.strictEqual(yield* getText(publicClient), "access-2")
      assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1"])
    })
  )

  it.scoped("issues if the session has no refresh token", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const bare = Effect.map(
        upstream.auth.issue,
        (session) => new Session({ ...session, refreshToken: Option.none() })
      )
      const cache = yield* makeCache({ upstream: { auth: { ...upstream.auth, issue: bare } } })
      yield* cache.get
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(sent(upstream), ["issue", "issue"])
    })
  )

  it.scoped("issues after a holder crashed during its refresh", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      yield* cache.get
      yield* TestClock.adjust("25 minutes")
      const crashed = yield* faulty.otherProcess(config.storeKey)
      yield* crashed.acquire(ownerOf("crashed"), ifFree)
      yield* crashed.setRefreshInFlight(ownerOf("crashed"), true)
      assert.strictEqual(yield* getText(cache), "access-1")
      // The lease runs out after 25 s, which leaves too little time for a call within these 30 s.
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(sent(upstream), ["issue"])
      yield* TestClock.adjust("2 seconds")
      yield* cache.get
      yield* settle
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.deepStrictEqual(sent(upstream), ["issue", "issue"])
    })
  )

  it.scoped("tries a refresh token of a public client again before the end user has to log in", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const first = yield* makeCache({ upstream, config })
      yield* first.get
      yield* TestClock.adjust("25 minutes")
      const publicClient = yield* makeCache({ upstream, config, interactive: true })
      upstream.script({ operation: "refresh", failUnprocessed: timedOut })
      assert.strictEqual(yield* getText(publicClient), "access-1")
      yield* settle
      yield* TestClock.adjust("1 second")
      yield* publicClient.get
      yield* settle
      assert.strictEqual(yield* getText(publicClient), "access-2")
      assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1", "refresh refresh-1"])
    })
  )

  for (const interactive of [true, false]) {
    const client = interactive ? "a public client" : "a client with a secret"
    const next = interactive ? "sends the old one again" : "issues"
    it.scoped(`${client} ${next} after a refresh that brought no new refresh token`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        yield* (yield* makeCache({ upstream, config })).get
        const refresh: Upstream["auth"]["refresh"] = (options) =>
          Effect.map(upstream.auth.refresh(options), (_) => new Session({ ..._, refreshToken: Option.none() }))
        const cache = yield* makeCache({ upstream: { auth: { ...upstream.auth, refresh } }, config, interactive })
        yield* TestClock.adjust("1 hour")
        yield* cache.get
        yield* TestClock.adjust("1 hour")
        yield* Effect.exit(cache.get)
        const second = interactive ? "refresh refresh-1" : "issue"
        assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1", second])
      })
    )
  }

  it.scoped("tells a public client without a session that the user has to log in", () =>
    Effect.gen(function* () {
      const cache = yield* makeCache({ upstream: makeUpstream(), interactive: true })
      const error = yield* Effect.flip(cache.get)
      assert.strictEqual(error._tag, "Expired")
      assert.include(error.message, "the user has to log in")
    })
  )

  it.scoped(
    "sends the refresh token only after the store confirmed the refresh-in-flight flag, which stays only if it was sent",
    () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const faulty = makeFaultyStore()
        const cache = yield* makeCache({ upstream, store: faulty.store })
        yield* cache.get
        yield* TestClock.adjust("25 minutes")
        faulty.before = at("setRefreshInFlight")(storeDown)
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* settle
        assert.deepStrictEqual(sent(upstream), ["issue"])
        faulty.before = () => Effect.void
        faulty.after = at("setRefreshInFlight")(storeDown)
        yield* TestClock.adjust("1 second")
        yield* cache.get
        yield* settle
        assert.deepStrictEqual(sent(upstream), ["issue"])
        faulty.after = () => Effect.void
        yield* TestClock.adjust("2 seconds")
        yield* cache.get
        yield* settle
        assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1"])
      })
  )

  it.scoped("lets other processes adopt a session whose flag was set although nothing was sent", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      yield* cache.get
      yield* TestClock.adjust("25 minutes")
      faulty.after = at("setRefreshInFlight")(storeDown)
      yield* cache.get
      yield* settle
      upstream.always = { failUnprocessed: down }
      const cold = yield* makeCache({ upstream, config, store: otherProcess() })
      assert.strictEqual(yield* getText(cold), "access-1")
      yield* settle
      assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1"])
    })
  )

  it.scoped("sends no retry after the lease was lost", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig({ requestTimeout: Duration.seconds(1) })
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      yield* cache.get
      yield* TestClock.adjust("25 minutes")
      upstream.script({ operation: "refresh", failUnprocessed: unreachable, repeatAfter: "8 seconds" })
      faulty.before = at("extend")(Effect.sleep("5 seconds"))
      yield* Effect.fork(cache.get)
      yield* TestClock.adjust("7 seconds")
      const otherProcess = yield* faulty.otherProcess(config.storeKey)
      assert.isTrue((yield* otherProcess.acquire(ownerOf("another"), ifFree)).held)
      faulty.before = () => Effect.void
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1"])
    })
  )

  it.scoped("leaves a session flagged if the lease was lost after an issue that may have ended it", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig({ requestTimeout: Duration.seconds(1) })
      const faulty = makeFaultyStore()
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      yield* cache.invalidate(yield* cache.get)
      upstream.script({ operation: "issue", failUnprocessed: down, repeatAfter: "8 seconds" })
      faulty.before = at("extend")(Effect.sleep("5 seconds"))
      yield* Effect.fork(cache.get)
      yield* TestClock.adjust("7 seconds")
      const otherProcess = yield* faulty.otherProcess(config.storeKey)
      assert.isTrue((yield* otherProcess.acquire(ownerOf("another"), ifFree)).held)
      faulty.before = () => Effect.void
      // The attempt to repeat the issue finds the lease taken.
      yield* TestClock.adjust("2 seconds")
      const { entry } = yield* otherProcess.read
      assert.isTrue(Option.exists(entry, (_) => Option.isSome(_.refreshInFlight)))
      assert.strictEqual(faulty.count("setRefreshInFlight"), 1)
    })
  )

  it.scoped("keeps the answer although the caller was interrupted", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      yield* cache.get
      yield* TestClock.adjust("1 hour")
      const [arrived, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      upstream.script({ operation: "refresh", arrived, gate })
      const caller = yield* Effect.fork(cache.get)
      yield* Deferred.await(arrived)
      yield* Fiber.interrupt(caller)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.strictEqual(yield* getText(cache), "access-2")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* getText(cache).pipe(during("1 second")), "access-3")
      assert.deepStrictEqual(sent(upstream), ["issue", "refresh refresh-1", "refresh refresh-2"])
    })
  )
})
