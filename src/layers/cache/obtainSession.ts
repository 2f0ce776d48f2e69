/**
 * Gets one session from Nomba under the lease of the token store: refresh if that is safe, otherwise issue.
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { type AuthError, Unavailable } from "../../schemas/AuthError.js"
import { endsRefreshToken, isRefusal, rejectsCredentials, wasNotProcessed } from "../../schemas/ErrorMeaning.js"
import { Session } from "../../schemas/Session.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import type { Lease, LeaseLost, Stored } from "../../services/TokenStore.js"
import { AttemptGate, type AttemptGateService, unusableTokensOf } from "../auth/HttpAttempt.js"
import { hasTime } from "../time.js"
import type { RenewalHistory } from "./RenewalHistory.js"

/** What one renewal works with. */
export interface RenewalContext {
  readonly auth: NombaAuthService
  /** Starts a session: by client credentials, or a failure if the end user has to log in. */
  readonly issue: Effect.Effect<Session, AuthError>
  /** The end user has to log in to start a session, so a refresh token of doubtful worth is tried first. */
  readonly needsLogin: boolean
  readonly requestTimeout: Duration.Duration
  readonly now: () => number
  /** The renewal has ended by then. */
  readonly deadline: number
  /** Done when the cache is closing: no request is started. */
  readonly closing: Deferred.Deferred<void>
  /** The callers have given this renewal up: it must send nothing more. */
  readonly isDead: () => boolean
  /** A request is about to be sent. */
  readonly onSend: () => void
  /** Nomba answered 401 to the token of this session before its lifetime was over, so its refresh token is dead too. */
  readonly wasEnded: (session: Session) => boolean
  /**
   * Refresh tokens that this process has sent and that may be spent. The flag in the store says so too, but a store that
   * went back may have lost it.
   */
  readonly spent: RenewalHistory["spentRefreshTokens"]
  /** Those that Nomba has answered: not even a client whose end user would have to log in sends them again. */
  readonly answered: RenewalHistory["answeredRefreshTokens"]
  /** Callers can be served without this renewal. */
  readonly hasLiveToken: () => boolean
  /** The session in memory, for a store that went back to an older one. */
  readonly cached: () => Option.Option<{ readonly stored: Stored; readonly isServed: boolean }>
}

/** A session and how it was obtained. `remaining` counts from the moment its request was sent. */
export interface Obtained {
  readonly session: Session
  readonly remaining: Duration.Duration
  readonly operation: "issue" | "refresh" | "restore"
  /** Nomba has spent the refresh token and given no usable session for it. What is left of the session is kept. */
  readonly unusable?: AuthError
}

/** The layer was closed before a request was sent. */
export const closed = new Unavailable({ operation: "store", reason: "Closed", processed: "no" })

/** No request was sent, because the renewal would not have ended in time. */
export const outOfTime = new Unavailable({
  operation: "store",
  reason: "Timeout",
  hint: "No time was left to ask Nomba: other processes that share the session were asking it and have no token yet, or the token store was slow.",
  processed: "no"
})

type Failure = AuthError | LeaseLost

const isAnswer = (error: Failure): error is AuthError => error._tag !== "LeaseLost" && endsRefreshToken(error)

const wasNotSent = (error: Failure): boolean => error._tag === "LeaseLost" || wasNotProcessed(error)

/** The store failed before the request was sent, or Nomba certainly did not process it. */
const isUnsent = (error: Failure): boolean =>
  wasNotSent(error) || (error._tag === "Unavailable" && error.operation === "store")

const isText =
  (text: string) =>
  (redacted: Redacted.Redacted<string>): boolean =>
    Redacted.value(redacted) === text

