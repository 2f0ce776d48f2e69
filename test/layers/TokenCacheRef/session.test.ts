import { assert, describe, it } from "@effect/vitest"
import { Chunk, Deferred, Duration, Effect, Fiber, Option, Stream, TestClock } from "effect"
import type { Session } from "../../../src/schemas/Session.js"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { at, makeFaultyStore, storeDown } from "../../support/faults.js"
import { during, settle } from "../../support/time.js"
import { down, getText, makeCache, makeConfig, makeUpstream, text } from "../../support/upstream.js"

const nameOf = Option.match({
  onNone: () => "none",
  onSome: ({ accessToken }: Session) => text(accessToken)
})

/** Collects what a cache tells from now on. */
const watch = (cache: Pick<TokenCacheService, "changes">) =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    yield* Effect.forkScoped(
      Stream.runForEach(cache.changes, (session) => Effect.sync(() => seen.push(nameOf(session))))
    )
    yield* settle
    return seen
  })

describe("session is broken if", () => {
  it.scoped("it does not renew as get does, or tells another session than get answers from", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const config = makeConfig()
      const cache = yield* makeCache({ upstream, config })
      const first = yield* cache.session
      assert.strictEqual(first.session.accessToken, yield* cache.get)
      assert.deepStrictEqual([first.origin, first.saved], ["minted", true])
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(Duration.toMinutes((yield* cache.session).remaining), 20)
      const other = yield* (yield* makeCache({ upstream, config })).session
      assert.deepStrictEqual([other.origin, other.saved], ["adopted", true])
      assert.strictEqual(Duration.toMinutes(other.remaining), 20)
      assert.strictEqual(upstream.count(), 1)

      yield* cache.invalidate(first.session.accessToken)
      assert.strictEqual(text((yield* cache.session).session.accessToken), "access-2")
    })
  )

  it.scoped("its failure is another than that of get", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      upstream.always = { refuse: down }
      const cache = yield* makeCache({ upstream })
      const [one, other] = yield* Effect.all([Effect.flip(cache.session), Effect.flip(cache.session)])
      assert.strictEqual(one._tag, "Unavailable")
      assert.strictEqual(other._tag, "Unavailable")
      assert.strictEqual(upstream.count(), 1)
    })
  )
})

describe("changes is broken if", () => {
  it.scoped("it begins with something else than what is held", () =>
    Effect.gen(function* () {
      const cache = yield* makeCache({ upstream: makeUpstream() })
      assert.deepStrictEqual(yield* watch(cache), ["none"])
      yield* cache.get
      assert.deepStrictEqual(yield* watch(cache), ["access-1"])
    })
  )

  it.scoped("a change is left out, told twice, or told where nothing has changed", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const faulty = makeFaultyStore()
      const config = makeConfig()
      const cache = yield* makeCache({ upstream, config, store: faulty.store })
      const other = yield* makeCache({ upstream, config })
      const seen = yield* watch(cache)
      yield* cache.get
      yield* settle
      yield* cache.get
      yield* cache.invalidate(yield* cache.get)
      yield* settle
      assert.deepStrictEqual(seen, ["none", "access-1"])

      faulty.before = at("commit")(storeDown)
      yield* cache.get
      yield* settle
      faulty.before = () => Effect.void
      yield* TestClock.adjust("1 minute")
      assert.isTrue((yield* cache.session).saved)
      assert.deepStrictEqual(seen, ["none", "access-1", "access-2"])

      yield* other.invalidate(yield* other.get)
      yield* other.get
      yield* settle
      assert.deepStrictEqual(seen, ["none", "access-1", "access-2", "access-3"])
    })
  )

  it.scoped("a logout here or elsewhere is not told, or told more than once", () =>
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
      assert.deepStrictEqual(seen, ["access-1", "none"])
      yield* cache.get
      yield* settle
      yield* other.logout
      yield* settle
      assert.deepStrictEqual(seen, ["access-1", "none", "access-2", "none"])
    })
  )

  it.scoped("a listener that is slow is told of the past for the present", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      const gate = yield* Deferred.make<void>()
      const seen: Array<string> = []
      yield* cache.changes.pipe(
        Stream.runForEach((session) => {
          seen.push(nameOf(session))
          return Deferred.await(gate)
        }),
        Effect.forkScoped
      )
      yield* settle
      for (let count = 0; count < 100; count++) {
        const token = yield* cache.get
        yield* cache.confirm(token)
        yield* cache.invalidate(token)
      }
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.deepStrictEqual(seen, ["none", "access-100"])
    })
  )

  it.scoped("it goes on for ever after the cache has closed", () =>
    Effect.gen(function* () {
      const ending = yield* Deferred.make<Fiber.RuntimeFiber<Chunk.Chunk<Option.Option<Session>>>>()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const cache = yield* makeCache({ upstream: makeUpstream() })
          yield* Deferred.succeed(ending, yield* Effect.forkDaemon(Stream.runCollect(cache.changes)))
          yield* settle
          yield* cache.get
        })
      )
      const all = yield* Effect.flatMap(Deferred.await(ending), Fiber.join).pipe(during("1 second"))
      assert.deepStrictEqual(Chunk.toReadonlyArray(all).map(nameOf), ["none", "access-1"])
    })
  )
})

describe("confirm is broken if", () => {
  it.scoped("it changes anything but the pace", () =>
    Effect.gen(function* () {
      const upstream = makeUpstream()
      const cache = yield* makeCache({ upstream })
      const token = yield* cache.get
      yield* cache.confirm(token)
      assert.strictEqual(yield* getText(cache), "access-1")
      yield* cache.invalidate(token)
      yield* cache.confirm(token)
      assert.strictEqual(yield* getText(cache), "access-2")
      assert.strictEqual(upstream.count(), 2)
    })
  )
})
