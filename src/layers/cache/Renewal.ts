/**
 * Renews the cached session, saves it, and adopts what other processes store.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Tracer from "effect/Tracer"
import { type AuthError, Unavailable, UnexpectedResponse } from "../../schemas/AuthError.js"
import {
  healsByWaiting,
  mayComeFromStall,
  rejectsCredentials,
  secondTryMayHelp,
  withRetryAfter
} from "../../schemas/ErrorMeaning.js"
import type { Session } from "../../schemas/Session.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import type { PublicLoginService } from "../../services/PublicLogin.js"
import { SessionEvent } from "../../services/TokenCache.js"
import { RenewalHeldBack, type SessionStore, type Stored } from "../../services/TokenStore.js"
import * as BaseUrl from "../config/BaseUrl.js"
import * as Telemetry from "../telemetry.js"
import type { Timeline } from "../time.js"
import { hardTimeout, RENEWAL_LIMIT, STORE_LIMIT, stallCount, storeTimedOut } from "../time.js"
import * as Flight from "./Flight.js"
import * as Login from "./Login.js"
import { closed, type Obtained } from "./obtainSession.js"
import * as RenewalAttempt from "./RenewalAttempt.js"
import * as RenewalHistory from "./RenewalHistory.js"
import * as State from "./State.js"
import * as StoreSync from "./StoreSync.js"

/** The renewal did not end in time. It may have sent a request. */
export const givenUp = new Unavailable({
  operation: "store",
  reason: "Timeout",
  hint: "There was no token after 30 s: Nomba or the token store does not answer, or another process is still asking Nomba."
})

/** The store answered, but the lease was taken the whole time. */
const leaseTaken = new Unavailable({
  operation: "store",
  reason: "Timeout",
  hint: "Other processes held the lease all that time, and no renewal has succeeded.",
  processed: "no"
})

export interface Renewal {
  /** At most one renewal at a time. It ends within 30 s in which the process runs. */
  readonly flight: Flight.Flight<AuthError>
  /** Whether a token request has been sent and not been answered. */
  readonly isRequesting: () => boolean
  /** The span of the latest renewal. */
  readonly span: () => Tracer.AnySpan | undefined
  readonly sync: StoreSync.StoreSync
  /** Replaces what is cached and stored by the session of a login. */
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
  readonly events: State.SessionEvents
  /** Forks from the layer's runtime; the layer waits for these fibers when it closes. */
  readonly fork: Flight.Fork
  readonly history: RenewalHistory.RenewalHistory
  readonly issue: Effect.Effect<Session, AuthError>
  readonly needsLogin: boolean
  readonly state: State.StateRef
  readonly store: SessionStore
  readonly timeline: Timeline
}

const triggerOf = (cached: State.Cached | undefined, now: number): Telemetry.Trigger => {
  if (cached === undefined) return "cold"
  if (!State.isLive(cached, now)) return "expired"
  return cached.rejected ? "rejected" : "ahead"
}

const resultOf = (operation: Obtained["operation"] | undefined): Telemetry.Result => {
  switch (operation) {
    case "issue":
      return "issued"
    case "refresh":
      return "refreshed"
    case "restore":
    case undefined:
      return "adopted"
  }
}

/** A renewal that ended because the layer was closed has not failed. */
const isEndOfLayer = (exit: Exit.Exit<unknown, AuthError>): boolean =>
  Exit.isInterrupted(exit) ||
  Exit.match(exit, {
    onSuccess: () => false,
    onFailure: (cause) => Option.exists(Cause.failureOption(cause), isClosed)
  })

const isClosed = (error: AuthError): boolean => error._tag === "Unavailable" && error.reason === "Closed"

