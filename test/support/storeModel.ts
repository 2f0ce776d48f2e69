/** The atomic steps of a store against a plain model of them, over random interleavings of several owners. */
import { assert } from "@effect/vitest"
import { Duration, Effect, FastCheck as fc, Option } from "effect"
import type { Connect, Entry, StoreDriver } from "../../src/layers/store/StoreDriver.js"
import type { Unavailable } from "../../src/schemas/AuthError.js"
import type { Session } from "../../src/schemas/Session.js"
import { freshKey, sessionOf } from "../../src/testing/tokenStore/harness.js"
import { makeHandClock } from "./storeClock.js"

const LEASE = 25_000

type Owner = "a" | "b" | "c"

type Command =
  | { readonly step: "acquire" | "extend" | "release"; readonly owner: Owner }
  | { readonly step: "mark"; readonly owner: Owner; readonly marked: boolean }
  | {
      readonly step: "commit"
      readonly owner: Owner
      /** Over what is there, or over the version that was there this many commits ago. */
      readonly ago: number
      readonly session: Session | undefined
      readonly tombstone: boolean
      readonly remaining: number
    }
  | { readonly step: "read" }
  | { readonly step: "time"; readonly by: number }

const owner = fc.constantFrom<Owner>("a", "a", "b", "c")
const sessions = ["one", "two", "three"].map((name) => sessionOf(name))

const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ step: fc.constantFrom("acquire" as const, "extend" as const, "release" as const), owner })
  },
  { weight: 3, arbitrary: fc.record({ step: fc.constant("mark" as const), owner, marked: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      step: fc.constant("commit" as const),
      owner,
      ago: fc.constantFrom(0, 0, 0, 1, 2),
      session: fc.constantFrom(undefined, ...sessions),
      tombstone: fc.boolean(),
      remaining: fc.constantFrom(0, 1, 10_000, 1_800_000)
    })
  },
  { weight: 1, arbitrary: fc.record({ step: fc.constant("read" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      step: fc.constant("time" as const),
      by: fc.constantFrom(-1, 1, 8_000, 8_000, 12_500, 24_999, 25_000)
    })
  }
)

/** What is known about one key, in plain words. */
class Model {
  /** Who was last given the lease, from when, until when. */
  lease: { readonly owner: Owner; readonly from: number; readonly until: number } | undefined
  entry: { readonly from: number; readonly until: number; readonly entry: Omit<Entry, "remaining"> } | undefined
  readonly versions: Array<number> = [0]

  readonly read = (now: number): Option.Option<Entry> =>
    Option.map(Option.fromNullable(this.entry), ({ entry, from, until }) => ({
      ...entry,
      remaining: Duration.millis(now < from ? 0 : Math.max(0, until - now))
    }))

  readonly isHeldBy = (owner: Owner, now: number): boolean => this.lease?.owner === owner && now < this.lease.until

  readonly give = (owner: Owner, now: number): void => {
    this.lease = { owner, from: now, until: now + LEASE }
  }

  readonly acquire = (owner: Owner, now: number): boolean => {
    const isFree = this.lease === undefined || now >= this.lease.until || now < this.lease.from
    if (isFree) this.give(owner, now)
    return this.isHeldBy(owner, now)
  }

  readonly extend = (owner: Owner, now: number): boolean => {
    const isHeld = this.isHeldBy(owner, now)
    if (isHeld) this.give(owner, now)
    return isHeld
  }
}

const run = function* (commands: ReadonlyArray<Command>, driver: StoreDriver, hand: { now: number }) {
  const model = new Model()
  for (const command of commands) {
    const { now } = hand
    switch (command.step) {
      case "time":
        hand.now += command.by
        break
      case "read":
        assert.deepStrictEqual(yield* driver.read, model.read(now))
        break
      case "acquire": {
        const { entry, held } = yield* driver.acquire(command.owner)
        assert.strictEqual(held, model.acquire(command.owner, now), "acquire")
        assert.deepStrictEqual(entry, model.read(now))
        break
      }
      case "extend":
        assert.strictEqual(yield* driver.extend(command.owner), model.extend(command.owner, now), "extend")
        break
      case "mark": {
        const isOurs = model.extend(command.owner, now)
        if (isOurs && model.entry !== undefined) {
          model.entry = { ...model.entry, entry: { ...model.entry.entry, marked: command.refreshInFlight } }
        }
        assert.strictEqual(yield* driver.mark(command.owner, command.refreshInFlight), isOurs, "mark")
        break
      }
      case "release":
        yield* driver.release(command.owner)
        if (model.lease?.owner === command.owner) model.lease = undefined
        break
      case "commit": {
        const { remaining, session, tombstone } = command
        const basis = model.versions.at(-1 - command.ago) ?? 0
        const last = model.versions.at(-1) ?? 0
        const next = { session: Option.fromNullable(session), tombstone }
        const version = yield* driver.commit(command.owner, basis, {
          ...next,
          remaining: Duration.millis(remaining)
        })
        const isAccepted = model.isHeldBy(command.owner, now) && basis === last
        assert.strictEqual(Option.isSome(version), isAccepted, "commit")
        if (Option.isSome(version)) {
          assert.isAbove(version.value, last, "versions rise")
          assert.isAtLeast(version.value, now, "versions are the store's time at least")
          model.versions.push(version.value)
          model.entry = {
            from: now,
            until: now + remaining,
            entry: { version: version.value, ...next, refreshInFlight: false }
          }
        }
        break
      }
    }
    assert.deepStrictEqual(yield* driver.read, model.read(hand.now))
  }
}

/** What is done, and the time at which it begins. */
export const commands = (maxLength: number): fc.Arbitrary<readonly [ReadonlyArray<Command>, number]> =>
  fc.tuple(fc.array(anyCommand, { minLength: 1, maxLength, size: "max" }), fc.constantFrom(0, 1_000_000))

/** Does it all, on a clock that the commands set, and holds each answer against the model. */
export const followsModel = (
  connect: Connect,
  [commands, start]: readonly [ReadonlyArray<Command>, number]
): Effect.Effect<void, Unavailable> => {
  const hand = makeHandClock(start)
  return Effect.gen(function* () {
    const driver = yield* Effect.withClock(connect(yield* freshKey(), Duration.millis(LEASE)), hand.clock)
    yield* run(commands, driver, hand)
  }).pipe(Effect.scoped)
}
