import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, type Redacted, Scope, TestClock } from "effect"
import { type AuthError, Expired, Unavailable } from "../../../src/schemas/AuthError.js"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { at, makeFaultyStore, type Step, storeDown } from "../../support/faults.js"
import { captureLogs } from "../../support/logs.js"
import { ifFree, ownerOf } from "../../support/storeFaults.js"
import { ended, settle } from "../../support/time.js"
import {
  type CacheOptions,
  down,
  getText,
  makeCache,
  makeConfig,
  makeUpstream,
  timedOut,
  unreachable
} from "../../support/upstream.js"

interface Closable {
  readonly cache: TokenCacheService
  /** Begins to close it, as a layer is closed: where nothing can be interrupted. */
  readonly close: Effect.Effect<Fiber.RuntimeFiber<void>>
}

const closable = (options: CacheOptions): Effect.Effect<Closable> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const cache = yield* Scope.extend(makeCache(options), scope)
    return { cache, close: Effect.fork(Effect.uninterruptible(Scope.close(scope, Exit.void))) }
  })

const isClosed = (exit: Exit.Exit<Redacted.Redacted<string>, AuthError> | undefined): boolean =>
  exit !== undefined &&
  Exit.isFailure(exit) &&
  exit.cause._tag === "Fail" &&
  exit.cause.error._tag === "Unavailable" &&
  exit.cause.error.reason === "Closed"

const gates = Effect.all([Deferred.make<void>(), Deferred.make<void>()])

