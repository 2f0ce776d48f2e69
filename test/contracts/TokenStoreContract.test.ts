/** The contract accepts a sound store, here the plainest one, and notices what is wrong with an unsound one. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Option, PubSub, Stream, TestClock } from "effect"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import {
  type Connect,
  type Owner,
  ownerText,
  type Reading,
  type StoreDriver,
  type Write
} from "../../src/layers/store/StoreDriver.js"
import { Unavailable } from "../../src/schemas/AuthError.js"
import { Session } from "../../src/schemas/Session.js"
import type { StoreKey } from "../../src/schemas/StoreKey.js"
import type { SharedFailure } from "../../src/services/TokenStore.js"
import { faultyTokenStore, tokenStoreContract } from "../../src/testing/TokenStoreContract.js"

interface Slot {
  content:
    | (Omit<Write, "remaining" | "expiresAt"> & { refreshInFlight: Option.Option<Owner>; expiry: number })
    | undefined
  lease: { owner: Owner; expiry: number } | undefined
  failure: (Omit<SharedFailure, "wait"> & { expiry: number }) | undefined
  isReadable: boolean
  readonly changes: PubSub.PubSub<number>
}

/** What may be wrong with a store: each answers what it should not. */
interface Defects {
  readonly nameOf: (key: StoreKey) => string
  readonly givesLeaseToAll: boolean
  readonly writesWithoutLease: boolean
  readonly writesAnyVersion: boolean
  readonly extendsAnExpiredLease: boolean
  readonly flagsWithoutLease: boolean
  readonly freesAnyLease: boolean
  readonly neverFlags: boolean
  readonly keepsFlag: boolean
  readonly leavesFlagOnRelease: boolean
  readonly announcesNothing: boolean
  readonly countsNothingDown: boolean
  readonly dropsWhatATombstoneKeeps: boolean
  readonly forgetsOnClose: boolean
  readonly takesLateAcquires: boolean
  readonly neverTakesOver: boolean
  readonly takesOverAnyAttempt: boolean
  readonly forgetsFailures: boolean
  readonly keepsFailures: boolean
  readonly takesFailuresFromAnyone: boolean
  readonly write: (session: Session) => Session
}

const sound: Defects = {
  nameOf: (key) => key,
  givesLeaseToAll: false,
  writesWithoutLease: false,
  writesAnyVersion: false,
  extendsAnExpiredLease: false,
  flagsWithoutLease: false,
  freesAnyLease: false,
  neverFlags: false,
  keepsFlag: false,
  leavesFlagOnRelease: false,
  announcesNothing: false,
  countsNothingDown: false,
  dropsWhatATombstoneKeeps: false,
  forgetsOnClose: false,
  takesLateAcquires: false,
  neverTakesOver: false,
  takesOverAnyAttempt: false,
  forgetsFailures: false,
  keepsFailures: false,
  takesFailuresFromAnyone: false,
  write: (session) => session
}

const unreadable = new Unavailable({ operation: "store", reason: "StoreUnreadable" })

