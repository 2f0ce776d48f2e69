/**
 * One attempt to renew: what the store holds afterwards, and what Nomba answered on the way.
 */
import type * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { AuthError } from "../../schemas/AuthError.js"
import { statedByNomba } from "../../schemas/ErrorMeaning.js"
import { claims } from "../../schemas/Expiry.js"
import type { Session } from "../../schemas/Session.js"
import type { NombaAuthService } from "../../services/NombaAuth.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import type { RenewalHeldBack, SessionStore, SharedFailure, Stored } from "../../services/TokenStore.js"
import { firstOf, hardTimeout, stallTolerantSleep, storeTimedOut } from "../time.js"
import { closed, type Obtained, obtainSession } from "./obtainSession.js"
import * as RenewalHistory from "./RenewalHistory.js"
import * as State from "./State.js"
import type { StoreSync } from "./StoreSync.js"

/** What is known about an attempt while it runs, and after it failed. */
export interface Progress {
  /** What Nomba answered, as soon as it has: it is never dropped. */
  obtained: { readonly stored: Stored; readonly at: number; readonly operation: Obtained["operation"] } | undefined
  /** How many failures in a row the fleet has counted with this one. */
  sharedCount: number | undefined
  /** Another process ended the session. */
  isEnded: boolean
  hasLease: boolean
  /** Nomba answered with an access token that it gave before. */
  isRepeated: boolean
  /** Nomba spent the refresh token and gave no usable session for it. */
  unusable: AuthError | undefined
}

/** `Ended`: a logout of another process. `operation`: how Nomba gave the session, none if it was adopted. */
export type Renewed =
  | { readonly _tag: "Ended" }
  | { readonly _tag: "Stored"; readonly stored: Stored; readonly operation: Obtained["operation"] | undefined }

export interface Options {
  /** The cache as it was when the renewal began. */
  readonly since: State.State
  readonly deadline: number
  readonly isDead: () => boolean
  readonly onSend: () => void
  /** Nomba is called from now on, until the lease is released. */
  readonly onRequest: (isRequesting: boolean) => void
  readonly progress: Progress
}

export interface Dependencies {
  readonly auth: NombaAuthService
  readonly closing: Deferred.Deferred<void>
  readonly config: NombaConfigService
  readonly history: RenewalHistory.RenewalHistory
  readonly issue: Effect.Effect<Session, AuthError>
  readonly needsLogin: boolean
  readonly now: () => number
  readonly state: State.StateRef
  readonly store: SessionStore
  readonly sync: StoreSync
}

/** A waiter for the lease keeps this much time to learn why the holder failed. */
export const LAST_READ: Duration.Duration = Duration.seconds(1)

export const start = (): Progress => ({
  obtained: undefined,
  sharedCount: undefined,
  isEnded: false,
  hasLease: false,
  isRepeated: false,
  unusable: undefined
})

