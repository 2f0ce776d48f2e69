/**
 * One session from Nomba: refresh where that is safe, else start anew. Runs under the lease of the token store.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { type AuthError, Unavailable, wasNotProcessed } from "../../schemas/AuthError.js"
import { Session } from "../../schemas/Session.js"
import { AttemptGate, type AttemptGateService, hasTime } from "../../services/AttemptGate.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import type { SessionSourceService } from "../../services/SessionSource.js"
import type { Lease, LeaseLost, Minted, Stored } from "../../services/TokenStore.js"

/** What one renewal works with. */
export interface Circumstances {
  readonly auth: NombaAuthService
  readonly source: SessionSourceService
  readonly requestTimeout: Duration.Duration
  /** By the process's clock, in milliseconds: the renewal has ended by then. */
  readonly deadline: number
  /** Done when the cache is closing: nothing new is begun. */
  readonly closing: Deferred.Deferred<void>
  /** Whether this session is taken for ended by somebody. */
  readonly wasEnded: (session: Session) => boolean
  /** Whether callers can be served without this renewal. */
  readonly hasLiveToken: Effect.Effect<boolean>
}

/** The layer was closed before Nomba was asked. */
export const closed = new Unavailable({ operation: "store", reason: "Closed", processed: "no" })

const outOfTime = new Unavailable({
  operation: "store",
  reason: "Timeout",
  hint: "No time was left for a call to Nomba within this renewal.",
  processed: "no"
})

/** Whether Nomba was not asked, because the renewal would not have ended in time. */
export const isOutOfTime = (error: AuthError): boolean =>
  error._tag === "Unavailable" && error.operation === outOfTime.operation && error.reason === outOfTime.reason

/** Nothing was sent, or what was sent was not processed. */
const keptRefreshToken = (error: AuthError | LeaseLost): boolean => error._tag === "LeaseLost" || wasNotProcessed(error)

/**
 * Refreshes with the stored refresh token, the old access token as bearer, and starts anew when Nomba refuses it. After
 * a failure that may have been processed the refresh token counts as spent: with a live token in hand the next renewal
 * starts anew, without one this renewal does. A session that is taken for ended is not refreshed at all: that would spend
 * one of the calls that Nomba allows on a refusal. Where starting needs a person, every refresh token is tried.
 */
export const mint =
  (renewal: Circumstances) =>
  (current: Option.Option<Stored>, lease: Lease): Effect.Effect<Minted, AuthError | LeaseLost> => {
    const { auth, hasLiveToken, source, wasEnded } = renewal

    const start = (otherwise: AuthError) => call(renewal, lease, lease.check, source.start, otherwise)

    /** Marks what is held, so that nobody takes it over any more, unless what is done instead was not processed. */
    const replace = ({ marked }: Stored, operation: Effect.Effect<Session, AuthError>) =>
      Effect.tapError(call(renewal, lease, lease.spend, operation, outOfTime), (error) =>
        Effect.when(lease.unspend, () => !marked && keptRefreshToken(error))
      )

    /** Where the answer has no new refresh token, the old one may have stayed good (RFC 6749, section 6). */
    const keepingRefreshToken = (session: Session, old: Redacted.Redacted<string>): Session =>
      source.interactive && Option.isNone(session.refreshToken)
        ? new Session({ ...session, refreshToken: Option.some(old) })
        : session

    const refresh = (stored: Stored, refreshToken: Redacted.Redacted<string>) => {
      const refreshed = Effect.map(auth.refresh({ refreshToken, accessToken: stored.session.accessToken }), (_) =>
        keepingRefreshToken(_, refreshToken)
      )
      return Effect.catchAll(replace(stored, refreshed), (error): Effect.Effect<Minted, AuthError | LeaseLost> => {
        switch (error._tag) {
          case "Expired":
          case "InvalidCredentials":
          case "InvalidRequest":
            return start(error)
          case "LeaseLost":
            return error
          case "Unavailable":
            if (wasNotProcessed(error) || error.operation === "store") return error
            break
          case "UnexpectedResponse":
            break
          default:
            error satisfies never
        }
        // No person is asked to log in only because an answer was lost: the next renewal tries the marked token.
        if (source.interactive) return error
        return Effect.flatMap(hasLiveToken, (isLive) => (isLive ? error : start(error)))
      })
    }

    return Option.match(current, {
      onNone: () => start(outOfTime),
      onSome: (stored) => {
        const { marked, session } = stored
        if (wasEnded(session) && !source.interactive) return replace(stored, source.start)
        const refreshToken = Option.filter(session.refreshToken, () => !marked || source.interactive)
        return Option.match(refreshToken, {
          onNone: () => start(outOfTime),
          onSome: (token) => refresh(stored, token)
        })
      }
    })
  }

/** One call to Nomba, begun only with permission and with enough time, repeated only under the lease. */
const call = (
  { closing, deadline, requestTimeout }: Circumstances,
  lease: Lease,
  permission: Effect.Effect<void, LeaseLost | Unavailable>,
  operation: Effect.Effect<Session, AuthError>,
  otherwise: AuthError
): Effect.Effect<Minted, AuthError | LeaseLost> =>
  Effect.gen(function* () {
    const mayBegin = Effect.gen(function* () {
      if (yield* Deferred.isDone(closing)) return yield* closed
      if (!hasTime(deadline, yield* Clock.currentTimeMillis, Duration.zero, requestTimeout)) return yield* otherwise
    })
    yield* mayBegin
    yield* permission
    yield* mayBegin

    let sentAt = yield* Clock.currentTimeMillis
    let lost: LeaseLost | undefined
    /** Whether a request may go now: the lease is still ours, and there is time. */
    const mayGo = (needed: Duration.Duration) =>
      Effect.gen(function* () {
        lost = yield* Effect.match(lease.check, { onFailure: (_) => _, onSuccess: () => undefined })
        sentAt = yield* Clock.currentTimeMillis
        return lost === undefined && hasTime(deadline, sentAt, Duration.zero, needed)
      })
    const gate: AttemptGateService = {
      // Reading a secret may take longer than a permission is good for, and so may a process that stood still.
      beforeSend: Effect.catchAll(lease.still, () =>
        Effect.flatMap(mayGo(requestTimeout), (may) => (may ? Effect.void : outOfTime))
      ),
      start: (needed) =>
        Effect.succeed((wait) =>
          Effect.gen(function* () {
            if (!hasTime(deadline, yield* Clock.currentTimeMillis, wait, needed)) return false
            const isClosing = yield* Effect.raceFirst(
              Effect.as(Effect.sleep(wait), false),
              Effect.as(Deferred.await(closing), true)
            )
            return !isClosing && (yield* mayGo(needed))
          })
        )
    }

    const session = yield* operation.pipe(
      Effect.provideService(AttemptGate, gate),
      Effect.catchAll((error): Effect.Effect<never, AuthError | LeaseLost> => lost ?? error)
    )
    const elapsed = Math.max(0, (yield* Clock.currentTimeMillis) - sentAt)
    return { session, remaining: Duration.subtract(session.lifetime, Duration.millis(elapsed)) }
  })