const plainStore = (defects: Defects) => {
  const slots = new Map<string, Slot>()
  const slotOf = (key: StoreKey): Effect.Effect<Slot> =>
    Effect.gen(function* () {
      const slot: Slot = slots.get(defects.nameOf(key)) ?? {
        content: undefined,
        lease: undefined,
        failure: undefined,
        isReadable: true,
        changes: yield* PubSub.sliding<number>(16)
      }
      slots.set(defects.nameOf(key), slot)
      return slot
    })

  const connect: Connect = (key, leaseTime) =>
    Effect.gen(function* () {
      const slot = yield* slotOf(key)
      const at = <A>(run: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, run)
      const announce = Effect.suspend(() => PubSub.publish(slot.changes, slot.content?.version ?? 0)).pipe(
        Effect.unless(() => defects.announcesNothing)
      )
      const isOwner = (owner: Owner) => slot.lease !== undefined && ownerText(slot.lease.owner) === ownerText(owner)
      const isLeased = (now: number) => slot.lease !== undefined && now < slot.lease.expiry
      const give = (owner: Owner, now: number) => {
        slot.lease = { owner, expiry: now + Duration.toMillis(leaseTime) }
      }
      const extend = (owner: Owner, now: number) => {
        const isOurs = isOwner(owner) && (isLeased(now) || defects.extendsAnExpiredLease)
        if (isOurs) give(owner, now)
        return isOurs || defects.givesLeaseToAll
      }
      const isAbandoned = (owner: Owner, takeOverBelow: number) =>
        slot.lease?.owner.store === owner.store &&
        !defects.neverTakesOver &&
        (slot.lease.owner.attempt < takeOverBelow || defects.takesOverAnyAttempt)
      const readingAt = (now: number): Effect.Effect<Reading, Unavailable> =>
        slot.isReadable
          ? Effect.succeed({
              now,
              isLeased: isLeased(now),
              failure: Option.map(Option.fromNullable(slot.failure), ({ expiry, ...failure }) => ({
                ...failure,
                wait: Duration.millis(Math.max(0, expiry - now))
              })),
              entry: Option.map(Option.fromNullable(slot.content), ({ expiry, ...content }) => ({
                ...content,
                remaining: Duration.millis(defects.countsNothingDown ? 600_000 : Math.max(0, expiry - now))
              }))
            })
          : unreadable
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          if (defects.forgetsOnClose) slot.content = undefined
        })
      )
      const driver: StoreDriver = {
        leaseTime,
        acquireTimeout: Duration.seconds(1),
        read: Effect.flatten(at(readingAt)),
        acquire: (owner, { notAfter = Number.POSITIVE_INFINITY, takeOverBelow }) =>
          Effect.flatten(
            at((now) => {
              const mayTake = !isLeased(now) || isAbandoned(owner, takeOverBelow)
              if (mayTake && (now <= notAfter || defects.takesLateAcquires)) give(owner, now)
              const held = (isOwner(owner) && isLeased(now)) || defects.givesLeaseToAll
              return Effect.map(readingAt(now), (reading) => ({ ...reading, held }))
            })
          ),
        extend: (owner) => at((now) => extend(owner, now)),
        setRefreshInFlight: (owner, inFlight) =>
          at((now) => {
            const isOurs = extend(owner, now) || defects.flagsWithoutLease
            if (isOurs && slot.content !== undefined && !defects.neverFlags) {
              slot.content.refreshInFlight = inFlight ? Option.some(owner) : Option.none()
            }
            return isOurs
          }),
        commit: (owner, expectedVersion, { expiresAt, remaining, session, tombstone, version }) =>
          Effect.gen(function* () {
            const now = yield* Clock.currentTimeMillis
            const stored = slot.content?.version ?? 0
            const isPermitted =
              (isOwner(owner) && isLeased(now)) || defects.writesWithoutLease || defects.givesLeaseToAll
            if (!isPermitted || stored !== expectedVersion) return false
            if (version <= stored && !defects.writesAnyVersion) return false
            slot.content = {
              version,
              session:
                tombstone && defects.dropsWhatATombstoneKeeps ? Option.none() : Option.map(session, defects.write),
              tombstone,
              refreshInFlight: defects.keepsFlag ? (slot.content?.refreshInFlight ?? Option.none()) : Option.none(),
              expiry: Math.min(expiresAt, now + Duration.toMillis(remaining))
            }
            if (!defects.keepsFailures) slot.failure = undefined
            yield* announce
            return true
          }),
        release: (owner, { cancelRefresh, failure }) =>
          Effect.gen(function* () {
            const now = yield* Clock.currentTimeMillis
            const isOurs = isOwner(owner) && isLeased(now)
            if ((isOurs || defects.takesFailuresFromAnyone) && Option.isSome(failure) && !defects.forgetsFailures) {
              const { wait, ...rest } = failure.value
              slot.failure = { ...rest, expiry: now + Duration.toMillis(wait) }
            }
            if (!isOurs && !defects.freesAnyLease) return
            if (cancelRefresh && slot.content !== undefined && !defects.leavesFlagOnRelease) {
              slot.content.refreshInFlight = Option.none()
            }
            slot.lease = undefined
            yield* announce
          }),
        changes: Stream.fromPubSub(slot.changes, { scoped: true }),
        close: Effect.succeed(false)
      }
      return driver
    })

  return tokenStoreContract({
    store: Effect.succeed(SessionStore.fromDriver(connect)),
    faulty: faultyTokenStore(connect),
    corrupt: (key) =>
      Effect.map(slotOf(key), (slot) => {
        slot.isReadable = false
      }),
    snapshot: (key) =>
      Effect.map(slotOf(key), (slot) => {
        const kept = slot.content && { ...slot.content }
        return Effect.sync(() => {
          slot.content = kept && { ...kept }
        })
      }),
    pass: TestClock.adjust
  })
}

