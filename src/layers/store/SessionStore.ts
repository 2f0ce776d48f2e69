/** The protocol of renewing a shared session, built from the atomic steps of any store. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Unavailable } from "../../schemas/AuthError.js"
import type { StoredContent } from "../../schemas/Session.js"
import { Session } from "../../schemas/Session.js"
import {
  type Lease,
  LeaseLost,
  type NewSession,
  RenewalHeldBack,
  type RenewOptions,
  type SessionStore,
  type SharedFailure,
  type Stored,
  type StoreState,
  type TokenStoreService
} from "../../services/TokenStore.js"
import * as Telemetry from "../telemetry.js"
import { countDown, RENEWAL_LIMIT, stopwatch, unrefSleep } from "../time.js"
import {
  type Connect,
  damaged,
  type Entry,
  MAX_FAILURE_WAIT,
  MAX_VERSION,
  type Owner,
  type Reading,
  type StoreDriver
} from "./StoreDriver.js"

/**
 * What a lease lasts beyond one request: time for the steps of the store around it. Not longer, because the waiters of a
 * crashed holder must have time for their own request within their renewal. A permission that is older than this is not
 * used: the lease may end during the request.
 */
const LEASE_HEADROOM: Duration.Duration = Duration.seconds(3)

/** Poll interval for lease waiters when no notification arrives, and the backoff after losing a lease. */
const POLL: Duration.Duration = Duration.millis(250)

const ANNOUNCEMENTS_KEPT = 16

const HEARTBEAT: Duration.Duration = Duration.seconds(30)

/**
 * Tells subscribers in this process which version was stored. Effect's `PubSub` does it too, but is a tenth of the size of the
 * whole client.
 */
export interface Announcements {
  readonly publish: (version: number) => Effect.Effect<void>
  /** What is published until the scope closes. A slow subscriber misses the oldest. */
  readonly subscribe: Effect.Effect<Queue.Dequeue<number>, never, Scope.Scope>
  readonly changes: Effect.Effect<Stream.Stream<number>, never, Scope.Scope>
}

export const makeAnnouncements = (): Announcements => {
  const subscribers = new Set<Queue.Queue<number>>()
  const subscribe = Effect.acquireRelease(
    Effect.tap(Queue.sliding<number>(ANNOUNCEMENTS_KEPT), (queue) => Effect.sync(() => subscribers.add(queue))),
    (queue) =>
      Effect.suspend(() => {
        subscribers.delete(queue)
        return Queue.shutdown(queue)
      })
  )
  return {
    publish: (version) => Effect.forEach([...subscribers], (queue) => Queue.offer(queue, version), { discard: true }),
    subscribe,
    changes: Effect.map(subscribe, (queue) => Stream.fromQueue(queue))
  }
}

/** What this process has seen in a store that may lose its latest writes. */
export interface Seen {
  version: number
  /** The latest tombstone, with what is left of the session that it keeps. */
  tombstone: { readonly entry: Entry; readonly left: () => Duration.Duration } | undefined
}

/** A reading, as this process understands it. */
interface View {
  /** What a commit must find: the version as it is stored. */
  readonly expectedVersion: number
  /** What counts: what is stored, or the later tombstone that this process has seen. */
  readonly entry: Option.Option<Entry>
  /** Whether the flag is set, and not by an attempt of this store that certainly sent nothing. */
  readonly refreshInFlight: boolean
  readonly wentBack: boolean
  readonly isLeased: boolean
  readonly failure: Option.Option<SharedFailure>
  /** The store's time when it was read. */
  readonly now: number
}

interface Holder {
  readonly owner: Owner
  readonly view: View
  readonly isAbandoned: () => boolean
  /** Left in the store with the lease. */
  failure: Option.Option<SharedFailure>
  /** The flag may be set, although nothing was sent under it. */
  isFlagUnused: boolean
}

const isLost = (error: unknown): error is LeaseLost => error instanceof LeaseLost

