import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Chunk, Deferred, Duration, Effect, Fiber, Option, Redacted, Stream, TestClock } from "effect"
import { SessionEvent, type TokenCacheService } from "../../../src/services/TokenCache.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { during, settle } from "../../support/time.js"
import { down, makeCache, makeConfig, makeUpstream, text } from "../../support/upstream.js"

/** For instance `Issued access-1`. */
const nameOf = SessionEvent.$match({
  Current: ({ session }) =>
    `Current ${Option.match(session, { onNone: () => "nothing", onSome: (_) => text(_.session.accessToken) })}`,
  Issued: ({ session }) => `Issued ${text(session.session.accessToken)}`,
  Refreshed: ({ session }) => `Refreshed ${text(session.session.accessToken)}`,
  Adopted: ({ session }) => `Adopted ${text(session.session.accessToken)}`,
  Rejected: ({ early }) => (early ? "Rejected early" : "Rejected"),
  LoggedOut: ({ _tag }) => _tag,
  RenewalFailed: ({ error, retryAfter }) => `RenewalFailed ${error._tag} ${Duration.toMillis(retryAfter)}`,
  Missed: ({ count }) => `Missed ${count}`
})

/** Collects the events from now on. */
const watch = (cache: Pick<TokenCacheService, "changes">) =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    yield* Effect.forkScoped(
      Stream.runForEach(cache.changes, (event) => Effect.sync(() => void seen.push(nameOf(event))))
    )
    yield* settle
    return seen
  })

/** One token after the other is rejected: two events each. */
const renewTimes = (count: number, cache: TokenCacheService) =>
  Effect.repeatN(
    Effect.flatMap(cache.get, (token) => Effect.zipRight(cache.invalidate(token), TestClock.adjust("2 minutes"))),
    count - 1
  )

describe("TokenCache.changes", () => {
  it.scoped("begins with the current session", () =>
    Effect.gen(function* () {
      const cache = yield* makeCache({ upstream: makeUpstream() })
      assert.deepStrictEqual(yield* watch(cache), ["Current nothing"])
      yield* cache.get
      assert.deepStrictEqual(yield* watch(cache), ["Current access-1"])
    })
  )

  it.scoped("publishes each change once, with its reason", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const config = makeConfig()
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      const other = yield* makeCache({ upstream, config })
      const seen = yield* watch(cache)
      const events = () => Effect.map(settle, () => seen.splice(0))
      yield* cache.get
      yield* cache.get
      assert.deepStrictEqual(yield* events(), ["Current nothing", "Issued access-1"])

      yield* TestClock.adjust("25 minutes")
      yield* cache.get
      assert.deepStrictEqual(yield* events(), ["Refreshed access-2"])

      const token = yield* cache.get
      yield* cache.invalidate(token)
      yield* cache.invalidate(token)
      assert.deepStrictEqual(yield* events(), ["Rejected early"])

      faulty.before = at("commit")(storeDown)
      yield* cache.get
      assert.deepStrictEqual(yield* events(), ["Issued access-3"])
      faulty.before = () => Effect.void
      yield* TestClock.adjust("1 minute")
      assert.isTrue((yield* cache.session).saved)
      assert.deepStrictEqual(yield* events(), [])

      yield* other.invalidate(yield* other.get)
      yield* other.get
      assert.deepStrictEqual(yield* events(), ["Adopted access-4"])

      yield* TestClock.adjust(Duration.millis(30 * 60_000 - 9_999))
      yield* cache.invalidate(Redacted.make("access-4"))
      assert.deepStrictEqual(yield* events(), ["Rejected"])

      upstream.script({ failUnprocessed: down }, { failUnprocessed: down })
      yield* Effect.exit(cache.get)
      assert.deepStrictEqual(yield* events(), ["RenewalFailed Unavailable 1000"])
      yield* Effect.exit(cache.get)
      assert.deepStrictEqual(yield* events(), [])
    })
  )

  it.scoped("publishes a logout of this and of another cache once", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const [cache, other] = [yield* makeCache({ upstream, config }), yield* makeCache({ upstream, config })]
      yield* cache.get
      const seen = yield* watch(cache)
      yield* cache.logout
      yield* settle
      yield* cache.logout
      yield* settle
      assert.deepStrictEqual(seen, ["Current access-1", "LoggedOut"])
      yield* cache.get
      yield* settle
      yield* other.logout
      yield* settle
      assert.deepStrictEqual(seen, ["Current access-1", "LoggedOut", "Issued access-2", "LoggedOut"])
    })
  )

  it.scoped("keeps the latest 64 events for a slow subscriber and counts those that it missed", () =>
    Effect.gen(function* () {
      const cache = yield* makeCache({ upstream: makeUpstream() })
      const gate = yield* Deferred.make<void>()
      const seen: Array<string> = []
      yield* cache.changes.pipe(
        Stream.runForEach((event) => {
          seen.push(nameOf(event))
          return Deferred.await(gate)
        }),
        Effect.forkScoped
      )
      const quick = yield* watch(cache)
      yield* renewTimes(100, cache)
      assert.lengthOf(seen, 1)
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.lengthOf(quick, 1 + 200)
      assert.deepStrictEqual(seen, ["Current nothing", `Missed ${200 - 64}`, ...quick.slice(-64)])
      yield* cache.get
      yield* settle
      assert.strictEqual(seen.at(-1), "Issued access-101")
    })
  )

  it.scoped("ends when the layer closes", () =>
    Effect.gen(function* () {
      const ending = yield* Deferred.make<Fiber.RuntimeFiber<Chunk.Chunk<SessionEvent>>>()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const cache = yield* makeCache({ upstream: makeUpstream() })
          yield* Deferred.succeed(ending, yield* Effect.forkDaemon(Stream.runCollect(cache.changes)))
          yield* settle
          yield* cache.get
        })
      )
      const all = yield* Effect.flatMap(Deferred.await(ending), Fiber.join).pipe(during("1 second"))
      assert.deepStrictEqual(Chunk.toReadonlyArray(all).map(nameOf), ["Current nothing", "Issued access-1"])
    })
  )

  it.scoped("ends at once for a subscriber after the layer closed", () =>
    Effect.gen(function* () {
      const cache = yield* Effect.scoped(makeCache({ upstream: makeUpstream() }))
      const all = yield* Stream.runCollect(cache.changes).pipe(during("1 second"))
      assert.deepStrictEqual(Chunk.toReadonlyArray(all).map(nameOf), ["Current nothing"])
    })
  )

  it.scoped("shows no token when an event is printed", () =>
    Effect.gen(function* () {
      const cache = yield* makeCache({ upstream: makeUpstream() })
      const events = yield* Effect.fork(Stream.runCollect(Stream.take(cache.changes, 3)))
      yield* settle
      yield* cache.invalidate(yield* cache.get)
      const printed = Chunk.toReadonlyArray(yield* Fiber.join(events)).flatMap((event) => [
        inspect(event, { depth: 20, showHidden: true }),
        String(event),
        JSON.stringify(event),
        Cause.pretty(Cause.fail(event))
      ])
      for (const shown of printed) assert.notMatch(shown, /access-1|refresh-1/)
    })
  )
})
