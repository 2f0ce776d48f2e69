/** A store of one key that can go back to what it held before, as after a failover, a restored backup or a flush. */
import { Duration, Effect, Option, PubSub, Stream } from "effect"
import * as LeasedEntry from "../../src/layers/store/LeasedEntry.js"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import type { Connect, Reading } from "../../src/layers/store/StoreDriver.js"
import type { StoredContent } from "../../src/schemas/Session.js"
import type { TokenStoreService } from "../../src/services/TokenStore.js"

export type Snapshot = LeasedEntry.LeasedEntry<StoredContent>

export interface RewindableStore {
  /** The store as one more process sees it. */
  readonly process: () => TokenStoreService
  readonly snapshot: () => Snapshot
  readonly rewindTo: (snapshot: Snapshot) => void
  readonly flush: () => void
  /** How many steps the store has carried out. */
  readonly steps: () => number
  /** The access token that is stored; undefined for a tombstone or nothing. */
  readonly stored: () => StoredContent | undefined
}

export const makeRewindableStore = (): RewindableStore => {
  let entry: Snapshot = LeasedEntry.empty
  let steps = 0
  const announced = Effect.runSync(PubSub.sliding<number>(16))
  const announce = Effect.suspend(() => PubSub.publish(announced, entry.content?.version ?? 0))

  const readingAt = (now: number): Reading => ({
    now,
    isLeased: LeasedEntry.isLeased(entry, now),
    failure: LeasedEntry.failureAt(entry, now),
    entry: Option.map(Option.fromNullable(entry.content), (content) => ({
      ...content.value,
      version: content.version,
      refreshInFlight: content.refreshInFlight,
      remaining: LeasedEntry.left(content, now)
    }))
  })

  const connect: Connect = (_, leaseTime) =>
    Effect.map(Effect.clock, (clock) => {
      const at = <A>(run: (now: number) => A) =>
        Effect.sync(() => {
          steps += 1
          return run(clock.unsafeCurrentTimeMillis())
        })
      const step = (run: (now: number) => LeasedEntry.Outcome<StoredContent, boolean>) =>
        at((now) => {
          const [answer, next] = run(now)
          entry = next
          return answer
        })
      return {
        leaseTime,
        acquireTimeout: Duration.seconds(1),
        read: at(readingAt),
        acquire: (owner, options) =>
          Effect.zipWith(
            step((now) => LeasedEntry.acquire(entry, owner, options, now, leaseTime)),
            at(readingAt),
            (held, reading) => ({ ...reading, held })
          ),
        extend: (owner) => step((now) => LeasedEntry.extend(entry, owner, now, leaseTime)),
        setRefreshInFlight: (owner, inFlight) =>
          step((now) => LeasedEntry.setRefreshInFlight(entry, owner, inFlight, now, leaseTime)),
        commit: (owner, expected, { session, tombstone, ...write }) =>
          Effect.tap(
            step((now) => LeasedEntry.commit(entry, owner, expected, { ...write, value: { session, tombstone } }, now)),
            () => announce
          ),
        release: (owner, outcome) =>
          Effect.zipRight(
            step((now) => LeasedEntry.release(entry, owner, outcome, now)),
            announce
          ),
        changes: Stream.fromPubSub(announced, { scoped: true }),
        close: Effect.succeed(false)
      }
    })

  return {
    process: () => SessionStore.fromDriver(connect),
    snapshot: () => entry,
    rewindTo: (snapshot) => {
      entry = { ...snapshot, lease: undefined }
    },
    steps: () => steps,
    flush: () => {
      entry = LeasedEntry.empty
    },
    stored: () => entry.content?.value
  }
}
