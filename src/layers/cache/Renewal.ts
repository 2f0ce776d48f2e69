/**
 * Renews the cached session, saves it, and adopts what other processes store.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import {
  type AuthError,
  healsByWaiting,
  secondTryMayHelp,
  Unavailable,
  UnexpectedResponse
} from "../../schemas/AuthError.js"
import { claims } from "../../schemas/Expiry.js"
import type { Session } from "../../schemas/Session.js"
import { RENEWAL_LIMIT } from "../../services/AttemptGate.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import type { PublicLoginService } from "../../services/PublicLogin.js"
import { SessionEvent } from "../../services/TokenCache.js"
import { RenewalHeldBack, type SessionStore, type SharedFailure, type Stored } from "../../services/TokenStore.js"
import { firstOf, hardTimeout, stallCount, stallTolerantSleep, storeTimedOut } from "../wait.js"
import * as Adoption from "./Adoption.js"
import * as Backoff from "./Backoff.js"
import * as Flight from "./Flight.js"
import { closed, type Obtained, obtainSession, outOfTime } from "./obtainSession.js"
import * as RenewalHistory from "./RenewalHistory.js"
import * as Saving from "./Saving.js"
import type { SessionEvents } from "./SessionEvents.js"
import * as State from "./State.js"
import * as StoreReading from "./StoreReading.js"
import type * as Timeline from "./Timeline.js"

export interface Renewal {
  /** At most one renewal at a time. It ends within 30 s in which the process runs. */
  readonly flight: Flight.Flight<AuthError>
  readonly storeReading: StoreReading.StoreReading
  /** Puts the session of a login in the place of whatever is there. */
  readonly login: PublicLoginService["login"]
  /** Lifts the backoff after rejected credentials if the secret or the account id is another one now. */
  readonly liftIfCredentialsChanged: Effect.Effect<boolean>
  /** Waits for a renewal that has called Nomba, interrupts any other, and tries once more to save the session. */
  readonly close: Effect.Effect<void>
}

export interface Dependencies {
  readonly auth: NombaAuthService
  readonly closing: Deferred.Deferred<void>
  readonly config: NombaConfigService
  readonly events: SessionEvents
  /** Forks from the layer's runtime; the layer waits for these fibers when it closes. */
  readonly fork: Flight.Fork
  readonly history: RenewalHistory.RenewalHistory
  readonly issue: Effect.Effect<Session, AuthError>
  readonly needsLogin: boolean
  readonly state: State.StateRef
  readonly store: SessionStore
  readonly timeline: Timeline.Timeline
}

/** A waiter for the lease keeps this much time to learn why the holder failed. */
const LAST_READ = Duration.seconds(1)

