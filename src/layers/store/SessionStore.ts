/**
 * The protocol of renewing a shared session, over the atomic steps of any store.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Unavailable } from "../../schemas/AuthError.js"
import { RENEWAL_LIMIT } from "../../services/AttemptGate.js"
import {
  type Lease,
  LeaseLost,
  type Minted,
  type SessionStore,
  type Stored,
  type TokenStoreService
} from "../../services/TokenStore.js"
import { overtaken } from "./overtaken.js"
import type { Connect, Entry, StoreDriver } from "./StoreDriver.js"

/**
 * What a lease lasts for beside one request: for the steps of the store around it. No longer, because who waits for a
 * holder that died has to have time for a request of its own within its renewal. A permission is not used when it is
 * older than this: the lease may end during the request, and another holder begin its own.
 */
const LEASE_HEADROOM: Duration.Duration = Duration.seconds(3)

/** Who waits for the right looks again after this time, should no announcement come; who lost it looks no sooner. */
const POLL: Duration.Duration = Duration.millis(250)

const newOwner: Effect.Effect<string> = Effect.sync(() =>
  Encoding.encodeHex(globalThis.crypto.getRandomValues(new Uint8Array(16)))
)

const versionOf = (entry: Option.Option<Entry>): number =>
  Option.match(entry, { onNone: () => 0, onSome: (_) => _.version })

const remainingOf = (entry: Option.Option<Entry>): Duration.Duration =>
  Option.match(entry, { onNone: () => Duration.zero, onSome: (_) => _.remaining })

const held = (entry: Option.Option<Entry>): Option.Option<Stored> =>
  Option.flatMap(entry, ({ marked, remaining, session, version }) =>
    Option.map(session, (_) => ({ session: _, version, remaining, marked, saved: true }))
  )

/** Ends when its scope or its waiter does, also where these cannot be interrupted, as when a layer closes. */
const inBackground = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, Scope.Scope> =>
  Effect.forkScoped(Effect.interruptible(effect))

const isLost = (error: unknown): error is LeaseLost => error instanceof LeaseLost

/** From what is left now, what is left later: waiting for the right, Nomba and the store take time. */
const countDown = (remaining: Duration.Duration): Effect.Effect<Effect.Effect<Duration.Duration>> =>
  Effect.map(Clock.currentTimeMillis, (since) =>
    Effect.map(Clock.currentTimeMillis, (now) => Duration.subtract(remaining, Math.max(0, now - since)))
  )

/** Takes off what an answer of the store had been under way for, at most: what it says was true when it was given. */
const ageing: Effect.Effect<(entry: Option.Option<Entry>) => Effect.Effect<Option.Option<Entry>>> = Effect.map(
  Clock.currentTimeMillis,
  (askedAt) => (entry) =>
    Effect.map(Clock.currentTimeMillis, (now) =>
      Option.map(entry, (_) => ({ ..._, remaining: Duration.subtract(_.remaining, Math.max(0, now - askedAt)) }))
    )
)

/** What is answered later, when the right has been freed: with what is left of it then. */
const later = (stored: Stored): Effect.Effect<Effect.Effect<Stored>> =>
  Effect.map(
    countDown(stored.remaining),
    Effect.map((remaining) => ({ ...stored, remaining }))
  )

const adoptableOf = (entry: Option.Option<Entry>): Option.Option<Stored> =>
  held(Option.filter(entry, (_) => !_.tombstone))

