/** A store that loses its latest writes: a process that has seen them restores them. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Option, Redacted, Scope } from "effect"
import type { AuthError } from "../../../src/schemas/AuthError.js"
import type { TokenCacheService } from "../../../src/services/TokenCache.js"
import { captureLogs } from "../../support/logs.js"
import { makeRewindableStore } from "../../support/rewindableStore.js"
import { simulated } from "../../support/time.js"
import {
  getText,
  makeCache,
  makeConfig,
  makePublicCache,
  makeUpstream,
  text,
  timedOut
} from "../../support/upstream.js"

/** The cache has refreshed once; `before` is what the store held until then. */
const refreshed = Effect.gen(function* () {
  const upstream = makeUpstream()
  const config = makeConfig()
  const store = makeRewindableStore()
  const cache = yield* makeCache({ upstream, config, store: store.process() })
  assert.strictEqual(yield* getText(cache), "access-1")
  const before = store.snapshot()
  yield* Effect.sleep("25 minutes")
  yield* cache.get
  yield* Effect.sleep(0)
  assert.strictEqual(yield* getText(cache), "access-2")
  const another = makeCache({ upstream, config, store: store.process() })
  const storedToken = () =>
    Option.map(
      Option.flatMap(Option.fromNullable(store.stored()), (_) => _.session),
      (session) => Redacted.value(session.accessToken)
    )
  const sent = () =>
    upstream.calls.map(({ operation, token }) => (token === undefined ? operation : `${operation} ${token}`))
  return { another, before, cache, sent, store, storedToken, upstream }
})

/** The layer is closed after its step, the store goes back to before that, and the same process builds the layer again. */
const rebuilt = (step: (cache: TokenCacheService) => Effect.Effect<unknown, AuthError>) =>
  Effect.gen(function* () {
    const upstream = makeUpstream()
    const config = makeConfig()
    const rewindable = makeRewindableStore()
    const store = rewindable.process()
    const scope = yield* Scope.make()
    const cache = yield* Scope.extend(makeCache({ upstream, config, store }), scope)
    yield* cache.get
    const before = rewindable.snapshot()
    yield* step(cache)
    yield* Effect.sleep(0)
    yield* Scope.close(scope, Exit.void)
    rewindable.rewindTo(before)
    return { again: yield* makeCache({ upstream, config, store }), upstream }
  })

describe("a store that went back to before a refresh", () => {
  it("gets the live session back from a process that knows it, by the heartbeat and without a token request", () => {
    const logs = captureLogs()
    simulated(
      Effect.gen(function* () {
        const { another, before, cache, sent, store, storedToken } = yield* refreshed
        store.rewindTo(before)
        yield* Effect.sleep("31 seconds")
        assert.deepStrictEqual(storedToken(), Option.some("access-2"))
        assert.strictEqual(yield* getText(cache), "access-2")
        const cold = yield* another
        assert.strictEqual(yield* getText(cold), "access-2")
        assert.approximately(Duration.toMillis((yield* cold.session).remaining), 30 * 60_000 - 31_000, 100)
        assert.deepStrictEqual(sent(), ["issue", "refresh refresh-1"])
      }).pipe(Effect.provide(logs.layer))
    )
    assert.lengthOf(
      logs.lines.filter((line) => /^WARN The token store went back to an older state/.test(line)),
      1
    )
  })

  it("is noticed by a layer that is built again in a process that has seen the refresh", () =>
    simulated(
      Effect.gen(function* () {
        const { again, upstream } = yield* rebuilt((cache) => Effect.zipRight(Effect.sleep("25 minutes"), cache.get))
        assert.strictEqual(yield* getText(again), upstream.liveToken())
        assert.lengthOf(
          upstream.calls.filter(({ token }) => token === "refresh-1"),
          1
        )
      })
    ))

  it("is noticed by a layer that is built again in a process that has seen the logout", () =>
    simulated(
      Effect.gen(function* () {
        const { again } = yield* rebuilt((cache) => cache.logout)
        assert.strictEqual(yield* getText(again), "access-2")
      })
    ))

  it("gets it back from a process that only adopted it", () =>
    simulated(
      Effect.gen(function* () {
        const { another, before, sent, store, storedToken } = yield* refreshed
        const adopter = yield* another
        assert.strictEqual(yield* getText(adopter), "access-2")
        store.rewindTo(before)
        yield* Effect.sleep("31 seconds")
        assert.deepStrictEqual(storedToken(), Option.some("access-2"))
        assert.deepStrictEqual(sent(), ["issue", "refresh refresh-1"])
      })
    ))

  it("gets it back ahead of its expiry before it is refreshed with its own refresh token", () =>
    simulated(
      Effect.gen(function* () {
        const { before, cache, sent, store } = yield* refreshed
        yield* Effect.sleep("25 minutes")
        store.rewindTo(before)
        for (let count = 0; count < 3; count++) {
          yield* cache.get
          yield* Effect.sleep("1 second")
        }
        assert.strictEqual(yield* getText(cache), "access-3")
        assert.deepStrictEqual(sent(), ["issue", "refresh refresh-1", "refresh refresh-2"])
      })
    ))

  for (const [why, end] of [
    ["was rejected", "invalidate"],
    ["has expired", "expire"]
  ] as const) {
    it(`leads to an issue, and not to a second use of the refresh token, if the session in memory ${why}`, () =>
      simulated(
        Effect.gen(function* () {
          const { before, cache, sent, store } = yield* refreshed
          if (end === "invalidate") yield* cache.invalidate(yield* cache.get)
          else yield* Effect.sleep("30 minutes")
          store.rewindTo(before)
          assert.strictEqual(yield* getText(cache), "access-3")
          assert.deepStrictEqual(sent(), ["issue", "refresh refresh-1", "issue"])
        })
      ))
  }

  it("serves a process that never saw the newer session the older one until its first 401", () =>
    simulated(
      Effect.gen(function* () {
        const { another, before, store, upstream } = yield* refreshed
        store.rewindTo(before)
        const cold = yield* another
        assert.strictEqual(yield* getText(cold), "access-1")
        yield* cold.invalidate(yield* cold.get)
        assert.strictEqual(yield* getText(cold), upstream.liveToken())
      })
    ))
})