const never = () => false

/** Ends with its scope and with its waiter, even if these cannot be interrupted, as when a layer closes. */
const inBackground = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, Scope.Scope> =>
  Effect.forkScoped(Effect.interruptible(effect))

const versionOf = (entry: Option.Option<Entry>): number =>
  Option.match(entry, { onNone: () => 0, onSome: (_) => _.version })

/** The session that the view shows, also if a tombstone keeps it. */
const storedIn = ({ entry, refreshInFlight }: View): Option.Option<Stored> =>
  Option.flatMap(entry, ({ remaining, session, version }) =>
    Option.map(session, (_) => ({ session: _, version, remaining, refreshInFlight, saved: true }))
  )

const sessionIn = (view: View): Option.Option<Stored> =>
  Option.exists(view.entry, (_) => _.tombstone) ? Option.none() : storedIn(view)

const isRunning = ({ wait }: SharedFailure): boolean => Duration.greaterThan(wait, Duration.zero)

const toState = (view: View): StoreState => ({
  version: versionOf(view.entry),
  stored: sessionIn(view),
  isLeased: view.isLeased,
  failure: Option.filter(view.failure, isRunning),
  wentBack: view.wentBack
})

/** An answer that is given later, when the lease has been released: with what is left of the session then. */
const answerLater = (stored: Stored): Effect.Effect<Effect.Effect<Stored>> =>
  Effect.map(countDown(stored.remaining), (left) => Effect.sync(() => ({ ...stored, remaining: left() })))

/**
 * What became of an unsaved session: a tombstone that was written after it was requested ended it (`LoggedOut`), another
 * session is the one that Nomba keeps, as far as anyone can tell (`Replaced`), or it is still to be written (`Current`).
 */
export const outcomeOf = (unsaved: Stored, entry: Option.Option<Entry>): "LoggedOut" | "Replaced" | "Current" =>
  Option.match(entry, {
    onNone: () => "Current",
    onSome: ({ session, tombstone, version }) => {
      if (version === unsaved.version) return "Current"
      if (tombstone) return version > unsaved.version ? "LoggedOut" : "Current"
      return Option.exists(session, (theirs) => !isIssuedLater(unsaved.session, theirs)) ? "Replaced" : "Current"
    }
  })

/** Nomba's clock has a resolution of one second, and two local clocks cannot be compared. */
const isIssuedLater = (ours: Session, theirs: Session): boolean =>
  ours.clock === "server" && theirs.clock === "server" && DateTime.greaterThan(ours.issuedAt, theirs.issuedAt)

const newStoreId: Effect.Effect<string> = Effect.sync(() =>
  Encoding.encodeHex(globalThis.crypto.getRandomValues(new Uint8Array(16)))
)

export interface SessionOptions {
  /** Whether other processes can use the store. Default: `true`. */
  readonly isShared?: boolean | undefined
  /** What this process has seen of the session before. Default: nothing. */
  readonly seen?: Seen | undefined
  /** What metrics call the store. Default: `custom`. */
  readonly kind?: StoreKind | undefined
}

export type StoreKind = "memory" | "file" | "redis" | "custom"

const steps = ["read", "acquire", "extend", "setRefreshInFlight", "commit"] as const

/** Counts the steps that fail. */
const countErrors = (driver: StoreDriver, kind: StoreKind): StoreDriver => {
  const counted =
    (step: (typeof steps)[number]) =>
    <A>(effect: Effect.Effect<A, Unavailable>): Effect.Effect<A, Unavailable> =>
      Effect.tapError(effect, (error) => Telemetry.countStoreError(kind, step, error))
  return {
    ...driver,
    read: counted("read")(driver.read),
    acquire: (owner, options) => counted("acquire")(driver.acquire(owner, options)),
    extend: (owner) => counted("extend")(driver.extend(owner)),
    setRefreshInFlight: (owner, inFlight) => counted("setRefreshInFlight")(driver.setRefreshInFlight(owner, inFlight)),
    commit: (owner, expectedVersion, write) => counted("commit")(driver.commit(owner, expectedVersion, write))
  }
}

