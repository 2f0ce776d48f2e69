/** The contract accepts a sound store, here the plainest one, and notices what is wrong with an unsound one. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Option, PubSub, Stream, TestClock } from "effect"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import type { Connect, Entry, Next } from "../../src/layers/store/StoreDriver.js"
import { Unavailable } from "../../src/schemas/AuthError.js"
import { Session } from "../../src/schemas/Session.js"
import type { StoreKey } from "../../src/schemas/StoreKey.js"
import { faultyTokenStore, tokenStoreContract } from "../../src/testing/TokenStoreContract.js"

interface Place {
  content: (Omit<Next, "remaining"> & { version: number; marked: boolean; expiry: number }) | undefined
  lease: { owner: string; expiry: number }
  isReadable: boolean
  readonly changes: PubSub.PubSub<number>
}

/** What may be wrong with a store: each answers what it should not. */
interface Defects {
  readonly nameOf: (key: StoreKey) => string
  readonly givesRightToAll: boolean
  readonly writesWithoutRight: boolean
  readonly extendsWhatHasRunOut: boolean
  readonly marksWithoutRight: boolean
  readonly freesAnyRight: boolean
  readonly neverMarks: boolean
  readonly keepsMark: boolean
  readonly keepsVersion: boolean
  readonly countsVersions: boolean
  readonly tellsNobody: boolean
  readonly countsNothingDown: boolean
  readonly dropsWhatATombstoneKeeps: boolean
  readonly forgetsOnClose: boolean
  readonly write: (session: Session) => Session
}

const sound: Defects = {
  nameOf: (key) => key,
  givesRightToAll: false,
  writesWithoutRight: false,
  extendsWhatHasRunOut: false,
  marksWithoutRight: false,
  freesAnyRight: false,
  neverMarks: false,
  keepsMark: false,
  keepsVersion: false,
  countsVersions: false,
  tellsNobody: false,
  countsNothingDown: false,
  dropsWhatATombstoneKeeps: false,
  forgetsOnClose: false,
  write: (session) => session
}

const unreadable = new Unavailable({ operation: "store", reason: "StoreUnreadable" })

const plainStore = (defects: Defects) => {
  const places = new Map<string, Place>()
  const placeOf = (key: StoreKey): Effect.Effect<Place> =>
    Effect.gen(function* () {
      const place = places.get(defects.nameOf(key)) ?? {
        content: undefined,
        lease: { owner: "", expiry: 0 },
        isReadable: true,
        changes: yield* PubSub.sliding<number>(16)
      }
      places.set(defects.nameOf(key), place)
      return place
    })

  const connect: Connect = (key, leaseTime) =>
    Effect.gen(function* () {
      const place = yield* placeOf(key)
      const announce = Effect.suspend(() => PubSub.publish(place.changes, place.content?.version ?? 0)).pipe(
        Effect.unless(() => defects.tellsNobody)
      )
      const isHeldBy = (owner: string, now: number) => place.lease.owner === owner && now < place.lease.expiry
      const extend = (owner: string, now: number) => {
        const ours = isHeldBy(owner, now) || (defects.extendsWhatHasRunOut && place.lease.owner === owner)
        if (ours) place.lease = { owner, expiry: now + Duration.toMillis(leaseTime) }
        return ours
      }
      const entryAt = (now: number): Effect.Effect<Option.Option<Entry>, Unavailable> =>
        place.isReadable
          ? Effect.succeed(
              Option.map(Option.fromNullable(place.content), ({ expiry, marked, session, tombstone, version }) => ({
                version,
                session,
                tombstone,
                marked,
                remaining: Duration.millis(defects.countsNothingDown ? 600_000 : Math.max(0, expiry - now))
              }))
            )
          : unreadable
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          if (defects.forgetsOnClose) place.content = undefined
        })
      )
      return {
        leaseTime,
        read: Effect.flatMap(Clock.currentTimeMillis, entryAt),
        acquire: (owner) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            if (now >= place.lease.expiry) place.lease = { owner, expiry: now + Duration.toMillis(leaseTime) }
            return Effect.map(entryAt(now), (entry) => ({
              held: isHeldBy(owner, now) || defects.givesRightToAll,
              entry
            }))
          }),
        extend: (owner) => Effect.map(Clock.currentTimeMillis, (now) => extend(owner, now) || defects.givesRightToAll),
        mark: (owner, marked) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const ours = extend(owner, now) || defects.marksWithoutRight || defects.givesRightToAll
            if (ours && place.content !== undefined && !defects.neverMarks) place.content.refreshInFlight = marked
            return ours
          }),
        commit: (owner, basis, { remaining, session, tombstone }) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            const previous = place.content?.version ?? 0
            const permitted = isHeldBy(owner, now) || defects.writesWithoutRight || defects.givesRightToAll
            if (!permitted || previous !== basis) return Effect.succeedNone
            place.content = {
              version:
                defects.keepsVersion && previous > 0
                  ? previous
                  : Math.max(previous + 1, defects.countsVersions ? 0 : now),
              session:
                tombstone && defects.dropsWhatATombstoneKeeps ? Option.none() : Option.map(session, defects.write),
              tombstone,
              marked: defects.keepsMark && place.content?.refreshInFlight === true,
              expiry: now + Duration.toMillis(remaining)
            }
            return Effect.as(announce, Option.some(place.content.version))
          }),
        release: (owner) =>
          Effect.suspend(() => {
            if (place.lease.owner !== owner && !defects.freesAnyRight) return Effect.void
            place.lease = { owner: "", expiry: 0 }
            return Effect.asVoid(announce)
          }),
        changes: Stream.fromPubSub(place.changes, { scoped: true }),
        leave: Effect.succeed(false)
      }
    })

  return tokenStoreContract({
    store: Effect.succeed(SessionStore.fromDriver(connect)),
    faulty: faultyTokenStore(connect),
    corrupt: (key) =>
      Effect.map(placeOf(key), (place) => {
        place.isReadable = false
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
    "gives its right to everybody",
    { givesRightToAll: true },
    "never lets two mints run at once",
    "waits with a logout",
    "lets one logout run at a time"
  )
  notices("writes without a right", { writesWithoutRight: true }, "refuses a late write by a holder whose lease")
  notices(
    "extends a lease that has run out",
    { extendsWhatHasRunOut: true },
    "refuses to check for a holder whose lease has run out",
    "refuses to spend for a holder whose lease has run out"
  )
  notices(
    "marks without a right",
    { marksWithoutRight: true },
    "refuses to spend for a holder that another has overtaken"
  )
  notices("lets anybody free the right", { freesAnyRight: true }, "leaves the right to its new holder")
  notices(
    "loses the mark",
    { neverMarks: true },
    "leaves the mark for the next holder when a mint fails",
    "tells the next holder of the mark"
  )
  notices(
    "keeps the mark of a session that was replaced",
    { keepsMark: true },
    "leaves the mark for the next holder when a mint dies",
    "takes a mark with it"
  )
  notices(
    "keeps its version",
    { keepsVersion: true },
    "never lets a version fall over",
    "shows the mint what is held",
    "drops an unsaved session"
  )
  notices("counts its versions", { countsVersions: true }, "goes on above the versions it had")
  notices("tells nobody", { tellsNobody: true }, "announces each session")
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
    ["has one place for all", () => ""]
  ] as const) {
    notices(what, { nameOf }, "keeps the sessions and tombstones of keys that look alike apart")
  }
  notices("has one right for all", { nameOf: () => "" }, "announces each session")
})