describe("the contract of token stores accepts a sound store, which", () => {
  for (const { effect, name } of plainStore(sound)) it.scoped(name, () => effect)
})

describe("the contract of token stores notices a store that", () => {
  const notices = (what: string, defects: Partial<Defects>, ...names: ReadonlyArray<string>) =>
    it.scoped(what, () =>
      Effect.gen(function* () {
        const cases = plainStore({ ...sound, ...defects })
        for (const name of names) {
          const { effect } = cases.find((_) => _.name.startsWith(name)) ?? assert.fail(`no case ${name}`)
          const exit = yield* Effect.exit(Effect.scoped(effect))
          assert.isTrue(Exit.isFailure(exit), `"${name}" passes`)
        }
      })
    )

  notices(
    "gives its lease to every process",
    { givesLeaseToAll: true },
    "never lets two renewals run at once",
    "waits with a logout",
    "lets one logout run at a time"
  )
  notices("writes without a lease", { writesWithoutLease: true }, "rejects a late write of a holder whose lease")
  notices("writes any version", { writesAnyVersion: true }, "rejects a commit whose version is not above")
  notices(
    "extends a lease that has run out",
    { extendsAnExpiredLease: true },
    "rejects extend of a holder whose lease has expired",
    "rejects beginRefresh of a holder whose lease has expired"
  )
  notices(
    "sets the refresh-in-flight flag without a lease",
    { flagsWithoutLease: true },
    "rejects beginRefresh of a holder that another has overtaken"
  )
  notices("lets any process free the lease", { freesAnyLease: true }, "leaves the lease to its new holder")
  notices(
    "loses the refresh-in-flight flag",
    { neverFlags: true },
    "leaves the refresh-in-flight flag for the next holder when a renewal fails",
    "shows the next holder the refresh-in-flight flag"
  )
  notices(
    "keeps the flag of a session that was replaced",
    { keepsFlag: true },
    "leaves the refresh-in-flight flag for the next holder when a renewal has a defect",
    "takes a refresh-in-flight flag with it"
  )
  notices(
    "leaves an unused flag when the lease is released",
    { leavesFlagOnRelease: true },
    "takes the refresh-in-flight flag back with the lease"
  )
  notices(
    "gives the lease to an acquire that is late",
    { takesLateAcquires: true },
    "gives no lease to an acquire that arrives after"
  )
  notices("never takes a lease over", { neverTakesOver: true }, "takes over the lease of a renewal of the same process")
  notices(
    "takes over the lease of any attempt of the same store",
    { takesOverAnyAttempt: true },
    "does not take over the lease of a renewal whose caller waits"
  )
  notices("forgets failures", { forgetsFailures: true }, "holds back a waiter and a newcomer")
  notices("keeps a failure after a commit", { keepsFailures: true }, "shows the next renewal the last failure")
  notices(
    "takes a failure from a process without the lease",
    { takesFailuresFromAnyone: true },
    "takes no failure from a process that lost its lease"
  )
  notices(
    "announces nothing",
    { announcesNothing: true },
    "announces each session",
    "hears a commit of another process"
  )
  notices("counts nothing down", { countsNothingDown: true }, "counts down")
  notices(
    "drops what a tombstone keeps",
    { dropsWhatATombstoneKeeps: true },
    "keeps the session inside the tombstone when the revocation fails"
  )
  notices("forgets on close", { forgetsOnClose: true }, "keeps the session when its holder closes")
  notices(
    "loses a field",
    { write: (session) => new Session({ ...session, businessId: Option.none() }) },
    "gives every holder the session whole"
  )
  for (const [what, nameOf] of [
    ["ignores the case of a key", (key: StoreKey) => key.toLowerCase()],
    ["cuts a key off", (key: StoreKey) => key.slice(0, 255)],
    ["normalises a key", (key: StoreKey) => decodeURIComponent(key).normalize("NFC")],
    ["has one entry for all", () => ""]
  ] as const) {
    notices(what, { nameOf }, "keeps the sessions and tombstones of keys that look alike apart")
  }
  notices("has one lease for all", { nameOf: () => "" }, "announces each session")
})