/**
 * Builds the session of one key from the steps of a store.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  uncounted: StoreDriver,
  { isShared = true, kind = "custom", seen = nothingSeen() }: SessionOptions = {}
): Effect.Effect<SessionStore, never, Scope.Scope> =>
  Effect.gen(function* () {
    const driver = countErrors(uncounted, kind)
    yield* Telemetry.startStore(kind, steps)
    const leaseLost = Effect.zipRight(
      Telemetry.countLease(kind, "lost"),
      Effect.logDebug("The lease of the session was lost.")
    )
    const store = yield* newStoreId
    const announced = makeAnnouncements()
    yield* inBackground(Stream.runForEach(yield* driver.changes, (version) => announced.publish(version)))

    /** The store's time now, as far as its last answer tells. */
    let storeTime: () => number | undefined = () => undefined
    let lastAttempt = 0
    let leaseRefusals = 0
    /** Attempts between their first step and their last, and whether their caller has given up. */
    const running = new Map<number, () => boolean>()
    /** Attempts that set, or may have set, the refresh-in-flight flag and then certainly sent nothing. */
    const unusedFlags = new Set<number>()

    const remember = Effect.fnUntraced(function* (entry: Entry) {
      if (entry.version <= seen.version) return
      const left = yield* countDown(entry.remaining)
      seen.version = entry.version
      if (entry.tombstone) seen.tombstone = { entry, left }
    })

    /** Takes the time that the answer may have been under way off what is left: it was true when the store gave it. */
    const observe = <A extends Reading>(step: Effect.Effect<A, Unavailable>): Effect.Effect<[A, View], Unavailable> =>
      Effect.gen(function* () {
        const before = { ...seen }
        const elapsed = yield* stopwatch
        const reading = yield* step
        if (Option.exists(reading.entry, ({ version }) => version >= MAX_VERSION)) return yield* damaged
        const age = Math.max(0, elapsed())
        const received = yield* stopwatch
        storeTime = () => reading.now + Math.max(0, received())
        const stored = Option.map(reading.entry, (_) => ({ ..._, remaining: Duration.subtract(_.remaining, age) }))
        if (Option.isSome(stored)) yield* remember(stored.value)
        const expectedVersion = versionOf(stored)
        const wentBack = expectedVersion < before.version
        const { tombstone } = before
        const entry =
          tombstone !== undefined && expectedVersion < tombstone.entry.version
            ? Option.some({ ...tombstone.entry, remaining: tombstone.left() })
            : stored
        const view: View = {
          expectedVersion,
          entry,
          refreshInFlight: Option.exists(entry, (_) => Option.exists(_.refreshInFlight, isFlagUsed)),
          wentBack,
          isLeased: reading.isLeased,
          failure: reading.failure.pipe(
            Option.filter((_) => Duration.lessThanOrEqualTo(_.wait, MAX_FAILURE_WAIT)),
            Option.map((_) => ({ ..._, wait: Duration.subtract(_.wait, age) }))
          ),
          now: reading.now
        }
        return [reading, view]
      })

    const isFlagUsed = (owner: Owner): boolean => owner.store !== store || !unusedFlags.has(owner.attempt)

    const readView = Effect.map(observe(driver.read), ([, view]) => view)

    /**
     * An acquire that is carried out after its caller gave up must not hold the lease. The store judges that by its own
     * time, which this process knows from its last answer.
     */
    const acquire = Effect.fnUntraced(function* (owner: Owner) {
      if (storeTime() === undefined) yield* readView
      const now = storeTime()
      const others = Array.from(running).filter(([attempt, isAbandoned]) => attempt < owner.attempt && !isAbandoned())
      return yield* observe(
        driver.acquire(owner, {
          notAfter: now === undefined ? undefined : Math.floor(now) + Duration.toMillis(driver.acquireTimeout),
          takeOverBelow: Math.min(owner.attempt, ...others.map(([attempt]) => attempt))
        })
      )
    })

    const release = ({ failure, isFlagUnused, owner }: Pick<Holder, "failure" | "isFlagUnused" | "owner">) =>
      Effect.suspend(() => {
        if (isFlagUnused) unusedFlags.add(owner.attempt)
        return driver.release(owner, { failure, cancelRefresh: isFlagUnused })
      })

    const leaseOf = (holder: Holder): Lease => {
      const { isAbandoned, owner, view } = holder
      /** Started before the store was asked, so that the lease cannot run out sooner than this and its time. */
      let sinceAsked: () => number = () => Number.POSITIVE_INFINITY
      const assertHeld = Effect.suspend(() => {
        const elapsed = sinceAsked()
        const isHeld = elapsed >= 0 && elapsed <= Duration.toMillis(LEASE_HEADROOM) && !isAbandoned()
        return isHeld ? Effect.void : new LeaseLost()
      })
      const permit = Effect.fnUntraced(function* (step: Effect.Effect<boolean, Unavailable>) {
        const watch = yield* stopwatch
        if (!(yield* step)) return yield* new LeaseLost()
        sinceAsked = watch
        yield* assertHeld
      })
      const beginRefresh = Effect.fnUntraced(function* () {
        holder.isFlagUnused = !view.refreshInFlight
        yield* permit(driver.setRefreshInFlight(owner, true))
        holder.isFlagUnused = false
      })
      /** A flag that was set before this attempt says that the request of another attempt may have been processed. It stays. */
      const cancelRefresh = Effect.fnUntraced(function* () {
        if (view.refreshInFlight) return
        holder.isFlagUnused = true
        const isTaken = yield* Effect.orElseSucceed(driver.setRefreshInFlight(owner, false), never)
        if (isTaken) holder.isFlagUnused = false
      })
      return {
        version: versionOf(view.entry),
        wentBack: view.wentBack,
        highestSeen: seen.version,
        failure: view.failure,
        extend: permit(driver.extend(owner)).pipe(Effect.catchTag("Unavailable", () => new LeaseLost())),
        beginRefresh: beginRefresh(),
        assertHeld,
        cancelRefresh: cancelRefresh()
      }
    }

    /** Extends the lease at half, until the renewal must have ended: a holder that is stuck after that loses it. */
    const extendRepeatedly = ({ isAbandoned, owner }: Holder) =>
      Effect.suspend(() => (isAbandoned() ? Effect.succeed(false) : driver.extend(owner))).pipe(
        Effect.delay(Duration.times(driver.leaseTime, 0.5)),
        Effect.ignore,
        Effect.forever,
        Effect.timeoutOption(RENEWAL_LIMIT),
        inBackground
      )

    /** Runs `use` if the lease is free, otherwise `whileWaiting`. Releases the lease also if only the answer was lost. */
    const attemptOnce = <A, E>(
      use: (holder: Holder) => Effect.Effect<A, E | LeaseLost>,
      whileWaiting: (view: View) => Option.Option<A>,
      isAbandoned: () => boolean
    ): Effect.Effect<Option.Option<A>, E | LeaseLost | Unavailable> =>
      Effect.suspend(() => {
        const owner: Owner = { store, attempt: ++lastAttempt }
        const nothing = { owner, failure: Option.none<SharedFailure>(), isFlagUnused: false }
        running.set(owner.attempt, isAbandoned)
        return Effect.acquireUseRelease(
          Effect.map(
            Effect.onError(acquire(owner), () => release(nothing)),
            ([{ held }, view]) => ({ held, holder: { ...nothing, view, isAbandoned } as Holder })
          ),
          ({ held, holder }) =>
            held
              ? Effect.zipRight(
                  Telemetry.countLease(kind, "taken"),
                  Effect.asSome(Effect.scoped(Effect.zipRight(extendRepeatedly(holder), use(holder))))
                )
              : Effect.sync(() => {
                  leaseRefusals++
                  return whileWaiting(holder.view)
                }),
          ({ held, holder }) => (held ? release(holder) : Effect.void)
        ).pipe(Effect.ensuring(Effect.sync(() => running.delete(owner.attempt))))
      })

    /** Runs `use` under the lease, again whenever the lease was lost. `whileWaiting` may answer before it is held. */
    const withLease = <A, E = never>(
      use: (holder: Holder) => Effect.Effect<A, E | LeaseLost>,
      whileWaiting: (view: View) => Option.Option<A> = Option.none,
      isAbandoned: () => boolean = never
    ): Effect.Effect<A, E | Unavailable> =>
      Effect.scoped(
        Effect.gen(function* () {
          let news: Queue.Dequeue<number> | undefined
          while (true) {
            if (isAbandoned()) return yield* Effect.interrupt
            const answer = yield* Effect.catchIf(attemptOnce(use, whileWaiting, isAbandoned), isLost, () =>
              Effect.zipRight(leaseLost, Effect.as(Effect.sleep(POLL), Option.none<A>()))
            )
            if (Option.isSome(answer)) return answer.value
            if (news === undefined) news = yield* announced.subscribe
            else {
              const next = Effect.raceFirst(Queue.takeBetween(news, 1, ANNOUNCEMENTS_KEPT), Effect.sleep(POLL))
              yield* Effect.scoped(Effect.flatMap(inBackground(next), Fiber.join))
            }
          }
        })
      )

    /** Whether the store took it. The version is above everything that this process has seen, and at least the time. */
    const commit = Effect.fnUntraced(function* (
      { owner, view }: Holder,
      content: StoredContent & { readonly remaining: Duration.Duration }
    ) {
      const next = Math.max(view.expectedVersion + 1, seen.version + 1, Math.floor(view.now))
      // After a version that no store can have counted up to, it is counted from the time again.
      const startsAnew = next >= MAX_VERSION
      const version = startsAnew ? Math.max(view.expectedVersion + 1, Math.floor(view.now)) : next
      const expiresAt = (storeTime() ?? view.now) + Duration.toMillis(content.remaining)
      const isWritten = yield* driver.commit(owner, view.expectedVersion, { ...content, version, expiresAt })
      if (!isWritten) return Option.none<number>()
      unusedFlags.clear()
      if (startsAnew) Object.assign(seen, nothingSeen())
      if (version < MAX_VERSION) yield* remember({ ...content, version, refreshInFlight: Option.none() })
      return Option.some(version)
    })

    const commitNew = Effect.fnUntraced(function* (
      holder: Holder,
      { remaining, session }: NewSession,
      onStored: RenewOptions["onStored"]
    ) {
      const left = yield* countDown(remaining)
      const version = yield* commit(holder, { session: Option.some(session), tombstone: false, remaining }).pipe(
        Effect.tap((version) => Effect.when(leaseLost, () => Option.isNone(version))),
        Effect.tapError(({ message }) =>
          Effect.logWarning(`A new session could not be written to the store. ${message}`)
        ),
        Effect.orElseSucceed(() => Option.none<number>())
      )
      if (Option.isSome(version)) onStored?.(version.value)
      return Effect.sync(
        (): Stored => ({
          session,
          version: Option.getOrElse(version, () => versionOf(holder.view.entry)),
          remaining: left(),
          refreshInFlight: false,
          saved: Option.isSome(version)
        })
      )
    })

    const renew: SessionStore["renew"] = Effect.fnUntraced(function* ({
      adopt,
      ignoreSharedFailure = false,
      isAbandoned,
      obtain,
      onStored,
      share
    }) {
      const adoptable = (view: View, isOurs: boolean): Option.Option<Stored> =>
        Option.filter(
          sessionIn(view),
          (_) => !view.wentBack && (isOurs || !view.isLeased || !_.refreshInFlight) && adopt(_)
        )

      const heldBack = (view: View): Option.Option<RenewalHeldBack> =>
        ignoreSharedFailure
          ? Option.none()
          : Option.map(Option.filter(view.failure, isRunning), (failure) => new RenewalHeldBack({ failure }))

      const withoutRenewal = (view: View): Option.Option<Effect.Effect<Stored, RenewalHeldBack>> =>
        Option.orElse(Option.map(adoptable(view, false), Effect.succeed), () => heldBack(view))

      const underLease = Effect.fnUntraced(function* (holder: Holder) {
        const { view } = holder
        const adopted = adoptable(view, true)
        if (Option.isSome(adopted)) return yield* answerLater(adopted.value)
        const failure = heldBack(view)
        if (Option.isSome(failure)) return yield* failure.value
        const obtained = obtain(sessionIn(view), leaseOf(holder)).pipe(
          Effect.tapError((error) =>
            Effect.sync(() => {
              if (!isLost(error)) holder.failure = share(error, view.failure)
            })
          )
        )
        return yield* Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(obtained), (session) => commitNew(holder, session, onStored))
        )
      })

      const answer = withoutRenewal(yield* readView)
      if (Option.isSome(answer)) return yield* answer.value
      return yield* Effect.flatten(withLease(underLease, withoutRenewal, isAbandoned))
    })

    const save: SessionStore["save"] = Effect.fnUntraced(function* (unsaved) {
      const left = yield* countDown(unsaved.remaining)
      const underLease = Effect.fnUntraced(function* (holder: Holder) {
        const outcome = outcomeOf(unsaved, holder.view.entry)
        if (outcome === "LoggedOut") return Effect.succeedNone
        if (outcome === "Replaced") {
          return Effect.transposeOption(yield* Effect.transposeMapOption(sessionIn(holder.view), answerLater))
        }
        const version = yield* commit(holder, {
          session: Option.some(unsaved.session),
          tombstone: false,
          remaining: left()
        })
        if (Option.isNone(version)) return yield* new LeaseLost()
        return Effect.sync(() =>
          Option.some({ ...unsaved, version: version.value, remaining: left(), refreshInFlight: false, saved: true })
        )
      })
      return yield* Effect.flatten(withLease<Effect.Effect<Option.Option<Stored>>, Unavailable>(underLease))
    })

    const logRestored = Effect.logWarning(
      "The token store went back to an older state (a failover, a restored backup or a flush). What this process knows was written again."
    )

    const restore: SessionStore["restore"] = Effect.fnUntraced(function* (live) {
      // Without this look, a lease that is released with nothing written would announce the old version again.
      const before = yield* readView
      const isLatest = Option.exists(live, (_) => _.version >= seen.version)
      const isEnded = Option.exists(before.entry, (_) => _.tombstone && _.version > before.expectedVersion)
      if (!before.wentBack || !(isLatest || isEnded)) return sessionIn(before)
      const left = yield* countDown(Option.match(live, { onNone: () => Duration.zero, onSome: (_) => _.remaining }))
      const underLease = Effect.fnUntraced(function* (holder: Holder) {
        const { view } = holder
        const answerStored = Effect.transposeMapOption(sessionIn(view), answerLater)
        if (!view.wentBack) return Effect.transposeOption(yield* answerStored)
        // Another process replaced or ended a session that is older than what was seen last.
        const latest = Option.filter(live, (_) => _.version >= seen.version)
        const tombstone = Option.filter(view.entry, (_) => _.tombstone && _.version > view.expectedVersion)
        if (Option.isNone(latest) && Option.isSome(tombstone)) {
          const version = yield* commit(holder, tombstone.value)
          if (Option.isNone(version)) return yield* new LeaseLost()
          yield* logRestored
          return Effect.succeedNone
        }
        if (Option.isNone(latest)) return Effect.transposeOption(yield* answerStored)
        const session = withoutSpentToken(latest.value)
        const version = yield* commit(holder, { session: Option.some(session), tombstone: false, remaining: left() })
        if (Option.isNone(version)) return yield* new LeaseLost()
        yield* logRestored
        return Effect.sync(() =>
          Option.some({ session, version: version.value, remaining: left(), refreshInFlight: false, saved: true })
        )
      })
      return yield* Effect.flatten(withLease<Effect.Effect<Option.Option<Stored>>, Unavailable>(underLease))
    })

    const logout: SessionStore["logout"] = <E>(
      revoke: (current: Option.Option<Stored>, lease: Lease) => Effect.Effect<void, E | LeaseLost>
    ) => {
      /** The version whose revocation succeeded: if the lease is lost after that, it is not revoked again. */
      let revoked: number | undefined
      const underLease = (holder: Holder) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.gen(function* () {
            const { entry } = holder.view
            const left = yield* countDown(
              Option.match(entry, { onNone: () => Duration.zero, onSome: (_) => _.remaining })
            )
            const exit =
              revoked === versionOf(entry)
                ? Exit.succeed(true)
                : yield* restore(revoke(storedIn(holder.view), leaseOf(holder))).pipe(
                    Effect.as(true),
                    Effect.catchIf(isLost, () => Effect.succeed(false)),
                    Effect.exit
                  )
            if (Exit.isSuccess(exit) && !exit.value) return yield* new LeaseLost()
            if (Exit.isSuccess(exit)) revoked = versionOf(entry)
            const version = yield* commit(holder, {
              session: Exit.isSuccess(exit) ? Option.none() : Option.flatMap(entry, (_) => _.session),
              tombstone: true,
              remaining: left()
            })
            return Option.isSome(version) ? Exit.asVoid(exit) : yield* new LeaseLost()
          })
        )
      return Effect.flatten(withLease<Exit.Exit<void, E>, Unavailable>(underLease))
    }

    /** Notices a store that went back, and announcements that were lost, without a renewal. */
    const heartbeat = Effect.gen(function* () {
      yield* unrefSleep(HEARTBEAT)
      const before = seen.version
      const { expectedVersion, wentBack } = yield* readView
      if (wentBack || expectedVersion > before) yield* announced.publish(expectedVersion)
    })

    const changes: SessionStore["changes"] = Effect.gen(function* () {
      if (isShared) yield* inBackground(Effect.forever(Effect.ignore(heartbeat)))
      return yield* announced.changes
    })

    return {
      readVersioned: Effect.map(readView, toState),
      renew,
      save,
      restore,
      logout,
      changes,
      leaseRefusals: () => leaseRefusals,
      close: driver.close
    }
  })

/** Written back, the session carries no flag: a refresh token that may be spent must not come with it. */
const withoutSpentToken = ({ refreshInFlight, session }: Stored): Session =>
  refreshInFlight ? new Session({ ...session, refreshToken: Option.none() }) : session

export interface StoreOptions {
  /** Whether other processes can use the store. Default: `true`. */
  readonly isShared?: boolean | undefined
  /** The same object for every service that reaches the same sessions. Default: the service. */
  readonly identity?: object | undefined
  /** What metrics call the store. Default: `custom`. */
  readonly kind?: StoreKind | undefined
}

const nothingSeen = (): Seen => ({ version: 0, tombstone: undefined })

/** Builds a token store from the steps of any key. */
export const fromDriver = (
  connect: Connect,
  { identity, isShared = true, kind = "custom" }: StoreOptions = {}
): TokenStoreService => {
  return {
    isShared,
    identity,
    open: (key, requestTimeout, memory = {}) => {
      memory.seen ??= nothingSeen()
      const seen = memory.seen as Seen
      return Effect.flatMap(connect(key, Duration.sum(requestTimeout, LEASE_HEADROOM)), (driver) =>
        make(driver, { isShared, kind, seen })
      )
    }
  }
}