export const make = ({
  auth,
  closing,
  config,
  history,
  issue,
  needsLogin,
  now,
  state: { current },
  store,
  sync
}: Dependencies): ((options: Options) => Effect.Effect<Renewed, AuthError | RenewalHeldBack>) => {
  const isRepeated = ({ operation, session }: Obtained): boolean =>
    operation !== "restore" && history.tokens.has(Redacted.value(session.accessToken))

  /**
   * The lifetime of a token that Nomba gave before began then: what is left is the JWT's `exp` minus the answer's `Date`,
   * or what was left of the lifetime as it was first stated.
   */
  const boundRepeated = (obtained: Obtained): Obtained => {
    const { session } = obtained
    const token = Redacted.value(session.accessToken)
    const { exp, iat } = claims(token)
    const date = session.issuedAt.epochMillis
    const isDated = session.clock === "server" && Option.isSome(exp) && !Option.contains(iat, date)
    const left = isDated ? Option.getOrThrow(exp) - date : (history.tokens.get(token)?.expiresAt ?? 0) - now()
    return { ...obtained, remaining: Duration.min(obtained.remaining, Duration.millis(Math.max(0, left))) }
  }

  /** Nomba may give the stored token again, to a process that has not seen it yet. */
  const rememberStored = ({ remaining, session }: Stored): void => {
    const token = Redacted.value(session.accessToken)
    if (history.tokens.has(token)) return
    RenewalHistory.remember(history, token, {
      expiresAt: now() + Duration.toMillis(remaining),
      rejection: undefined
    })
  }

  /** The failures that Nomba states hold for every process. Trouble of one host, its secret or its store does not. */
  const shareOf =
    (progress: Progress) =>
    (error: AuthError, previous: Option.Option<SharedFailure>): Option.Option<SharedFailure> => {
      const reason = statedByNomba(error)
      if (reason === undefined) return Option.none()
      const count = RenewalHistory.failureCount(
        error,
        history.failure,
        Option.match(previous, { onNone: () => 0, onSome: (failure) => failure.count })
      )
      progress.sharedCount = count
      return Option.some({
        reason,
        count,
        status: "status" in error ? Option.fromNullable(error.status) : Option.none(),
        wait: Duration.millis(RenewalHistory.failureWait(error, count))
      })
    }

  const renewStored = ({ deadline, isDead, onRequest, onSend, progress, since }: Options) => {
    const obtain = obtainSession({
      auth,
      issue,
      needsLogin,
      closing,
      deadline,
      now,
      requestTimeout: config.requestTimeout,
      spent: history.spentRefreshTokens,
      answered: history.answeredRefreshTokens,
      isDead,
      onSend,
      wasEnded: (session) => history.tokens.get(Redacted.value(session.accessToken))?.rejection === "early",
      hasLiveToken: () => State.isServed(current().cached, now()),
      cached: () =>
        Option.map(Option.fromNullable(current().cached), (cached) => ({
          stored: sync.storedOf(cached),
          isServed: State.isServed(cached, now()) && cached.saved
        }))
    })
    return store.renew({
      adopt: (stored) => State.isAdoptable(current(), history, stored, now()),
      isAbandoned: isDead,
      share: shareOf(progress),
      onStored: sync.stored,
      obtain: Effect.fnUntraced(function* (found, lease) {
        progress.hasLease = true
        progress.isEnded =
          since.cached !== undefined && Option.isNone(found) && !lease.wentBack && lease.version > since.highest
        if (progress.isEnded) {
          yield* sync.endedElsewhere(lease.version)
          return yield* closed
        }
        if (Option.isSome(found)) rememberStored(found.value)
        onRequest(true)
        const answered = yield* obtain(found, lease).pipe(
          Effect.tapErrorTag("LeaseLost", () => Effect.sync(() => (progress.hasLease = false))),
          Effect.onError(() => Effect.sync(() => onRequest(false)))
        )
        progress.isRepeated = isRepeated(answered)
        progress.unusable = answered.unusable
        const obtained = progress.isRepeated ? boundRepeated(answered) : answered
        const { operation, remaining, session } = obtained
        const stored = { session, remaining, version: lease.version, refreshInFlight: false, saved: false }
        progress.obtained = { stored, operation, at: now() }
        sync.obtained(session, operation)
        return obtained
      })
    })
  }

  return (options) =>
    Effect.suspend(() => {
      const { deadline, progress } = options
      const left = Duration.millis(deadline - now())
      const stopWaiting = Effect.flatMap(stallTolerantSleep(Duration.subtract(left, LAST_READ)), () =>
        progress.hasLease ? Effect.never : Effect.fail(storeTimedOut)
      )
      return firstOf(renewStored(options), stopWaiting).pipe(
        hardTimeout(left),
        Effect.map((stored): Renewed => {
          const { obtained } = progress
          const isOurs =
            obtained !== undefined && State.sameToken(obtained.stored.session.accessToken, stored.session.accessToken)
          return { _tag: "Stored", stored, operation: isOurs ? obtained.operation : undefined }
        }),
        Effect.catchAllCause((cause): Effect.Effect<Renewed, AuthError | RenewalHeldBack> => {
          if (progress.isEnded) return Effect.succeed({ _tag: "Ended" })
          if (progress.obtained === undefined) return Effect.failCause(cause)
          const { at, operation, stored } = progress.obtained
          const remaining = Duration.subtract(stored.remaining, Duration.millis(now() - at))
          return Effect.succeed({ _tag: "Stored", stored: { ...stored, remaining }, operation })
        })
      )
    })
}