describe("closing the layer", () => {
  it.scoped("waits for a token request that was sent, and stores its session", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const { cache, close } = yield* closable({ upstream, config })
      const [arrived, gate] = yield* gates
      upstream.script({ arrived, gate })
      const get = yield* Effect.fork(getText(cache))
      yield* Deferred.await(arrived)
      const closing = yield* close
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(yield* ended(closing))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
      assert.strictEqual(yield* Fiber.join(get), "access-1")
      assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-1")
      assert.strictEqual(upstream.count(), 1)
    })
  )

  it.scoped("waits for a refresh that was sent, and stores its session", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const { cache, close } = yield* closable({ upstream, config })
      yield* cache.get
      yield* TestClock.adjust("25 minutes")
      const [arrived, gate] = yield* gates
      upstream.script({ arrived, gate })
      yield* Effect.fork(cache.get)
      yield* Deferred.await(arrived)
      const closing = yield* close
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
      assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-2")
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh"])
    })
  )

  it.scoped("remembers a refresh that failed meanwhile, so that the next layer waits", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const { cache, close } = yield* closable({ upstream, config })
      yield* cache.get
      // Nothing is left to serve when the answer is lost, so that this renewal would issue if it might go on.
      yield* TestClock.adjust(Duration.millis(1_785_000))
      const [arrived] = yield* gates
      upstream.script({ arrived, failProcessed: timedOut, latency: 5_000 })
      yield* cache.get
      yield* Deferred.await(arrived)
      const closing = yield* close
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      const error = yield* Effect.flip((yield* makeCache({ upstream, config })).get)
      assert.deepInclude(error, { operation: "refresh", reason: "Timeout" })
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh"])
    })
  )

  for (const when of ["before", "after"] as const) {
    it.scoped(`waits for the commit if it begins ${when} the store has written`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const config = makeConfig()
        const faulty = makeFaultyStore()
        const [arrived, gate] = yield* gates
        faulty[when] = at("commit")(Effect.zipRight(Deferred.succeed(arrived, undefined), Deferred.await(gate)))
        const { cache, close } = yield* closable({ upstream, config, store: faulty.store })
        yield* Effect.fork(cache.get)
        yield* Deferred.await(arrived)
        const closing = yield* close
        yield* settle
        assert.isUndefined(yield* ended(closing))
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(closing)
        assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-1")
        assert.strictEqual(upstream.count(), 1)
      })
    )
  }

  for (const step of ["read", "acquire"] satisfies ReadonlyArray<Step>) {
    it.scoped(`does not wait for a store that hangs at "${step}" before a token request`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const faulty = makeFaultyStore()
        faulty.before = at(step)(Effect.never)
        const { cache, close } = yield* closable({ upstream, store: faulty.store })
        const get = yield* Effect.fork(cache.get)
        yield* settle
        yield* Fiber.join(yield* close)
        assert.isTrue(isClosed(yield* Fiber.await(get)))
        assert.strictEqual(upstream.count(), 0)
      })
    )
  }

  it.scoped("does not wait for a lease that another cache holds", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const other = yield* makeCache({ upstream, config })
      const { cache, close } = yield* closable({ upstream, config })
      const [arrived, gate] = yield* gates
      upstream.script({ arrived, gate })
      const theirs = yield* Effect.fork(getText(other))
      yield* Deferred.await(arrived)
      const ours = yield* Effect.fork(cache.get)
      yield* settle
      yield* Fiber.join(yield* close)
      assert.isTrue(isClosed(yield* Fiber.await(ours)))
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(theirs), "access-1")
    })
  )

  it.scoped("does not wait for a lease that was lost to another process", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      faulty.before = at("extend")(Effect.sleep("26 seconds"))
      const { cache, close } = yield* closable({ upstream, config, store: faulty.store })
      const get = yield* Effect.fork(cache.get)
      yield* TestClock.adjust("25 seconds")
      const otherProcess = yield* faulty.otherProcess(config.storeKey)
      assert.isTrue((yield* otherProcess.acquire(ownerOf("another"), ifFree)).held)
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(yield* ended(get))
      yield* Fiber.join(yield* close)
      assert.isTrue(isClosed(yield* Fiber.await(get)))
      assert.strictEqual(upstream.count(), 0)
    })
  )

  it.scoped("does not wait for the backoff before a retry, and keeps the refresh token that was not spent", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const { cache, close } = yield* closable({ upstream, config })
      yield* cache.get
      yield* TestClock.adjust("25 minutes")
      upstream.script({ operation: "refresh", failUnprocessed: unreachable, repeatAfter: "5 seconds" })
      const get = yield* Effect.fork(cache.get)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(yield* close)
      yield* Fiber.await(get)
      const next = yield* makeCache({ upstream, config })
      assert.strictEqual(yield* getText(next), "access-1")
      // The backoff after the failed refresh outlives the cache.
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* getText(next), "access-1")
      yield* settle
      assert.strictEqual(yield* getText(next), "access-2")
      assert.deepStrictEqual(
        upstream.calls.map(({ operation, token }) => [operation, token]),
        [
          ["issue", undefined],
          ["refresh", "refresh-1"],
          ["refresh", "refresh-1"]
        ]
      )
    })
  )

  it.scoped("lets no second token request begin", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const { cache, close } = yield* closable({ upstream })
      yield* cache.get
      yield* TestClock.adjust("1 hour")
      const [arrived, gate] = yield* gates
      upstream.script({
        operation: "refresh",
        arrived,
        gate,
        failProcessed: new Expired({ operation: "refresh", status: 401 })
      })
      const get = yield* Effect.fork(cache.get)
      yield* Deferred.await(arrived)
      const closing = yield* close
      yield* settle
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
      assert.isTrue(isClosed(yield* Fiber.await(get)))
      assert.deepStrictEqual(upstream.operations(), ["issue", "refresh"])
    })
  )

  it.scoped("makes a later get fail with Closed", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const { cache, close } = yield* closable({ upstream })
      yield* Fiber.join(yield* close)
      assert.isTrue(isClosed(yield* Effect.exit(cache.get)))
      assert.strictEqual(upstream.count(), 0)
    })
  )

  it.scoped("tries once more to save a session", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      faulty.before = at("commit")(storeDown)
      const { cache, close } = yield* closable({ upstream, config, store: faulty.store })
      yield* cache.get
      const commits = faulty.count("commit")
      faulty.before = () => Effect.void
      yield* Fiber.join(yield* close)
      assert.strictEqual(faulty.count("commit"), commits + 1)
      assert.strictEqual(yield* getText(yield* makeCache({ upstream, config })), "access-1")
    })
  )

  for (const step of ["acquire", "commit"] satisfies ReadonlyArray<Step>) {
    it.scoped(`waits at most 5 s to save a session if the store hangs at "${step}"`, () =>
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const faulty = makeFaultyStore()
        faulty.before = at("commit")(storeDown)
        const { cache, close } = yield* closable({ upstream, store: faulty.store })
        yield* cache.get
        faulty.before = at(step)(Effect.never)
        const closing = yield* close
        yield* TestClock.adjust("5 seconds")
        assert.isDefined(yield* ended(closing))
      })
    )
  }

  it.scoped("revokes an unsaved session that a logout has overtaken", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const faulty = makeFaultyStore()
      faulty.before = at("commit")(storeDown)
      const { cache, close } = yield* closable({ upstream, config, store: faulty.store })
      yield* cache.get
      faulty.before = at("acquire")(storeDown)
      const other = yield* makeCache({ upstream, config })
      yield* other.logout
      yield* settle
      assert.strictEqual(upstream.liveToken(), "access-1")
      faulty.before = () => Effect.void
      const [arrived, gate] = yield* gates
      upstream.script({ operation: "revoke", arrived, gate })
      const closing = yield* close
      yield* Deferred.await(arrived)
      yield* settle
      assert.isUndefined(yield* ended(closing))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
      assert.isUndefined(upstream.liveToken())
    })
  )

  it.scoped("revokes the session when the last cache closes, if revokeOnClose is set", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig({ revokeOnClose: true })
      const one = yield* closable({ upstream, config })
      const two = yield* closable({ upstream, config })
      yield* one.cache.get
      yield* Fiber.join(yield* one.close)
      assert.strictEqual(upstream.liveToken(), "access-1")
      assert.strictEqual(yield* getText(two.cache), "access-1")
      yield* Fiber.join(yield* two.close)
      assert.isUndefined(upstream.liveToken())
    })
  )

  for (const [what, revoke] of [
    ["fails", Effect.fail(new Unavailable({ operation: "revoke", reason: "ServerError", status: 500 }))],
    ["hangs", Effect.never]
  ] as const) {
    it.scoped(`warns if the session was to be revoked, and the revocation ${what}`, () => {
      const logs = captureLogs()
      return Effect.gen(function* () {
        const upstream = makeUpstream()
        const { cache, close } = yield* closable({
          config: makeConfig({ revokeOnClose: true }),
          upstream: { auth: { ...upstream.auth, revoke: () => revoke } }
        })
        yield* cache.get
        const closing = yield* close
        yield* TestClock.adjust("30 seconds")
        yield* Fiber.join(closing)
        const warnings = logs.lines.filter((line) => line.startsWith("WARN"))
        assert.lengthOf(warnings, 1)
        assert.match(String(warnings), /was to be revoked .* (?:Nomba failed|did not answer in time)/)
      }).pipe(Effect.provide(logs.layer))
    })
  }

  it.scoped("ends within 30 s if the revocation hangs", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const { cache, close } = yield* closable({
        config: makeConfig({ revokeOnClose: true }),
        upstream: { auth: { ...upstream.auth, revoke: () => Effect.never } }
      })
      yield* cache.get
      const closing = yield* close
      yield* TestClock.adjust("30 seconds")
      assert.isDefined(yield* ended(closing))
    })
  )

  it.scoped("ends within 30 s if Nomba never answers", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const { cache, close } = yield* closable({ upstream: { auth: { ...upstream.auth, issue: Effect.never } } })
      const get = yield* Effect.fork(cache.get)
      yield* settle
      const closing = yield* close
      yield* TestClock.adjust(Duration.seconds(30))
      assert.isDefined(yield* ended(closing))
      assert.isDefined(yield* ended(get))
    })
  )
})

describe("TokenCache.get after its layer was closed", () => {
  it.scoped("fails at once during a backoff, without reading the store again and again", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { failUnprocessed: down }
      const faulty = makeFaultyStore()
      const { cache, close } = yield* closable({ upstream, store: faulty.store })
      yield* Effect.exit(cache.get)
      yield* Effect.flatMap(close, Fiber.join)
      let reads = 0
      faulty.before = (step) =>
        Effect.sync(() => {
          if (step === "read") reads += 1
        })
      yield* TestClock.adjust("1 millis")
      for (let count = 0; count < 10; count++) {
        const error = yield* Effect.flip(cache.get)
        assert.strictEqual(error._tag === "Unavailable" && error.reason, "Closed")
      }
      assert.isAtMost(reads, 1)
    })
  )
})
