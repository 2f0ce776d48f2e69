import { Duration, Effect, Exit } from "effect"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import * as Flight from "../../../src/layers/cache/Flight.js"

/** A flight on timers that the test drives, whose work never ends. */
const never = (limit: Duration.DurationInput = "30 seconds") => {
  const runs: Array<Flight.Run> = []
  const flight = Flight.make<never>({
    fork: Effect.runFork,
    now: Date.now,
    limit: Duration.decode(limit),
    hasHeartbeat: true,
    work: (run) => {
      runs.push(run)
      return Effect.async(() => {})
    },
    onInterrupt: Exit.void,
    onTimeout: Exit.void
  })
  return { flight, runs }
}

describe.sequential("the heartbeat of a renewal", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  const start = async ({ flight }: ReturnType<typeof never>) => {
    const timers = vi.spyOn(globalThis, "setInterval")
    await Effect.runPromise(flight.start)
    const heartbeat = timers.mock.results[0]?.value
    timers.mockRestore()
    return { stop: () => clearInterval(heartbeat) }
  }

  it("lets callers give up a run that has lost its timers, and start another", async () => {
    const made = never()
    const { stop } = await start(made)
    const woken: Array<string> = []
    made.flight.listen(() => woken.push("listener"))
    const waiting = Effect.runPromise(made.flight.run).then(() => woken.push("fiber"))
    stop()
    await vi.advanceTimersByTimeAsync(2_000)
    assert.deepStrictEqual(woken, [])
    await vi.advanceTimersByTimeAsync(3_000)
    await waiting
    assert.sameMembers(woken, ["listener", "fiber"])
    assert.isTrue(made.runs[0]?.isDead())
    await Effect.runPromise(made.flight.start)
    assert.lengthOf(made.runs, 2)
    assert.isFalse(made.runs[1]?.isDead())
  })

  it("lets a caller who does not wait replace a run without a limit that has lost its timers for a minute", async () => {
    const made = never(Duration.infinity)
    const { stop } = await start(made)
    await vi.advanceTimersByTimeAsync(24 * 3_600_000)
    await Effect.runPromise(made.flight.start)
    assert.lengthOf(made.runs, 1)
    stop()
    await vi.advanceTimersByTimeAsync(60_000)
    await Effect.runPromise(made.flight.start)
    assert.lengthOf(made.runs, 1)
    await vi.advanceTimersByTimeAsync(1_000)
    await Effect.runPromise(made.flight.start)
    assert.lengthOf(made.runs, 2)
    assert.deepStrictEqual(
      made.runs.map((run) => run.isDead()),
      [true, false]
    )
  })

  it("keeps a run alive for its whole limit", async () => {
    const made = never()
    await start(made)
    const woken: Array<string> = []
    made.flight.listen(() => woken.push("listener"))
    await vi.advanceTimersByTimeAsync(29_000)
    assert.deepStrictEqual(woken, [])
    assert.isFalse(made.runs[0]?.isDead())
    await vi.advanceTimersByTimeAsync(3_000)
    assert.deepStrictEqual(woken, ["listener"])
  })

  it("does not give up a run because the whole process was stalled", async () => {
    const made = never()
    await start(made)
    const woken: Array<string> = []
    made.flight.listen(() => woken.push("listener"))
    for (let stall = 0; stall < 3; stall += 1) {
      vi.setSystemTime(Date.now() + 6_000)
      await vi.advanceTimersByTimeAsync(1_000)
    }
    assert.deepStrictEqual(woken, [])
    assert.isFalse(made.runs[0]?.isDead())
  })

  it("calls no listener that has left", async () => {
    const made = never()
    const { stop } = await start(made)
    const leave = made.flight.listen(() => assert.fail("it has left"))
    leave?.()
    stop()
    await vi.advanceTimersByTimeAsync(10_000)
    assert.strictEqual(vi.getTimerCount(), 0)
  })
})