/**
 * Builds a session's place from the steps of a store.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (driver: StoreDriver): Effect.Effect<SessionStore, never, Scope.Scope> =>
  Effect.gen(function* () {
    const announced = yield* PubSub.sliding<number>(16)
    const heard = yield* driver.changes
    yield* inBackground(Stream.runForEach(heard, (version) => PubSub.publish(announced, version)))

    const read = Effect.gen(function* () {
      const aged = yield* ageing
      return yield* aged(yield* driver.read)
    })

    const acquire: StoreDriver["acquire"] = (owner) =>
      Effect.gen(function* () {
        const aged = yield* ageing
        const { entry, held } = yield* driver.acquire(owner)
        return { held, entry: yield* aged(entry) }
      })

    const leaseOf = (owner: string, entry: Option.Option<Entry>): Lease => {
      /** Before the store was asked, so that the lease has not run out sooner than this and its time. */
      let askedAt = Number.NEGATIVE_INFINITY
      const still = Effect.flatMap(Clock.currentTimeMillis, (now) =>
        now >= askedAt && now - askedAt <= Duration.toMillis(LEASE_HEADROOM) ? Effect.void : new LeaseLost()
      )
      const permit = (step: Effect.Effect<boolean, Unavailable>) =>
        Effect.gen(function* () {
          askedAt = yield* Clock.currentTimeMillis
          return yield* (yield* step) ? still : new LeaseLost()
        })
      return {
        version: versionOf(entry),
        check: permit(driver.extend(owner)).pipe(Effect.catchTag("Unavailable", () => new LeaseLost())),
        spend: permit(driver.mark(owner, true)),
        still,
        unspend: Effect.ignore(driver.mark(owner, false))
      }
    }

    /**
     * Runs `use` under the lease, again whenever the lease was lost; `whileWaiting` may answer before it is had. Frees the
     * lease also when only the answer that it is ours was lost.
     */
    const withRight = <A, E>(
      use: (owner: string, entry: Option.Option<Entry>) => Effect.Effect<A, E | LeaseLost>,
      whileWaiting: (entry: Option.Option<Entry>) => Option.Option<A> = Option.none
    ): Effect.Effect<A, E | Unavailable> => {
      const attempt = Effect.flatMap(newOwner, (owner) =>
        Effect.acquireUseRelease(
          Effect.tapError(acquire(owner), () => driver.release(owner)),
          ({ entry, held }) =>
            held
              ? Effect.asSome(Effect.scoped(Effect.zipRight(keep(owner), use(owner, entry))))
              : Effect.succeed(whileWaiting(entry)),
          ({ held }) => (held ? driver.release(owner) : Effect.void)
        )
      )
      return Effect.scoped(
        Effect.gen(function* () {
          let news: Queue.Dequeue<number> | undefined
          while (true) {
            const answer = yield* Effect.catchIf(attempt, isLost, () => Effect.as(Effect.sleep(POLL), Option.none<A>()))
            if (Option.isSome(answer)) return answer.value
            if (news === undefined) news = yield* PubSub.subscribe(announced)
            else {
              const next = Effect.raceFirst(Queue.takeBetween(news, 1, 16), Effect.sleep(POLL))
              yield* Effect.scoped(Effect.flatMap(inBackground(next), Fiber.join))
            }
          }
        })
      )
    }

    /** Extends the lease at half, until a renewal has to have ended: who is stuck after that loses it. */
    const keep = (owner: string) =>
      driver
        .extend(owner)
        .pipe(
          Effect.delay(Duration.times(driver.leaseTime, 0.5)),
          Effect.ignore,
          Effect.forever,
          Effect.timeoutOption(RENEWAL_LIMIT),
          inBackground
        )

    const commit = (
      owner: string,
      basis: number,
      { remaining, session }: Minted
    ): Effect.Effect<Effect.Effect<Stored>> =>
      Effect.gen(function* () {
        const left = yield* countDown(remaining)
        const version = yield* driver
          .commit(owner, basis, { session: Option.some(session), tombstone: false, remaining })
          .pipe(
            Effect.tapError(({ message }) => Effect.logWarning(`A session could not be written. ${message}`)),
            Effect.orElseSucceed(() => Option.none<number>())
          )
        return Effect.map(left, (remaining) => ({
          session,
          version: Option.getOrElse(version, () => basis),
          remaining,
          marked: false,
          saved: Option.isSome(version)
        }))
      })

    const renew: SessionStore["renew"] = (adoptable, mint) => {
      const test = (entry: Option.Option<Entry>) => Option.filter(adoptableOf(entry), adoptable)
      return Effect.flatMap(
        Effect.map(read, test),
        Option.match({
          onSome: Effect.succeed,
          onNone: () =>
            withRight(
              (owner, entry) =>
                Option.match(test(entry), {
                  onSome: later,
                  onNone: () =>
                    Effect.uninterruptibleMask((restore) =>
                      Effect.flatMap(restore(mint(adoptableOf(entry), leaseOf(owner, entry))), (minted) =>
                        commit(owner, versionOf(entry), minted)
                      )
                    )
                }),
              (entry) => Option.map(test(entry), Effect.succeed)
            ).pipe(Effect.flatten)
        })
      )
    }

    const save: SessionStore["save"] = (unsaved) =>
      Effect.flatMap(countDown(unsaved.remaining), (left) =>
        withRight((owner, entry) =>
          Effect.gen(function* () {
            const verdict = overtaken(unsaved, entry)
            if (verdict === "tombstone") return Effect.succeedNone
            if (verdict === "session")
              return Effect.transposeOption(yield* Effect.transposeMapOption(adoptableOf(entry), later))
            const version = yield* driver.commit(owner, versionOf(entry), {
              session: Option.some(unsaved.session),
              tombstone: false,
              remaining: yield* left
            })
            if (Option.isNone(version)) return yield* new LeaseLost()
            return Effect.map(left, (remaining) =>
              Option.some({ ...unsaved, version: version.value, remaining, saved: true })
            )
          })
        ).pipe(Effect.flatten)
      )

    const clear: SessionStore["clear"] = (revoke) =>
      Effect.suspend(() => {
        /** The version whose revocation has succeeded: when the right is lost after that, it is not revoked again. */
        let proved: number | undefined
        return withRight((owner, entry) =>
          Effect.uninterruptibleMask((restore) =>
            Effect.gen(function* () {
              const left = yield* countDown(remainingOf(entry))
              const end =
                proved === versionOf(entry)
                  ? Exit.succeed(true)
                  : yield* restore(revoke(held(entry), leaseOf(owner, entry))).pipe(
                      Effect.as(true),
                      Effect.catchIf(isLost, () => Effect.succeed(false)),
                      Effect.exit
                    )
              if (Exit.isSuccess(end) && !end.value) return yield* new LeaseLost()
              if (Exit.isSuccess(end)) proved = versionOf(entry)
              const version = yield* driver.commit(owner, versionOf(entry), {
                session: Exit.isSuccess(end) ? Option.none() : Option.flatMap(entry, (_) => _.session),
                tombstone: true,
                remaining: yield* left
              })
              return Option.isSome(version) ? Exit.asVoid(end) : yield* new LeaseLost()
            })
          )
        )
      }).pipe(Effect.flatten)

    return {
      read: Effect.map(read, adoptableOf),
      look: Effect.map(read, (entry) => ({ version: versionOf(entry), stored: adoptableOf(entry) })),
      renew,
      save,
      clear,
      changes: Stream.fromPubSub(announced, { scoped: true }),
      leave: driver.leave
    }
  })

/**
 * Builds a token store from the steps of any key.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromDriver = (connect: Connect): TokenStoreService => ({
  open: (key, requestTimeout) => Effect.flatMap(connect(key, Duration.sum(requestTimeout, LEASE_HEADROOM)), make)
})