describe("a store that was flushed", () => {
  it("gets the live session back by the heartbeat", () =>
    simulated(
      Effect.gen(function* () {
        const { another, cache, sent, store } = yield* refreshed
        store.flush()
        yield* Effect.sleep("31 seconds")
        assert.strictEqual(yield* getText(yield* another), "access-2")
        assert.strictEqual(yield* getText(cache), "access-2")
        assert.deepStrictEqual(sent(), ["issue", "refresh refresh-1"])
      })
    ))

  it("does not log the client out", () =>
    simulated(
      Effect.gen(function* () {
        const { cache, store } = yield* refreshed
        store.flush()
        for (let second = 0; second < 120; second++) {
          assert.isTrue(Option.isSome(yield* cache.peek))
          yield* Effect.sleep("1 second")
        }
      })
    ))
})

describe("a store that went back to before a logout", () => {
  it("gets the tombstone back by the heartbeat, so that no process adopts the ended session", () =>
    simulated(
      Effect.gen(function* () {
        const { another, cache, sent, store } = yield* refreshed
        const before = store.snapshot()
        yield* cache.logout
        store.rewindTo(before)
        yield* Effect.sleep("31 seconds")
        assert.isTrue(store.stored()?.tombstone)
        assert.strictEqual(yield* getText(yield* another), "access-3")
        assert.deepStrictEqual(sent(), ["issue", "refresh refresh-1", "revoke access-2", "issue"])
      })
    ))

  it("never brings the ended session back to the process that saw the tombstone", () =>
    simulated(
      Effect.gen(function* () {
        const { cache, sent, store } = yield* refreshed
        const before = store.snapshot()
        yield* cache.logout
        store.rewindTo(before)
        assert.strictEqual(yield* getText(cache), "access-3")
        assert.deepStrictEqual(sent(), ["issue", "refresh refresh-1", "revoke access-2", "issue"])
      })
    ))
})

describe("a public client whose store went back", () => {
  it("keeps the live session of the end user, and refreshes it with its own refresh token", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const store = makeRewindableStore()
        const { cache, login } = yield* makePublicCache({ upstream, store: store.process() })
        yield* login(yield* upstream.startSession)
        const before = store.snapshot()
        yield* Effect.sleep("25 minutes")
        yield* cache.get
        yield* Effect.sleep(0)
        store.rewindTo(before)
        yield* Effect.sleep("30 minutes")
        assert.strictEqual(yield* getText(cache), "access-3")
        assert.deepStrictEqual(
          upstream.calls.map(({ token }) => token),
          ["refresh-1", "refresh-2"]
        )
        assert.strictEqual(text((yield* cache.session).session.accessToken), upstream.liveToken())
      })
    ))
})

describe("a store that was flushed when no process has a session to write back", () => {
  it("is read at each heartbeat and no more often, and no repair is logged", () => {
    const logs = captureLogs()
    simulated(
      Effect.gen(function* () {
        const { store } = yield* refreshed
        yield* Effect.sleep("1 hour")
        store.flush()
        const before = store.steps()
        yield* Effect.sleep("10 minutes")
        assert.isAtMost(store.steps() - before, 20 * 6)
      }).pipe(Effect.provide(logs.layer))
    )
    assert.isEmpty(logs.lines.filter((line) => line.includes("went back")))
  })
})

describe("a session that is written back after a refresh that may have been processed", () => {
  it("comes without its refresh token, so that no process sends it again", () =>
    simulated(
      Effect.gen(function* () {
        const upstream = makeUpstream()
        const store = makeRewindableStore()
        const config = makeConfig()
        const cache = yield* makeCache({ upstream, config, store: store.process() })
        const empty = store.snapshot()
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* Effect.sleep("25 minutes")
        upstream.script({ failUnprocessed: timedOut })
        assert.strictEqual(yield* getText(cache), "access-1")
        yield* Effect.sleep("1 millis")
        store.rewindTo(empty)
        yield* Effect.sleep("31 seconds")
        assert.deepStrictEqual(
          Option.map(Option.fromNullable(store.stored()?.session), Option.isSome),
          Option.some(true)
        )
        const other = yield* makeCache({ upstream, config, store: store.process() })
        yield* Effect.sleep("5 minutes")
        yield* Effect.exit(getText(other))
        yield* Effect.sleep("1 minute")
        assert.lengthOf(
          upstream.calls.filter(({ operation, token }) => operation === "refresh" && token === "refresh-1"),
          1
        )
      })
    ))
})