export const obtainSession =
  (context: RenewalContext) =>
  (current: Option.Option<Stored>, lease: Lease): Effect.Effect<Obtained, Failure> => {
    const { auth, needsLogin } = context

    /** If it can no longer be sent, the renewal has failed for this reason. */
    const issue = (reason?: AuthError) => request(context, lease, "issue", lease.extend, context.issue, reason)

    /** Flags the stored session first, so that no process adopts it or refreshes it again. */
    const replace = (
      stored: Stored,
      operation: "issue" | "refresh",
      effect: Effect.Effect<Session, AuthError>
    ): Effect.Effect<Obtained, Failure> => {
      // The lease may be lost before the second attempt, after the first one was sent.
      let mayBeProcessed = false
      const watched = Effect.tapError(effect, (error) => {
        mayBeProcessed ||= !wasNotProcessed(error)
        return Effect.void
      })
      return Effect.tapError(request(context, lease, operation, lease.beginRefresh, watched), (error) =>
        Effect.when(lease.cancelRefresh, () => !stored.refreshInFlight && !mayBeProcessed && wasNotSent(error))
      )
    }

    const refresh = (stored: Stored, refreshToken: Redacted.Redacted<string>): Effect.Effect<Obtained, Failure> => {
      const token = Redacted.value(refreshToken)
      if (!needsLogin && context.spent.has(token)) return replace(stored, "issue", context.issue)
      if (context.answered.has(token)) return issue()
      const readAt = context.now()
      context.spent.add(token)
      return replace(
        stored,
        "refresh",
        Effect.map(auth.refresh({ refreshToken, accessToken: stored.session.accessToken }), (session) =>
          // RFC 6749, section 6: an answer without a refresh token may leave the old one valid.
          needsLogin && Option.isNone(session.refreshToken)
            ? new Session({ ...session, refreshToken: Option.some(refreshToken) })
            : session
        )
      ).pipe(
        Effect.tapBoth({
          onFailure: (error) =>
            Effect.sync(() => {
              if (isUnsent(error)) context.spent.delete(token)
              if (isAnswer(error)) context.answered.add(token)
            }),
          onSuccess: ({ session }) =>
            Effect.sync(() => {
              // Nomba may not rotate its refresh tokens.
              if (Option.exists(session.refreshToken, isText(token))) context.spent.delete(token)
              else context.answered.add(token)
            })
        }),
        Effect.catchAll((error) =>
          needsLogin && isAnswer(error) && !isRefusal(error)
            ? Effect.succeed(whatIsLeft(stored, context.now() - readAt, error))
            : afterRefresh(error)
        )
      )
    }

    /**
     * The session of a public client after an answer that spent its refresh token: with the one that the answer contains, if
     * there is a newer one. Otherwise the end user has to log in.
     */
    const whatIsLeft = ({ remaining, session }: Stored, elapsed: number, error: AuthError): Obtained => {
      const unusable = unusableTokensOf(error)
      const expired = Option.flatMap(unusable, (_) => _.accessToken)
      return {
        session: new Session({
          ...session,
          accessToken: Option.getOrElse(expired, () => session.accessToken),
          refreshToken: Option.filter(
            Option.flatMap(unusable, (_) => _.refreshToken),
            (newer) => !Option.exists(session.refreshToken, isText(Redacted.value(newer)))
          )
        }),
        remaining: Option.isSome(expired) ? Duration.zero : Duration.subtract(remaining, Duration.millis(elapsed)),
        operation: "refresh",
        unusable: error
      }
    }

    /** The refresh token counts as spent, unless its request certainly was not processed. */
    const afterRefresh = (error: Failure): Effect.Effect<Obtained, Failure> => {
      if (error._tag === "LeaseLost") return Effect.fail(error)
      if (isRefusal(error)) {
        // A login does not help a client that Nomba refuses, or whose request could not be sent.
        return needsLogin && (rejectsCredentials(error) || wasNotSent(error)) ? Effect.fail(error) : issue()
      }
      // The next renewal of a public client tries the same refresh token again: a lost answer is no reason to ask the end
      // user to log in.
      return isUnsent(error) || needsLogin || context.hasLiveToken() ? Effect.fail(error) : issue(error)
    }

    /** The store lost what this process saw there. What it holds now has been refreshed or ended since. */
    const afterStoreWentBack = Effect.suspend((): Effect.Effect<Obtained, Failure> => {
      const known = context.cached()
      if (Option.isNone(known)) return issue()
      const { isServed, stored } = known.value
      // Another process replaced or ended a session that is older than what was seen last.
      if (stored.version < lease.highestSeen) return issue()
      if (isServed) {
        const session = stored.refreshInFlight
          ? new Session({ ...stored.session, refreshToken: Option.none() })
          : stored.session
        return Effect.succeed({ session, remaining: stored.remaining, operation: "restore" })
      }
      return needsLogin && Option.isSome(stored.session.refreshToken)
        ? refresh(stored, stored.session.refreshToken.value)
        : issue()
    })

    if (lease.wentBack) return afterStoreWentBack
    if (Option.isNone(current)) return issue()
    const stored = current.value
    if (context.wasEnded(stored.session) && !needsLogin) return replace(stored, "issue", context.issue)
    const { refreshToken } = stored.session
    return Option.isSome(refreshToken) && (!stored.refreshInFlight || needsLogin)
      ? refresh(stored, refreshToken.value)
      : issue()
  }

/** One token request, sent only under the lease and with enough time, and repeated only under the same conditions. */
const request = (
  { closing, deadline, isDead, now, onSend, requestTimeout }: RenewalContext,
  lease: Lease,
  operation: "issue" | "refresh",
  permission: Effect.Effect<void, LeaseLost | Unavailable>,
  effect: Effect.Effect<Session, AuthError>,
  reason?: AuthError
): Effect.Effect<Obtained, Failure> =>
  Effect.gen(function* () {
    const canStart = Effect.gen(function* () {
      if (isDead() || (yield* Deferred.isDone(closing))) return yield* reason ?? closed
      if (!hasTime(deadline, now(), Duration.zero, requestTimeout)) return yield* reason ?? outOfTime
    })
    yield* canStart
    yield* permission
    yield* canStart

    let sentAt = now()
    let lost: LeaseLost | undefined
    const extendIfTime = (needed: Duration.Duration) =>
      Effect.gen(function* () {
        lost = yield* Effect.match(lease.extend, { onFailure: (error) => error, onSuccess: () => undefined })
        return lost === undefined && !isDead() && hasTime(deadline, now(), Duration.zero, needed)
      })
    const gate: AttemptGateService = {
      // Reading a secret may take longer than a lease check is valid for, and so may a stall.
      beforeSend: Effect.gen(function* () {
        if (isDead()) return yield* closed
        const isHeld = yield* Effect.match(lease.assertHeld, { onFailure: () => false, onSuccess: () => true })
        if (!isHeld && !(yield* extendIfTime(requestTimeout))) return yield* outOfTime
        sentAt = now()
        onSend()
      }),
      start: (needed) =>
        Effect.succeed((wait) =>
          Effect.gen(function* () {
            if (!hasTime(deadline, now(), wait, needed)) return false
            const isClosing = yield* Effect.raceFirst(
              Effect.as(Effect.sleep(wait), false),
              Effect.as(Deferred.await(closing), true)
            )
            return !isClosing && (yield* extendIfTime(needed))
          })
        )
    }

    const session = yield* effect.pipe(
      Effect.provideService(AttemptGate, gate),
      Effect.catchAll((error): Effect.Effect<never, Failure> => lost ?? error)
    )
    return { session, remaining: Duration.subtract(session.lifetime, Duration.millis(now() - sentAt)), operation }
  })
