/** The atomic steps of a store against a plain model of them, over random interleavings of several owners. */
import { assert } from "@effect/vitest"
import { Duration, Effect, FastCheck as fc, Option } from "effect"
import {
  type Connect,
  type Entry,
  type Owner,
  ownerText,
  type Reading,
  type StoreDriver
} from "../../src/layers/store/StoreDriver.js"
import type { Unavailable } from "../../src/schemas/AuthError.js"
import type { Session } from "../../src/schemas/Session.js"
import type { SharedFailure } from "../../src/services/TokenStore.js"
import { freshKey, sessionOf } from "../../src/testing/tokenStore/harness.js"
import { makeHandClock } from "./storeClock.js"
import { ownerOf } from "./storeFaults.js"

const LEASE = 15_000

type Name = "a" | "b"

type Command =
  | { readonly step: "acquire"; readonly owner: Owner; readonly below: number; readonly lateBy: number }
  | { readonly step: "extend"; readonly owner: Owner }
  | { readonly step: "release"; readonly owner: Owner; readonly wait: number | undefined; readonly cancel: boolean }
  | { readonly step: "setRefreshInFlight"; readonly owner: Owner; readonly inFlight: boolean }
  | {
      readonly step: "commit"
      readonly owner: Owner
      /** Over what is stored, or over the version that was stored this many commits ago. */
      readonly ago: number
      /** How much the version rises, if it does. */
      readonly rise: number
      readonly session: Session | undefined
      readonly tombstone: boolean
      readonly remaining: number
      /** How much sooner the session expires by what its writer knows of the store's time. */
      readonly sooner: number
    }
  | { readonly step: "read" }
  | { readonly step: "time"; readonly by: number }

const owner: fc.Arbitrary<Owner> = fc
  .tuple(fc.constantFrom<Name>("a", "a", "b"), fc.constantFrom(1, 1, 2, 3))
  .map(([name, attempt]) => ownerOf(name, attempt))
const sessions = ["one", "two", "three"].map((name) => sessionOf(name))

const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      step: fc.constant("acquire" as const),
      owner,
      below: fc.constantFrom(0, 1, 2, 3),
      lateBy: fc.constantFrom(-1_000, 0, 0, 1)
    })
  },
  { weight: 1, arbitrary: fc.record({ step: fc.constant("extend" as const), owner }) },
  {
    weight: 2,
    arbitrary: fc.record({
      step: fc.constant("release" as const),
      owner,
      wait: fc.constantFrom(undefined, undefined, 0, 8_000),
      cancel: fc.boolean()
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({ step: fc.constant("setRefreshInFlight" as const), owner, inFlight: fc.boolean() })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      step: fc.constant("commit" as const),
      owner,
      ago: fc.constantFrom(0, 0, 0, 1, 2),
      rise: fc.constantFrom(-1, 0, 1, 1, 1, 1_000),
      session: fc.constantFrom(undefined, ...sessions),
      tombstone: fc.boolean(),
      remaining: fc.constantFrom(0, 1, 10_000, 1_800_000),
      sooner: fc.constantFrom(-5_000, 0, 0, 5_000)
    })
  },
  { weight: 1, arbitrary: fc.record({ step: fc.constant("read" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      step: fc.constant("time" as const),
      by: fc.constantFrom(-1, 1, 8_000, 8_000, 7_500, 14_999, 15_000)
    })
  }
)

/** A span of time; a clock that is set back to before it ends it. */
interface Span {
  readonly from: number
  readonly until: number
}

const remains = ({ from, until }: Span, now: number): number => (now < from ? 0 : Math.max(0, until - now))

/** What is known about one key, in plain words. */
class Model {
  /** Who was last given the lease, from when, until when. */
  lease: (Span & { readonly owner: Owner }) | undefined
  entry: (Span & { readonly entry: Omit<Entry, "remaining"> }) | undefined
  failure: (Span & { readonly failure: Omit<SharedFailure, "wait"> }) | undefined
  readonly versions: Array<number> = [0]

  readonly read = (now: number): Reading => ({
    now,
    isLeased: this.lease !== undefined && remains(this.lease, now) > 0,
    failure: Option.map(Option.fromNullable(this.failure), (span) => ({
      ...span.failure,
      wait: Duration.millis(remains(span, now))
    })),
    entry: Option.map(Option.fromNullable(this.entry), (span) => ({
      ...span.entry,
      remaining: Duration.millis(remains(span, now))
    }))
  })

  readonly isHeldBy = (owner: Owner, now: number): boolean =>
    this.lease !== undefined && ownerText(this.lease.owner) === ownerText(owner) && now < this.lease.until

