/** Time-outs in a process that stalls while it waits. */
import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, type Scope } from "effect"
import { vi } from "vitest"
import { firstOf, hardTimeout, stallCount, stallTolerantSleep, stallTolerantTimeout } from "../../src/layers/time.js"
import { serveTcp } from "../support/server.js"
import { stallFor } from "../support/stallFor.js"
import { simulated } from "../support/time.js"

interface Wire {
  /** What comes next. */
  readonly answer: Effect.Effect<string>
  readonly ask: (text: string) => void
  /** What is done with each question. */
  readonly onAsked: (handle: () => void) => void
  readonly send: (text: string) => void
}

const wire: Effect.Effect<Wire, never, Scope.Scope> = Effect.gen(function* () {
  const accepted = yield* Deferred.make<Net.Socket>()
  const { port } = yield* serveTcp((socket) => void Deferred.unsafeDone(accepted, Effect.succeed(socket)))
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => Net.connect(port, "127.0.0.1")),
    (socket) => Effect.sync(() => socket.destroy())
  )
  const peer = yield* Deferred.await(accepted)
  return {
    answer: Effect.async((resume) => {
      client.once("data", (data) => resume(Effect.succeed(String(data))))
    }),
    ask: (text) => void client.write(text),
    onAsked: (handle) => void peer.on("data", handle),
    send: (text) => void peer.write(text)
  }
})

/** Stalls the process repeatedly, each time for one step of a time-out of 1 s, and acts before the last time. */
const stallRepeatedly = (times: number, beforeTheLast: () => void): void =>
  void setImmediate(() => {
    if (times === 1) beforeTheLast()
    stallFor(110)
    if (times > 1) stallRepeatedly(times - 1, beforeTheLast)
  })

const brief = stallTolerantTimeout({ duration: "50 millis", onTimeout: () => "late" })

describe.sequential("a time-out of a stalled process", () => {
  type Within = (answer: Effect.Effect<string>) => Effect.Effect<string, unknown>
  const ways: ReadonlyArray<readonly [name: string, within: Within]> = [
    [
      "takes the answer that has arrived: stallTolerantTimeout",
      stallTolerantTimeout({ duration: "1 second", onTimeout: () => "late" })
    ],
    ["takes the answer that has arrived: hardTimeout", hardTimeout(Duration.seconds(1))]
  ]
  for (const [name, within] of ways) {
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const { answer, send } = yield* wire
        stallRepeatedly(10, () => send("answer"))
        assert.strictEqual(yield* within(answer), "answer")
      })
    )
  }

  it.scopedLive("takes an answer that needs several turns of the event loop, with a stall in each", () =>
    Effect.gen(function* () {
      const { answer, ask, onAsked, send } = yield* wire
      onAsked(() => {
        send("answer")
        stallFor(600)
      })
      const asked = Effect.zipRight(
        Effect.sync(() => ask("question")),
        answer
      )
      const within = stallTolerantTimeout({ duration: "500 millis", onTimeout: () => "late" })
      assert.deepStrictEqual(yield* within(Effect.all([asked, asked, asked])), Array(3).fill("answer"))
    })
  )
})

describe.sequential("stallTolerantTimeout", () => {
  it.live("ends the wait, also in an uninterruptible region", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip(brief(Effect.never)), "late")
      const masked = Effect.uninterruptible(brief(Effect.interruptible(Effect.never)))
      assert.strictEqual(yield* Effect.flip(masked), "late")
    })
  )

  it.live("ends the wait on a platform without setImmediate", () =>
    Effect.gen(function* () {
      vi.stubGlobal("setImmediate", undefined)
      assert.strictEqual(yield* Effect.flip(brief(Effect.never)), "late")
    }).pipe(Effect.ensuring(Effect.sync(() => vi.unstubAllGlobals())))
  )

  it("counts with a clock of the program, without real time", () => {
    const [waited, error] = simulated(Effect.timed(Effect.flip(brief(Effect.never))))
    assert.deepStrictEqual([Duration.toMillis(waited), error], [50, "late"])
    const [slept] = simulated(Effect.timed(stallTolerantSleep("50 millis")))
    assert.strictEqual(Duration.toMillis(slept), 50)
  })

  it.live("leaves the clock of its effect as it was", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* brief(Effect.clock), yield* Effect.clock)
    })
  )
})

describe.sequential("stallCount", () => {
  it.live("counts a stall that a sleep has noticed", () =>
    Effect.gen(function* () {
      const before = stallCount()
      setImmediate(() => stallFor(1_200))
      yield* stallTolerantSleep("100 millis")
      assert.isAbove(stallCount(), before)
    })
  )
})

describe("firstOf", () => {
  it.effect("ends with the first effect in an uninterruptible region", () =>
    Effect.gen(function* () {
      const first = Effect.uninterruptible(firstOf(Effect.succeed("first"), Effect.never))
      assert.strictEqual(yield* first, "first")
    })
  )
})
