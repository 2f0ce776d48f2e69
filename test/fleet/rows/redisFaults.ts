/** Redis goes back to an old dump, answers late, or its announcements are lost. */
import { Clock, Duration, Effect, Fiber } from "effect"
import { CALLS_PER_RENEWAL } from "../../support/bounds.js"
import { proxyTo } from "../../support/proxy.js"
import { commandsIn } from "../../support/redisCommands.js"
import type { RealWorker } from "../Fleet.js"
import { agree, type Row, type Scene, scene, seconds, until } from "../Row.js"
import type { RealSetting } from "../realStage.js"

/** Redis restarts with a dump from before the last renewal, while two processes run. */
const goBack = (set: Scene<RealSetting>) =>
  Effect.gen(function* () {
    const [first, second] = yield* Effect.all([set.one(), set.one()])
    yield* agree(set, [first, second], "before")
    yield* set.redis.call("SAVE")
    yield* second.outlive
    yield* agree(set, [first, second], "before Redis went back")
    yield* set.store.kill
    yield* set.store.restart
    return [first, second] as const
  })

/** The live session is in Redis again: a new process serves it without a token request. */
const newProcessServes = (set: Scene<RealSetting>, live: string | undefined) =>
  Effect.gen(function* () {
    const { token } = yield* (yield* set.one()).tryGet
    return token === live
  }).pipe(Effect.scoped)

const sendsNoSpentToken: Row<RealSetting> = {
  name: "Redis restarts with a dump from before the last renewal, and a token expires at once",
  short: true,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage)
      const [first, second] = yield* goBack(set)
      const before = yield* set.upstream.tokenCalls
      yield* first.outlive
      yield* agree(set, [first, second], "in the end")
      const { refused } = yield* set.upstream.counts
      set.must(refused === 0, `${refused} refresh tokens were sent that had been used`)
      set.costs((yield* set.upstream.tokenCalls) - before, CALLS_PER_RENEWAL)
      return yield* set.end(2, "the used refresh token in the dump was not sent")
    })
}

const writesBack: Row<RealSetting> = {
  name: "Redis restarts with a dump from before the last renewal, and no process renews",
  short: false,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage)
      yield* goBack(set)
      const before = yield* set.upstream.tokenCalls
      const live = String(yield* set.upstream.liveToken)
      const began = yield* Clock.currentTimeMillis
      const isRestored = Effect.gen(function* () {
        const [entry] = (yield* set.redis.call("KEYS", "nomba-auth:*}")) as ReadonlyArray<string>
        return entry !== undefined && String(yield* set.redis.call("HGET", entry, "text")).includes(live)
      })
      set.must(yield* until(isRestored), "the running processes did not write their session back")
      const took = (yield* Clock.currentTimeMillis) - began
      set.must(yield* newProcessServes(set, live), "a new process does not serve the live token")
      set.costs((yield* set.upstream.tokenCalls) - before, 0)
      return yield* set.end(2, `the live session was in Redis again after ${seconds(took)}`)
    })
}

const lateAcquire: Row<RealSetting> = {
  name: "a command that takes the lease reaches Redis 3 s late, and its process is paused",
  short: true,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage)
      const wire = yield* proxyTo(set.redis.port, commandsIn)
      const [late, other] = yield* Effect.all([set.one({ redis: wire.port }), set.one()])
      yield* agree(set, [late, other], "before")
      const before = yield* set.upstream.tokenCalls
      yield* wire.listen()
      yield* wire.delayNext("acquire", 3_000)
      const renewal = yield* Effect.fork(Effect.either(late.outlive))
      set.must(yield* until(Effect.sync(() => wire.heard().includes("acquire"))), "it did not ask for the lease")
      yield* late.stop
      yield* Effect.sleep(3_500)
      const [took, token] = yield* Effect.timed(Effect.merge(other.outlive))
      set.must(token === (yield* set.upstream.liveToken), `the other process got ${token}`)
      set.must(Duration.lessThan(took, "2 seconds"), `the other process waited ${seconds(took)} for its token`)
      yield* late.continue
      const outcome = yield* Fiber.join(renewal)
      set.must(outcome._tag === "Right", `the late process failed: ${outcome._tag === "Left" ? outcome.left : ""}`)
      yield* agree(set, [late, other], "in the end")
      set.costs((yield* set.upstream.tokenCalls) - before, 2 * CALLS_PER_RENEWAL)
      return yield* set.end(2, `the other process had its token after ${seconds(took)}`)
    })
}

/** Whether it has the live token in memory soon, which it can only have heard of. */
const hears = (set: Scene<RealSetting>, worker: RealWorker, within: Duration.DurationInput) =>
  Effect.gen(function* () {
    const live = yield* set.upstream.liveToken
    const isHeard = Effect.map(worker.peek, (token) => token === live)
    return yield* until(isHeard, within)
  })

/** Less than the 30 seconds after which a process reads the version on its own. */
const SOON: Duration.DurationInput = "5 seconds"

const silentSubscriber: Row<RealSetting> = {
  name: "the connection that hears announcements goes silent without closing",
  short: false,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage)
      const wire = yield* proxyTo(set.redis.port, commandsIn)
      const [deaf, other] = yield* Effect.all([set.one({ redis: wire.port }), set.one()])
      yield* agree(set, [deaf, other], "before")
      yield* wire.silenceSubscribers
      yield* other.renew
      const began = yield* Clock.currentTimeMillis
      set.must(yield* hears(set, deaf, "35 seconds"), "it did not learn of the renewal within 35 s")
      const took = (yield* Clock.currentTimeMillis) - began
      // By then its subscription has been renewed on another connection too.
      yield* Effect.sleep(Math.max(0, 35_000 - took))
      yield* other.renew
      set.must(yield* hears(set, deaf, SOON), "it hears nothing on its new connection")
      return yield* set.end(2, `it learned of the renewal after ${seconds(took)}, and heard the next one at once`)
    })
}

const rebuilt: Row<RealSetting> = {
  name: "a client layer is closed and built again at once over the same store layer",
  short: true,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage)
      const [listener, other] = yield* Effect.all([set.one(), set.one()])
      yield* agree(set, [listener, other], "before")
      for (let time = 1; time <= 3; time++) {
        yield* listener.rebuild
        yield* listener.get
        yield* other.renew
        set.must(yield* hears(set, listener, SOON), `it hears nothing after it was built again ${time} times`)
      }
      return yield* set.end(2, "it hears the other process's renewals after each of 3 times")
    })
}

export const redisFaults: ReadonlyArray<Row<RealSetting>> = [
  sendsNoSpentToken,
  writesBack,
  lateAcquire,
  silentSubscriber,
  rebuilt
]