  readonly give = (owner: Owner, now: number): void => {
    this.lease = { owner, from: now, until: now + LEASE }
  }

  readonly acquire = (owner: Owner, below: number, isLate: boolean, now: number): boolean => {
    if (this.isHeldBy(owner, now)) return true
    const isAbandoned = this.lease?.owner.store === owner.store && this.lease.owner.attempt < below
    if (!isLate && (isAbandoned || !this.read(now).isLeased)) this.give(owner, now)
    return this.isHeldBy(owner, now)
  }

  readonly extend = (owner: Owner, now: number): boolean => {
    const isHeld = this.isHeldBy(owner, now)
    if (isHeld) this.give(owner, now)
    return isHeld
  }

  readonly flag = (refreshInFlight: Option.Option<Owner>): void => {
    if (this.entry !== undefined) this.entry = { ...this.entry, entry: { ...this.entry.entry, refreshInFlight } }
  }
}

const run = function* (
  commands: ReadonlyArray<Command>,
  driver: StoreDriver,
  hand: { now: number },
  timeGoesBack: boolean
) {
  const model = new Model()
  let { now } = hand
  for (const command of commands) {
    switch (command.step) {
      case "time":
        hand.now += command.by
        now += timeGoesBack ? command.by : Math.max(0, command.by)
        break
      case "read":
        break
      case "acquire": {
        const { below, lateBy, owner } = command
        const { held, ...reading } = yield* driver.acquire(owner, { notAfter: now - lateBy, takeOverBelow: below })
        assert.strictEqual(held, model.acquire(owner, below, lateBy > 0, now), "acquire")
        assert.deepStrictEqual(reading, model.read(now))
        break
      }
      case "extend":
        assert.strictEqual(yield* driver.extend(command.owner), model.extend(command.owner, now), "extend")
        break
      case "setRefreshInFlight": {
        const { inFlight, owner } = command
        const isOurs = model.extend(owner, now)
        if (isOurs) model.flag(inFlight ? Option.some(owner) : Option.none())
        assert.strictEqual(yield* driver.setRefreshInFlight(owner, inFlight), isOurs, "setRefreshInFlight")
        break
      }
      case "release": {
        const { cancel, owner, wait } = command
        const failure = { reason: "ServerError", status: Option.some(503), count: 1 } as const
        yield* driver.release(owner, {
          cancelRefresh: cancel,
          failure: Option.map(Option.fromNullable(wait), (millis) => ({ ...failure, wait: Duration.millis(millis) }))
        })
        if (!model.isHeldBy(owner, now)) break
        model.lease = undefined
        if (cancel) model.flag(Option.none())
        if (wait !== undefined) model.failure = { failure, from: now, until: now + wait }
        break
      }
      case "commit": {
        const { ago, owner, remaining, rise, session, sooner, tombstone } = command
        const last = model.entry?.entry.version ?? 0
        const expected = model.versions.at(-1 - ago) ?? 0
        const version = last + rise
        const content = { version, session: Option.fromNullable(session), tombstone }
        const expiresAt = now + remaining - sooner
        const isWritten = yield* driver.commit(owner, expected, {
          ...content,
          remaining: Duration.millis(remaining),
          expiresAt
        })
        const isAccepted = model.isHeldBy(owner, now) && expected === last && rise > 0
        assert.strictEqual(isWritten, isAccepted, "commit")
        if (!isWritten) break
        model.versions.push(version)
        model.failure = undefined
        model.entry = {
          from: now,
          until: Math.min(expiresAt, now + remaining),
          entry: { ...content, refreshInFlight: Option.none() }
        }
        break
      }
    }
    assert.deepStrictEqual(yield* driver.read, model.read(now))
  }
}

/** What is done, and the time at which it begins. */
export const commands = (maxLength: number): fc.Arbitrary<readonly [ReadonlyArray<Command>, number]> =>
  fc.tuple(fc.array(anyCommand, { minLength: 1, maxLength, size: "max" }), fc.constantFrom(0, 1_000_000))

/**
 * Does it all, on a clock that the commands set, and holds each answer against the model. `timeGoesBack`: the store's time is that
 * of the clock also when it is set back.
 */
export const followsModel = (
  connect: Connect,
  [commands, start]: readonly [ReadonlyArray<Command>, number],
  { timeGoesBack }: { readonly timeGoesBack: boolean }
): Effect.Effect<void, Unavailable> => {
  const hand = makeHandClock(start)
  return Effect.gen(function* () {
    const driver = yield* Effect.withClock(connect(yield* freshKey(), Duration.millis(LEASE)), hand.clock)
    yield* run(commands, driver, hand, timeGoesBack)
  }).pipe(Effect.scoped)
}
