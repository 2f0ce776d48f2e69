/** Waiting for an answer, and standing still meanwhile. */
import * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, type Scope } from "effect"
import { vi } from "vitest"
import { atMost } from "../../../src/layers/wait/atMost.js"
import * as patiently from "../../../src/layers/wait/patiently.js"
import { serveTcp } from "../../support/server.js"
import { standStill } from "../../support/standStill.js"
import { simulated } from "../../support/time.js"

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

/** Stands still again and again, each time for one step of a time-out of 1 s, and does something before the last time. */
const standStillOften = (times: number, beforeTheLast: () => void): void =>
  void setImmediate(() => {
    if (times === 1) beforeTheLast()
    standStill(110)
    if (times > 1) standStillOften(times - 1, beforeTheLast)
  })

const brief = patiently.timeoutFail({ duration: "50 millis", onTimeout: () => "late" })

describe.sequential("an answer that is there when its time is over, because the process stood still", () => {
  type Within = (answer: Effect.Effect<string>) => Effect.Effect<string, unknown>
  const ways: ReadonlyArray<readonly [name: string, within: Within]> = [
    ["counts", patiently.timeoutFail({ duration: "1 second", onTimeout: () => "late" })],
    ["counts in a step of a store", atMost(Duration.seconds(1))]
  ]
  for (const [name, within] of ways) {
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const { answer, send } = yield* wire
        standStillOften(10, () => send("answer"))
        assert.strictEqual(yield* within(answer), "answer")
      })
    )
  }

  it.scopedLive("counts where it takes several turns, and the process stands still in each", () =>
    Effect.gen(function* () {
      const { answer, ask, onAsked, send } = yield* wire
      onAsked(() => {
        send("answer")
        standStill(600)
      })
      const asked = Effect.zipRight(
        Effect.sync(() => ask("question")),
        answer
      )
      const within = patiently.timeoutFail({ duration: "500 millis", onTimeout: () => "late" })
      assert.deepStrictEqual(yield* within(Effect.all([asked, asked, asked])), Array(3).fill("answer"))
    })
  )
})

describe.sequential("an answer that does not come", () => {
  it.live("is waited for no longer, where the caller cannot be interrupted either", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip(brief(Effect.never)), "late")
      const masked = Effect.uninterruptible(brief(Effect.interruptible(Effect.never)))
      assert.strictEqual(yield* Effect.flip(masked), "late")
    })
  )

  it.live("is waited for no longer on a platform that does not tell its turns", () =>
    Effect.gen(function* () {
      vi.stubGlobal("setImmediate", undefined)
      assert.strictEqual(yield* Effect.flip(brief(Effect.never)), "late")
    }).pipe(Effect.ensuring(Effect.sync(() => vi.unstubAllGlobals())))
  )

  it("is waited for as long as another clock says, and nothing real beside it", () => {
    const [waited, error] = simulated(Effect.timed(Effect.flip(brief(Effect.never))))
    assert.deepStrictEqual([Duration.toMillis(waited), error], [50, "late"])
    const [slept] = simulated(Effect.timed(patiently.sleep("50 millis")))
    assert.strictEqual(Duration.toMillis(slept), 50)
  })

  it.live("has the clock that its time-out was given, and not another", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* brief(Effect.clock), yield* Effect.clock)
    })
  )
})