export const make = (dependencies: Dependencies): Renewal => {
  const { auth, closing, config, events, fork, history, issue, needsLogin, state, store, timeline } = dependencies
  const { current, update } = state
  const { now } = timeline

  const adoption = Adoption.make({ config, events, history, state, timeline })
  const saving = Saving.make({ adoption, auth, events, fork, now, state, store })
  const storeReading = StoreReading.make({ adoption, fork, history, needsLogin, now, saving, state, store })

  const isAdoptable = (stored: Stored): boolean => State.isAdoptable(current(), history, stored, now())

  /** The last run that sent a token request: Nomba ended the session of every run before it. */
  let lastSender = 0
  /** Nomba was called, so the layer waits for the outcome when it closes. */
  let isRequesting = false

  const wasEnded = (session: Session): boolean =>
    history.tokens.get(Redacted.value(session.accessToken))?.rejection === "early"

  /**
   * Nomba may answer with a token that it gave before. The lifetime of such a token began then: what is left is the JWT's
   * `exp` minus the answer's `Date`, or what was left of the lifetime as it was first stated.
   */
  const boundIfRepeated = (obtained: Obtained): Obtained => {
    const { session } = obtained
    const token = Redacted.value(session.accessToken)
    const known = history.tokens.get(token)
    if (known === undefined || obtained.operation === "restore") return obtained
    const { exp, iat } = claims(token)
    const date = session.issuedAt.epochMillis
    const isDated = session.clock === "server" && Option.isSome(exp) && !Option.contains(iat, date)
    const left = isDated ? Option.getOrThrow(exp) - date : known.expiresAt - now()
    return { ...obtained, remaining: Duration.min(obtained.remaining, Duration.millis(Math.max(0, left))) }
  }

  type Renewed =
    | { readonly _tag: "Ended" }
    | { readonly _tag: "Stored"; readonly stored: Stored; readonly operation: Obtained["operation"] | undefined }

  const isNew = ({ operation }: Renewed & { readonly _tag: "Stored" }): boolean =>
    operation === "issue" || operation === "refresh"

  interface Outcome {
    /** What Nomba answered, as soon as it has: it is never dropped. */
    obtained: { readonly stored: Stored; readonly at: number; readonly operation: Obtained["operation"] } | undefined
    /** How many failures in a row the fleet has counted with this one. */
    sharedCount: number | undefined
    isEnded: boolean
    hasLease: boolean
  }

  /** What the store holds after one renewal. `Ended`: the session was ended by a logout of another process. */
  const renewStored = (run: Flight.Run, since: State.State, deadline: number, outcome: Outcome) => {
    const obtain = obtainSession({
      auth,
      issue,
      needsLogin,
      closing,
      deadline,
      now,
      wasEnded,
      requestTimeout: config.requestTimeout,
      isDead: run.isDead,
      onSend: () => {
        lastSender = run.generation
      },
      hasLiveToken: () => State.isServed(current().cached, now()),
      cached: () =>
        Option.map(Option.fromNullable(current().cached), (cached) => ({
          stored: adoption.storedOf(cached),
          isServed: State.isServed(cached, now()) && cached.saved
        }))
    })
    const share = (error: AuthError, previous: Option.Option<SharedFailure>): Option.Option<SharedFailure> => {
      if (error._tag !== "Unavailable" || error.operation === "store") return Option.none()
      const { reason } = error
      if (reason !== "RateLimited" && reason !== "ServerError") return Option.none()
      const count = Backoff.failureCount(
        error,
        history.failure,
        Option.match(previous, { onNone: () => 0, onSome: (failure) => failure.count })
      )
      outcome.sharedCount = count
      return Option.some({
        reason,
        count,
        status: Option.fromNullable(error.status),
        wait: Duration.millis(Backoff.failureWait(error, count))
      })
    }
    return store.renew({
      adopt: isAdoptable,
      isAbandoned: run.isDead,
      share,
      obtain: (found, lease) =>
        Effect.gen(function* () {
          outcome.hasLease = true
          outcome.isEnded =
            since.cached !== undefined && Option.isNone(found) && !lease.wentBack && lease.version > since.highest
          if (outcome.isEnded) {
            yield* adoption.endedElsewhere(lease.version)
            return yield* closed
          }
          isRequesting = true
          const obtained = boundIfRepeated(
            yield* Effect.onError(obtain(found, lease), () => Effect.sync(() => (isRequesting = false)))
          )
          const { operation, remaining, session } = obtained
          const stored = { session, remaining, version: lease.version, refreshInFlight: false, saved: false }
          outcome.obtained = { stored, operation, at: now() }
          return obtained
        })
    })
  }

  /** Nomba vouched for a token that it rejected. It is served once more, because nothing better can be had. */
  const isIneffective = (error: AuthError): boolean =>
    error._tag === "UnexpectedResponse" && error.reason === "RenewalIneffective"

  const heldBack = ({ failure }: RenewalHeldBack): Unavailable =>
    new Unavailable({
      operation: "issue",
      reason: failure.reason,
      status: Option.getOrUndefined(failure.status),
      retryAfter: failure.wait,
      hint: "Another process called Nomba. This one waits as long.",
      processed: "no"
    })

  const holdBack = (error: AuthError, count: number, until: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      const credentials = error._tag === "InvalidCredentials" ? yield* credentialsDigest : undefined
      history.failure = { error, count, until, credentials }
      const at = now()
      yield* update((before) => ({
        ...(healsByWaiting(error) || isIneffective(error) ? State.doubt(before, at) : before),
        storeReadAt: at
      }))
      events.publish(SessionEvent.RenewalFailed({ error, retryAfter: Duration.millis(Math.max(0, until - at)) }))
    })

  const failed = (error: AuthError, outcome: Outcome): Effect.Effect<void> =>
    Effect.gen(function* () {
      if (error._tag === "Unavailable" && error.reason === "Closed") return
      const count = outcome.sharedCount ?? Backoff.failureCount(error, history.failure, 0)
      const wait = Backoff.failureWait(error, count)
      const isServing = State.isServed(current().cached, now())
      yield* holdBack(error, count, now() + wait)
      const message = `The access token could not be renewed. ${error.message}${isServing ? " The current token is still valid and stays in use." : ""} Next attempt in ${Math.ceil(wait / 1_000)} s at the earliest.`
      yield* error._tag === "InvalidCredentials" ? Effect.logError(message) : Effect.logWarning(message)
    })

  /** No renewal succeeded: a stored token that is still valid is served meanwhile. */
  const recoverFromStore: Effect.Effect<void> = Effect.gen(function* () {
    const since = current()
    if (State.isServed(since.cached, now())) return
    yield* storeReading.adoptFrom(yield* store.readVersioned, since, true)
  }).pipe(hardTimeout(LAST_READ), Effect.ignore)

  const notOlder = ({ obtained }: Outcome): Stored | undefined =>
    obtained && {
      ...obtained.stored,
      remaining: Duration.subtract(obtained.stored.remaining, Duration.millis(now() - obtained.at))
    }

  const renewBy = (
    run: Flight.Run,
    deadline: number,
    outcome: Outcome
  ): Effect.Effect<void, AuthError | RenewalHeldBack> =>
    Effect.gen(function* () {
      if (yield* Deferred.isDone(closing)) return yield* closed
      isRequesting = false
      yield* saving.once.run
      const since = current()
      if (State.isFresh(since.cached, now())) return

      const left = deadline - now()
      // A waiter for the lease keeps time to read why the holder failed.
      const stopWaiting = Effect.flatMap(
        stallTolerantSleep(Duration.millis(left).pipe(Duration.subtract(LAST_READ))),
        () => (outcome.hasLease ? Effect.never : Effect.fail(storeTimedOut))
      )
      const renewed = yield* firstOf(renewStored(run, since, deadline, outcome), stopWaiting).pipe(
        hardTimeout(Duration.millis(left)),
        Effect.map((stored): Renewed => {
          const { obtained } = outcome
          const isOurs =
            obtained !== undefined && State.sameToken(obtained.stored.session.accessToken, stored.session.accessToken)
          return { _tag: "Stored", stored, operation: isOurs ? obtained.operation : undefined }
        }),
        Effect.catchAllCause((cause): Effect.Effect<Renewed, AuthError | RenewalHeldBack> => {
          const stored = notOlder(outcome)
          if (outcome.isEnded) return Effect.succeed({ _tag: "Ended" })
          return stored === undefined
            ? Effect.failCause(cause)
            : Effect.succeed({ _tag: "Stored", stored, operation: outcome.obtained?.operation })
        })
      )
      if (renewed._tag === "Ended") return
      yield* keep(run, renewed.stored, since, renewed.operation, deadline)
      const { cached, epoch, rejections } = current()
      const isOvertaken = epoch !== since.epoch || rejections !== since.rejections || run.isDead()
      // A token request that leaves the next one due has not helped, even if the old token can still be served.
      const helped = isNew(renewed) ? State.isFresh(cached, now()) : State.isServed(cached, now())
      if (!isOvertaken && !helped) yield* notHelped(renewed)
    })

  const notHelped = (renewed: Renewed & { readonly _tag: "Stored" }): UnexpectedResponse => {
    const operation = renewed.operation === "refresh" ? "refresh" : "issue"
    const wasKnown = RenewalHistory.isRejected(history, Redacted.value(renewed.stored.session.accessToken))
    return State.isUsable(renewed.stored) || wasKnown
      ? new UnexpectedResponse({ operation, reason: "RenewalIneffective" })
      : new UnexpectedResponse({
          operation,
          reason: "AlreadyExpired",
          issues: ["its lifetime was over before its response was complete"]
        })
  }

  const keep = (
    run: Flight.Run,
    stored: Stored,
    since: State.State,
    operation: Obtained["operation"] | undefined,
    deadline: number
  ): Effect.Effect<void> =>
    Effect.gen(function* () {
      if (operation !== undefined && run.isDead() && lastSender > run.generation) return
      const { before } = yield* adoption.take(State.adopt, stored, since, operation)
      if (State.isServed(current().cached, now())) history.failure = undefined
      if (stored.saved) return
      if (before.epoch !== since.epoch) return yield* saving.discard(stored.session)
      yield* Effect.ignore(hardTimeout(Duration.millis(Math.max(0, deadline - now())))(saving.once.run))
      yield* saving.untilDone.start
    })

  const isLate = (error: AuthError | RenewalHeldBack): boolean =>
    error._tag === "Unavailable" &&
    (error.reason === "Timeout" || error.reason === "Store" || error.reason === "Network")

  const mayHelp = (error: AuthError | RenewalHeldBack): boolean =>
    error._tag !== "RenewalHeldBack" && secondTryMayHelp(error)

  const newOutcome = (): Outcome => ({ obtained: undefined, sharedCount: undefined, isEnded: false, hasLease: false })

  /** A waiter that never got the lease reports why the holder failed, if the holder left word. */
  const withHoldersFailure = (error: AuthError, outcome: Outcome): Effect.Effect<AuthError | RenewalHeldBack> =>
    outcome.hasLease || !isLate(error)
      ? Effect.succeed(error)
      : store.readVersioned.pipe(
          hardTimeout(LAST_READ),
          Effect.map(({ failure }) =>
            Option.match(failure, {
              onNone: () => error,
              onSome: (found) => new RenewalHeldBack({ failure: found })
            })
          ),
          Effect.orElseSucceed(() => error)
        )

  const renew = (run: Flight.Run): Effect.Effect<void, AuthError> =>
    Effect.gen(function* () {
      const stallsBefore = stallCount()
      let outcome = newOutcome()
      const attempt = Effect.suspend(() => {
        outcome = newOutcome()
        return Effect.either(renewBy(run, now() + Duration.toMillis(RENEWAL_LIMIT), outcome))
      })
      let result = yield* attempt
      if (result._tag === "Left" && !run.isDead()) {
        const wasStalled = isLate(result.left) && stallCount() > stallsBefore
        if (wasStalled) yield* Effect.logDebug("The process was stalled during a renewal. Renewing again.")
        if (wasStalled || mayHelp(result.left)) result = yield* attempt
      }
      if (result._tag === "Right" || run.isDead()) return
      const failure =
        result.left._tag === "RenewalHeldBack" ? result.left : yield* withHoldersFailure(result.left, outcome)
      if (!(failure._tag === "Unavailable" && failure.operation === "store")) {
        yield* recoverFromStore
      }
      if (failure._tag !== "RenewalHeldBack") {
        yield* failed(failure, outcome)
        return yield* Effect.fail(failure)
      }
      const error = heldBack(failure)
      const { count, wait } = failure.failure
      yield* holdBack(error, count, now() + Duration.toMillis(wait))
      return yield* error
    })

  const flight = Flight.make<AuthError>({
    fork,
    now,
    limit: RENEWAL_LIMIT,
    work: (run) => Effect.withSpan(renew(run), "TokenCache.renew", { root: true, captureStackTrace: false }),
    onInterrupt: Exit.fail(closed),
    onTimeout: Exit.fail(outOfTime)
  })

  let loginsStarted = 0
  let lastLoginKept = 0

  const login: PublicLoginService["login"] = (session) =>
    Effect.gen(function* () {
      if (yield* Deferred.isDone(closing)) return yield* closed
      const own = ++loginsStarted
      const at = now()
      const remaining = () => Duration.subtract(session.lifetime, Duration.millis(now() - at))
      let since = current()
      let version = since.highest
      const stored = yield* store
        .renew({
          adopt: () => false,
          isAbandoned: () => false,
          share: Option.none,
          ignoreSharedFailure: true,
          obtain: (_, lease) =>
            Effect.suspend(() => {
              // A later login has ended this session and did not have to wait for the store.
              if (own < lastLoginKept) return closed
              since = current()
              version = lease.version
              return Effect.succeed({ session, remaining: remaining() })
            })
        })
        .pipe(
          hardTimeout(RENEWAL_LIMIT),
          // Nomba has started the session already, so a store that does not take it loses nothing but time.
          Effect.catchAllCause(() =>
            Effect.sync(
              (): Stored => ({
                session,
                version,
                remaining: remaining(),
                refreshInFlight: false,
                saved: false
              })
            )
          )
        )
      lastLoginKept = Math.max(lastLoginKept, own)
      const { before } = yield* adoption.take(State.logIn, stored, since, "issue")
      history.failure = undefined
      if (stored.saved) return
      if (before.epoch !== since.epoch) return yield* saving.discard(stored.session)
      yield* saving.untilDone.start
    })

  const credentialsDigest: Effect.Effect<number | undefined> = Effect.map(
    Effect.option(config.clientSecret),
    Option.match({
      onNone: () => undefined,
      onSome: (secret) => Hash.string(`${Redacted.value(secret)}\n${Option.getOrElse(config.accountId, () => "")}`)
    })
  )

  let credentialsReadAt = Number.NEGATIVE_INFINITY

  return {
    flight,
    storeReading,
    login,
    liftIfCredentialsChanged: Effect.gen(function* () {
      const { failure } = history
      if (needsLogin || failure?.error._tag !== "InvalidCredentials" || now() - credentialsReadAt < 1_000) return false
      credentialsReadAt = now()
      if ((yield* credentialsDigest) === failure.credentials) return false
      history.failure = undefined
      return true
    }),
    close: Effect.gen(function* () {
      yield* isRequesting ? flight.settled : flight.stop
      yield* saving.untilDone.stop
      yield* storeReading.flight.stop
      yield* Effect.ignore(saving.once.run)
    })
  }
}