export const make = (dependencies: Dependencies): Renewal => {
  const { auth, closing, config, events, fork, history, issue, needsLogin, state, store, timeline } = dependencies
  const { current, update } = state
  const { now } = timeline

  const host = BaseUrl.hostOf(config)
  const rejectedHint = `Nomba answered a call with 401 and then gave the same token again. Either the account id is missing or wrong (${Option.getOrElse(config.accountId, () => "not set")}), or the route always answers 401, or the token has ended.`
  const sync = StoreSync.make({ auth, config, events, fork, history, needsLogin, state, store, timeline })

  const attempt = RenewalAttempt.make({
    sync,
    auth,
    closing,
    config,
    history,
    issue,
    needsLogin,
    now,
    state,
    store
  })

  /** The last run that sent a token request: Nomba ended the session of every run before it. */
  let lastSender = 0
  /** Nomba was called, so the layer waits for the outcome when it closes. */
  let requesting: number | undefined

  /** Nomba vouched for a token that it rejected. It is served once more, because nothing better can be had. */
  const isIneffective = (error: AuthError): boolean =>
    error._tag === "UnexpectedResponse" && error.reason === "RenewalIneffective"

  const heldBack = ({ failure }: RenewalHeldBack): Unavailable =>
    new Unavailable({
      ...host,
      operation: "issue",
      reason: failure.reason,
      status: Option.getOrUndefined(failure.status),
      retryAfter: failure.wait,
      hint: "Nomba told this to another process that shares the session. All of them wait.",
      processed: "no"
    })

  const holdBack = (error: AuthError, count: number, until: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      const credentials = rejectsCredentials(error) ? yield* credentialsDigest : undefined
      history.failure = { error, count, until, credentials }
      const at = now()
      yield* update((before) => ({
        ...(healsByWaiting(error) || isIneffective(error) ? State.doubt(before, timeline) : before),
        storeReadAt: at
      }))
      events.publish(SessionEvent.RenewalFailed({ error, retryAfter: Duration.millis(Math.max(0, until - at)) }))
    })

  /** Returns what callers are told. */
  const failed = (stated: AuthError, progress: RenewalAttempt.Progress): Effect.Effect<AuthError> =>
    Effect.gen(function* () {
      if (isClosed(stated)) return stated
      const count = progress.sharedCount ?? RenewalHistory.failureCount(stated, history.failure, 0)
      const wait = RenewalHistory.failureWait(stated, count)
      // The cache tries again after this wait, so no caller is told a longer one.
      const isShorter = stated.retryAfter !== undefined && wait < Duration.toMillis(stated.retryAfter)
      const error = isShorter ? withRetryAfter(stated, Duration.millis(wait)) : stated
      const isServing = State.isServed(current().cached, now())
      yield* holdBack(error, count, now() + wait)
      const message = `The access token could not be renewed. ${error.message}${isServing ? " The current token is still valid and stays in use." : ""} Next attempt in ${Math.ceil(wait / 1_000)} s at the earliest.`
      // A public client without a session is no fault: its end user has not logged in.
      const isLoggedOut = needsLogin && error._tag === "Expired"
      const log = isLoggedOut ? Effect.logDebug : rejectsCredentials(error) ? Effect.logError : Effect.logWarning
      yield* log(message)
      return error
    })

  /** No renewal succeeded: a stored token that is still valid is served meanwhile. */
  const recoverFromStore: Effect.Effect<void> = Effect.gen(function* () {
    const since = current()
    if (State.isServed(since.cached, now())) return
    yield* sync.adoptFrom(yield* store.readVersioned, since, true)
  }).pipe(hardTimeout(RenewalAttempt.LAST_READ), Effect.ignore)

  const renewBy = (
    run: Flight.Run,
    deadline: number,
    progress: RenewalAttempt.Progress
  ): Effect.Effect<Telemetry.Result | undefined, AuthError | RenewalHeldBack> =>
    Effect.gen(function* () {
      if (yield* Deferred.isDone(closing)) return yield* closed
      requesting = undefined
      if (sync.isSaveDue()) yield* sync.saveOnce.run
      const since = current()
      if (State.isFresh(since.cached, now())) return undefined

      const renewed = yield* attempt({
        since,
        deadline,
        progress,
        isDead: run.isDead,
        onSend: () => {
          lastSender = run.generation
        },
        onRequest: (isRequesting) => {
          if (isRequesting) requesting = run.generation
          else if (requesting === run.generation) requesting = undefined
        }
      })
      if (renewed._tag === "Ended") return undefined
      yield* keep(run, renewed.stored, since, renewed.operation, deadline)
      const { cached, epoch, rejections } = current()
      const isOvertaken = epoch !== since.epoch || rejections !== since.rejections || run.isDead()
      // A token request that leaves the next one due has not helped, even if the old token can still be served.
      const isNew = renewed.operation === "issue" || renewed.operation === "refresh"
      const helped = isNew ? State.isFresh(cached, now()) : State.isServed(cached, now())
      if (helped && progress.unusable === undefined) history.failure = undefined
      else if (!isOvertaken) yield* notHelped(renewed, progress)
      return resultOf(renewed.operation)
    })

  const notHelped = (
    renewed: RenewalAttempt.Renewed & { readonly _tag: "Stored" },
    { isRepeated, unusable }: RenewalAttempt.Progress
  ): AuthError => {
    if (unusable !== undefined) return unusable
    const operation = renewed.operation === "refresh" ? "refresh" : "issue"
    const isRejected = RenewalHistory.isRejected(history, Redacted.value(renewed.stored.session.accessToken))
    return State.isUsable(renewed.stored) || isRepeated
      ? new UnexpectedResponse({ operation, reason: "RenewalIneffective", hint: isRejected ? rejectedHint : undefined })
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
      const { before } = yield* sync.take(State.adopt, stored, since, operation)
      if (stored.saved) return
      if (before.epoch !== since.epoch) return yield* sync.discard(stored.session)
      yield* Effect.ignore(hardTimeout(Duration.millis(Math.max(0, deadline - now())))(sync.saveOnce.run))
      yield* sync.saveUntilDone.start
    })

  const isLate = (error: AuthError | RenewalHeldBack): boolean =>
    error._tag !== "RenewalHeldBack" && mayComeFromStall(error)

  const mayHelp = (error: AuthError | RenewalHeldBack): boolean =>
    error._tag !== "RenewalHeldBack" && secondTryMayHelp(error)

  /**
   * A waiter that never got the lease reports why the holder failed, if the holder left word. A store that answered is not
   * to blame, also if the last holder has just released the lease.
   */
  const withHoldersFailure = (
    error: AuthError,
    progress: RenewalAttempt.Progress,
    hasWaited: boolean
  ): Effect.Effect<AuthError | RenewalHeldBack> =>
    progress.hasLease || !isLate(error)
      ? Effect.succeed(error)
      : store.readVersioned.pipe(
          hardTimeout(RenewalAttempt.LAST_READ),
          Effect.map(({ failure }) =>
            Option.match(failure, {
              onNone: () => (hasWaited && Cause.originalError(error) === storeTimedOut ? leaseTaken : error),
              onSome: (found) => new RenewalHeldBack({ failure: found })
            })
          ),
          Effect.orElseSucceed(() => error)
        )

  /** Undefined if there was nothing to do. */
  const renew = (run: Flight.Run): Effect.Effect<Telemetry.Result | undefined, AuthError> =>
    Effect.gen(function* () {
      const stallsBefore = stallCount()
      const refusalsBefore = store.leaseRefusals()
      let progress = RenewalAttempt.start()
      const newDeadline = () => now() + Duration.toMillis(RENEWAL_LIMIT)
      const deadline = newDeadline()
      const tryBy = (deadline: number) =>
        Effect.suspend(() => {
          progress = RenewalAttempt.start()
          return Effect.either(renewBy(run, deadline, progress))
        })
      let result = yield* tryBy(deadline)
      if (result._tag === "Left" && !run.isDead()) {
        const wasStalled = isLate(result.left) && stallCount() > stallsBefore
        if (wasStalled) yield* Effect.logDebug("The process was stalled during a renewal. Renewing again.")
        if (wasStalled) result = yield* tryBy(newDeadline())
        else if (mayHelp(result.left)) result = yield* tryBy(deadline)
      }
      if (result._tag === "Right") return result.right
      if (run.isDead()) return "failed"
      const failure =
        result.left._tag === "RenewalHeldBack"
          ? result.left
          : yield* withHoldersFailure(result.left, progress, store.leaseRefusals() > refusalsBefore)
      if (!(failure._tag === "Unavailable" && failure.operation === "store")) {
        yield* recoverFromStore
      }
      if (failure._tag !== "RenewalHeldBack") {
        return yield* Effect.fail(yield* failed(failure, progress))
      }
      const error = heldBack(failure)
      const { count, wait } = failure.failure
      if (history.failure?.count !== count) {
        yield* Effect.logWarning(`The access token could not be renewed. ${error.message}`)
      }
      yield* holdBack(error, count, now() + Duration.toMillis(wait))
      return yield* error
    })

  let latestSpan: Tracer.AnySpan | undefined

  /** The renewal has a trace of its own, because it serves many callers. A link leads to the one that started it. */
  const traced = (run: Flight.Run): Effect.Effect<void, AuthError> => {
    const trigger = triggerOf(current().cached, now())
    return Effect.contextWith(Telemetry.spanOf).pipe(
      Effect.flatMap((span) => {
        latestSpan = span
        return renew(run)
      }),
      Effect.onExit((exit) => {
        const result = Exit.isSuccess(exit) ? exit.value : isEndOfLayer(exit) ? undefined : "failed"
        if (result === undefined) return Effect.void
        return Effect.zipRight(
          Effect.annotateCurrentSpan({ [Telemetry.RESULT]: result, ...Telemetry.failureOf(exit) }),
          Telemetry.countRenewal(trigger, result)
        )
      }),
      Effect.withSpan("TokenCache.renew", {
        root: true,
        captureStackTrace: false,
        attributes: { [Telemetry.TRIGGER]: trigger },
        links: run.caller === undefined ? [] : [Telemetry.linkTo(run.caller)]
      }),
      Effect.asVoid
    )
  }

  const flight = Flight.make<AuthError>({
    fork,
    now,
    limit: RENEWAL_LIMIT,
    hasHeartbeat: timeline.isSystem,
    work: traced,
    onInterrupt: Exit.fail(closed),
    onTimeout: Exit.fail(givenUp)
  })

  const credentialsDigest: Effect.Effect<number | undefined> = Effect.map(
    Effect.option(hardTimeout(STORE_LIMIT)(config.clientSecret)),
    Option.match({
      onNone: () => undefined,
      onSome: (secret) => Hash.string(`${Redacted.value(secret)}\n${Option.getOrElse(config.accountId, () => "")}`)
    })
  )

  let credentialsReadAt = Number.NEGATIVE_INFINITY

  return {
    flight,
    isRequesting: () => requesting !== undefined,
    span: () => latestSpan,
    sync,
    login: Login.make({ closing, history, now, state, store, sync }),
    liftIfCredentialsChanged: Effect.gen(function* () {
      const { failure } = history
      if (needsLogin || failure === undefined || !rejectsCredentials(failure.error)) return false
      if (now() - credentialsReadAt < 1_000) return false
      credentialsReadAt = now()
      const digest = yield* credentialsDigest
      if (digest === undefined || digest === failure.credentials) return false
      RenewalHistory.switchCredentials(history, digest)
      return !RenewalHistory.isRunning(history.failure, now())
    }),
    close: Effect.gen(function* () {
      yield* requesting !== undefined ? flight.settled : flight.stop
      yield* sync.saveUntilDone.stop
      yield* sync.reading.stop
      yield* Effect.ignore(sync.saveOnce.run)
    })
  }
}
